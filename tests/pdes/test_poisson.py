"""Poisson's equation: matrix and residual with obstacles, regions, compatibility, what is refused."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Poisson

GRID = Grid((6, 7))


def obstacles():
    solid = np.zeros((6, 7))
    solid[2:4, 3:5] = 1
    return solid


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic"])
def test_the_matrix_is_symmetric_positive_definite_and_has_the_residual(boundary):
    equation, rng = Poisson(2, boundary), np.random.default_rng(0)
    f = rng.standard_normal((6, 7)) * (1 - obstacles())
    f[obstacles() == 0] -= f[obstacles() == 0].mean()
    fields = {"f": f, "a": rng.uniform(0.5, 2, (6, 7)), "solid": obstacles()}
    A, b = equation.operator(fields, GRID).toarray(), equation.right_hand_side(fields, GRID)
    np.testing.assert_allclose(A, A.T, atol=1e-12)
    assert np.linalg.eigvalsh(A)[0] > 0
    u = np.linalg.solve(A, b).reshape(6, 7)
    assert np.abs(equation.residual({**fields, "u": u}, GRID)).max() < 1e-10
    assert np.abs(u[2:4, 3:5]).max() < 1e-14


def test_regions_that_hang_together_around_the_box_are_one():
    solid = np.zeros((6, 7))
    solid[3] = 1  # parts the box, but not the torus
    f = np.zeros((6, 7))
    f[0, 0], f[5, 5] = 1.0, -1.0
    assert Poisson(2, "periodic").right_hand_side({"f": f, "solid": solid}, GRID).shape == (42,)
    with pytest.raises(InputError, match=r"mean 0 in every region of fluid .*got 0.0476 in a region of 21 cells"):
        Poisson(2, "neumann").right_hand_side({"f": f, "solid": solid}, GRID)


def test_what_is_refused():
    with pytest.raises(InputError, match="must leave some cells of fluid, got obstacles everywhere"):
        Poisson(2).operator({"solid": np.ones((6, 7))}, GRID)
    ring = np.ones((6, 7))
    ring[2, 3] = ring[0] = 0
    with pytest.raises(InputError, match="must not enclose fluid, got 1 regions"):
        Poisson(2).operator({"solid": ring}, GRID)
    with pytest.raises(InputError, match="field 'a' must be positive and finite in the fluid"):
        Poisson(2).operator({"a": np.zeros((6, 7))}, GRID)
    with pytest.raises(InputError, match="boundary must be one of"):
        Poisson(2, "open")
    with pytest.raises(InputError, match="grid must have points='cells'"):
        Poisson(2).operator({}, Grid((6, 7), points="nodes"))
