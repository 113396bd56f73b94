"""Stiff equations through scipy."""

import numpy as np
import pytest
import torch

from opforge.errors import InputError, WorkError
from opforge.solvers import BDF


def test_every_sample_alone():
    step = BDF(lambda u: -u, 0.5, rtol=1e-8, atol=1e-10)
    u = np.random.default_rng(0).standard_normal((3, 1, 5))
    np.testing.assert_allclose(step(u), np.exp(-0.5) * u, rtol=1e-6, atol=1e-8)


def test_what_is_refused():
    with pytest.raises(InputError, match="dt must be a time greater than 0, got 0"):
        BDF(lambda u: u, 0.0)
    for rtol in (0.0, 2.0):
        with pytest.raises(InputError, match="rtol and atol must be greater than 0, rtol less than 1"):
            BDF(lambda u: u, 1.0, rtol=rtol)


def test_a_solution_that_ends_is_told():
    with pytest.raises(WorkError, match="scipy's BDF failed"), np.errstate(all="ignore"):
        BDF(lambda u: u * u, 2.0)(np.ones((1, 1, 3)))


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_tensors_are_stepped_like_arrays_and_keep_their_precision(kind):
    u = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 1, 5))).to(kind)
    given = []

    def tendency(v):
        given.append((type(v), v.dtype))
        return -v * v.abs() if isinstance(v, torch.Tensor) else -v * abs(v)

    step = BDF(tendency, 0.5)
    found, arrays = step(u), step(u.numpy())
    assert found.dtype == kind
    assert found.numpy().dtype == arrays.dtype
    np.testing.assert_allclose(found.numpy(), arrays, rtol=4 * torch.finfo(kind).eps, atol=0)
    assert set(given) == {(torch.Tensor, torch.float64), (np.ndarray, np.dtype(np.float64))}


def test_gradients_that_cannot_flow_are_told():
    u, rate = torch.ones(1, 1, 3, dtype=torch.float64), torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    with pytest.raises(
        InputError, match=r"state must not ask for gradients, .* pass state.detach\(\), or take a stepper"
    ):
        BDF(lambda v: -v, 0.5)(u.clone().requires_grad_())
    with pytest.raises(InputError, match="tendency must not ask for gradients"):
        BDF(lambda v: -rate * v, 0.5)(u)
    with torch.no_grad():
        found = BDF(lambda v: -rate * v, 0.5)(u.clone().requires_grad_())
    torch.testing.assert_close(found, u * np.exp(-1.0), rtol=1e-5, atol=0)
