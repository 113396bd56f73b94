"""Staggered grids: adjoint operators, exact potentials, conservation, walls."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.pdes._staggered import (
    Box,
    carried_rate,
    divergence,
    gradient,
    momentum_rate,
    potential,
    projected,
    without_wall,
)

BOXES = [Box((False, False)), Box((True, True)), Box((True, False), slip=True)]
GRID = Grid((6, 7), (1.0, 2.0))


def velocity(box, seed=0):
    rng = np.random.default_rng(seed)
    return [without_wall(rng.standard_normal((6, 7)), axis - 2, box) for axis in range(2)]


@pytest.mark.parametrize("box", BOXES)
def test_the_gradient_is_minus_the_adjoint_of_the_divergence(box):
    u, p = velocity(box), np.random.default_rng(1).standard_normal((6, 7))
    left = (divergence(u, GRID, box) * p).sum()
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
    source -= source.mean()
    p = potential(source, GRID, box)
    np.testing.assert_allclose(divergence(gradient(p, GRID, box), GRID, box), source, rtol=0, atol=1e-11)
    assert abs(p.mean()) < 1e-14


@pytest.mark.parametrize("box", BOXES)
def test_convection_keeps_the_energy_of_flows_without_divergence(box):
    u, _ = projected(velocity(box), GRID, box)
    rates = momentum_rate(u, 0.0, GRID, box)
    power = sum((a * b).sum() for a, b in zip(u, rates, strict=True))
    assert abs(power) < 1e-11 * sum((a * a).sum() for a in u)


@pytest.mark.parametrize("box", BOXES)
def test_what_is_carried_is_not_lost(box):
    u, _ = projected(velocity(box), GRID, box)
    s = np.random.default_rng(2).random((6, 7))
    assert abs(carried_rate(s, u, GRID, box).sum()) < 1e-11
    np.testing.assert_allclose(carried_rate(np.ones((6, 7)), u, GRID, box), 0, atol=1e-11)
