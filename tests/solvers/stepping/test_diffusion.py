"""Steppers of diffusion: semigroup, numpy and torch, gradients, what is refused."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.solvers import ExactDiffusion

BOUNDARIES = ["neumann", "dirichlet", "periodic"]


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_two_steps_are_one_of_twice_the_time(boundary):
    grid, u = Grid((8, 9), (1.0, 2.0)), np.random.default_rng(0).standard_normal((3, 2, 8, 9))
    rates = np.array([0.1, 0.3])
    step = ExactDiffusion(grid, rates, 0.05, boundary)
    np.testing.assert_allclose(step(step(u)), ExactDiffusion(grid, rates, 0.1, boundary)(u), rtol=0, atol=1e-13)
    tensors = step(torch.from_numpy(u))
    np.testing.assert_allclose(tensors.numpy(), step(u), rtol=0, atol=1e-13)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_gradients(boundary):
    step = ExactDiffusion(Grid((4, 5)), 0.1, 0.05, boundary)
    u = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 1, 4, 5))).requires_grad_()
    assert torch.autograd.gradcheck(step, u)


def test_what_is_refused():
    grid = Grid((4,))
    with pytest.raises(InputError, match="boundary must be one of dirichlet, neumann, periodic, got 'open'"):
        ExactDiffusion(grid, 0.1, 0.1, "open")
    with pytest.raises(InputError, match="diffusivity must be finite and at least 0"):
        ExactDiffusion(grid, -0.1, 0.1)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_diffusivities_of_their_own_for_samples(boundary):
    grid, u = Grid((8, 9)), np.random.default_rng(0).standard_normal((2, 1, 8, 9))
    found = ExactDiffusion(grid, np.array([[0.1], [0.3]]), 0.05, boundary)(u)
    for i, a in enumerate((0.1, 0.3)):
        alone = ExactDiffusion(grid, a, 0.05, boundary)(u[i : i + 1])
        np.testing.assert_allclose(found[i : i + 1], alone, rtol=0, atol=1e-13)
