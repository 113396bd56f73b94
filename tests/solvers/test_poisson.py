"""Fast solutions of Poisson's equation: against the matrix, torch, gradients, compatibility."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Poisson
from opforge.solvers import fast_poisson, solve_poisson

BOUNDARIES = ["dirichlet", "neumann", "periodic"]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(9,), (8, 7), (4, 5, 6)])
def test_the_residual_is_rounding(boundary, shape):
    grid, f = Grid(shape, (1.0, 2.0, 0.5)[: len(shape)]), np.random.default_rng(0).standard_normal((2, *shape))
    f -= f.mean(tuple(range(1, f.ndim)), keepdims=True)
    u = fast_poisson(f, grid, boundary)
    assert np.abs(Poisson(len(shape), boundary).residual({"f": f, "u": u}, grid)).max() < 1e-11
    tensors = fast_poisson(torch.from_numpy(f), grid, boundary)
    np.testing.assert_allclose(tensors.numpy(), u, rtol=0, atol=1e-13)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_gradients(boundary):
    grid = Grid((4, 5))
    f = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 4, 5))).requires_grad_()
    assert torch.autograd.gradcheck(lambda f: fast_poisson(f - f.mean((-2, -1), keepdim=True), grid, boundary), f)


@pytest.mark.parametrize("boundary", ["neumann", "periodic"])
def test_a_mean_that_is_not_0_is_refused(boundary):
    with pytest.raises(InputError, match=f"f must have the mean 0 where boundary='{boundary}', got 1; subtract it"):
        fast_poisson(np.ones((4, 4)), Grid((4, 4)), boundary)


def test_obstacles_in_three_dimensions():
    grid = Grid((8, 8, 8))
    solid = np.zeros((8, 8, 8))
    solid[3:5, 3:5, 2:6] = 1
    u, residual = solve_poisson(Poisson(3), {"f": 1 - solid, "solid": solid}, grid)
    assert residual < 1e-9 and u.min() >= 0 and np.abs(u[solid > 0]).max() == 0
