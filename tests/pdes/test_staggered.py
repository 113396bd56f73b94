"""Staggered grids: adjoint operators, exact potentials, conservation of what is carried, walls."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.pdes._staggered import (
    Box,
    carried_rate,
    divergence,
    gradient,
    potential,
    projected,
    without_wall,
)

CLOSED = [Box((False, False)), Box((True, True)), Box((True, False), slip=True)]
BOXES = [*CLOSED, Box((False, False), slip=True, inflow=0.0)]  # of a stream at rest: it may leave
GRID = Grid((6, 7), (1.0, 2.0))


def velocity(box, seed=0):
    rng = np.random.default_rng(seed)
    return [without_wall(rng.standard_normal((6, 7)), axis - 2, box) for axis in range(2)]


@pytest.mark.parametrize("box", BOXES)
def test_the_gradient_is_minus_the_adjoint_of_the_divergence(box):
    u, p = velocity(box), np.random.default_rng(1).standard_normal((6, 7))
    left = (divergence(u, GRID, box) * p).sum()
    if box.open(-2):  # half a cell belongs to the faces at which it leaves
        u[0][-1] /= 2
    right = -sum((a * b).sum() for a, b in zip(u, gradient(p, GRID, box), strict=True))
    np.testing.assert_allclose(left, right, rtol=1e-12)


@pytest.mark.parametrize("box", BOXES)
def test_projection_leaves_no_divergence_and_what_has_none_alone(box):
    once, _ = projected(velocity(box), GRID, box)
    assert np.abs(divergence(once, GRID, box)).max() < 1e-12
    twice, p = projected(once, GRID, box)
    np.testing.assert_allclose(np.stack(twice), np.stack(once), rtol=0, atol=1e-13)
    assert np.abs(p).max() < 1e-13


@pytest.mark.parametrize("box", BOXES)
def test_potentials_solve_the_discrete_equation(box):
    source = np.random.default_rng(0).standard_normal((6, 7))
    source -= 0 if box.open(-2) else source.mean()
    p = potential(source, GRID, box)
    np.testing.assert_allclose(divergence(gradient(p, GRID, box), GRID, box), source, rtol=0, atol=1e-11)
    assert box.open(-2) or abs(p.mean()) < 1e-14


@pytest.mark.parametrize("box", CLOSED)
def test_what_is_carried_is_not_lost(box):
    u, _ = projected(velocity(box), GRID, box)
    s = np.random.default_rng(2).random((6, 7))
    assert abs(carried_rate(s, u, GRID, box).sum()) < 1e-11
    np.testing.assert_allclose(carried_rate(np.ones((6, 7)), u, GRID, box), 0, atol=1e-11)
