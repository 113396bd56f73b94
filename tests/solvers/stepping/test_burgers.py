"""Burgers' equation by finite volumes: numpy and torch, gradients, monotone, what is refused."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Burgers
from opforge.solvers import BurgersFV, repeat

GRID = Grid((12,), points="periodic")


def test_numpy_torch_and_gradients():
    u = np.random.default_rng(0).standard_normal((2, 1, 12))
    stepper = BurgersFV(Burgers(viscosity=0.01), GRID, 0.01)
    tensors = torch.from_numpy(u).requires_grad_()
    np.testing.assert_allclose(stepper(tensors).detach().numpy(), stepper(u), rtol=0, atol=1e-13)
    assert torch.autograd.gradcheck(stepper, tensors)


def test_nothing_overshoots_and_the_mean_stays():
    u = np.where(np.arange(12) < 6, 1.0, -1.0)[None, None]
    end = repeat(BurgersFV(Burgers(viscosity=0.0), GRID, 0.02), 40)(u)
    assert end.min() >= -1 - 1e-12 and end.max() <= 1 + 1e-12
    assert abs(end.mean()) < 1e-14


def test_what_is_refused():
    with pytest.raises(InputError, match="equation must have one axis for finite volumes, got ndim=2; use ETDRK4"):
        BurgersFV(Burgers(2), Grid((8, 8), points="periodic"), 0.1)
    with pytest.raises(InputError, match=r"dt must be at most 0\.02778, the time"):
        BurgersFV(Burgers(viscosity=0.0), GRID, 0.1)(np.full((1, 1, 12), 3.0))
    with pytest.raises(InputError, match="dt must be a time greater than 0"):
        BurgersFV(Burgers(), GRID, -0.1)
