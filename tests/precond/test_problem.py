"""A linear system as one thing: of equations, with a grid, what is refused."""

import numpy as np
import pytest
import scipy.sparse

import opforge
from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Burgers, Darcy, Poisson
from opforge.precond import LinearProblem, random_system
from opforge.solvers import SingularWarning

GRID = Grid((40, 36))
B = np.random.default_rng(0).standard_normal(GRID.shape)


def test_of_darcys_equation():
    found = opforge.solve(LinearProblem.of_equation(Darcy(), {"a": np.exp(B)}, GRID), rtol=1e-10)
    expected = opforge.solvers.solve_elliptic(Darcy(), {"a": np.exp(B)}, GRID, rtol=1e-10).x
    np.testing.assert_allclose(found.x, expected, rtol=0, atol=1e-6 * expected.max())


def test_of_poissons_equation_around_obstacles():
    solid = random_system("obstacles", GRID, seed=20).fluid.numpy() < 0.5
    fields = {"f": B - B[~solid].mean(), "solid": solid * 1.0}
    with pytest.warns(SingularWarning, match="in 1 region of cells"):
        found = opforge.solve(LinearProblem.of_equation(Poisson(2, "neumann"), fields, GRID), rtol=1e-10)
    left = Poisson(2, "neumann").residual({**fields, "u": found.x}, GRID)
    assert np.abs(left).max() < 1e-6 * np.abs(B).max()


def test_what_is_refused():
    with pytest.raises(InputError, match="equation must be linear and elliptic, Poisson or Darcy, got Burgers"):
        LinearProblem.of_equation(Burgers(), {}, GRID)
    matrix = scipy.sparse.eye_array(1440).tocsr()
    with pytest.raises(InputError, match=r"grid must have as many cells as A has unknowns, 1440, got 256 on 16x16"):
        LinearProblem(matrix, B.ravel(), Grid((16, 16)))
    with pytest.raises(InputError, match=r"grid must be an opforge\.core\.Grid, got 40"):
        LinearProblem(matrix, B.ravel(), 40)
