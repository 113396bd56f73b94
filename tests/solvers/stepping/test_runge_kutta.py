"""Explicit methods: orders, splitting, gradients, what is refused."""

import numpy as np
import pytest
import torch

from opforge.errors import InputError
from opforge.solvers import RK4, SSPRK3, EachSample, StrangSplitting, repeat


def pendulum(state):
    u, v = state[:, :1], state[:, 1:]
    sin = torch.sin if isinstance(state, torch.Tensor) else np.sin
    cat = torch.cat if isinstance(state, torch.Tensor) else np.concatenate
    return cat([v, -sin(u)], 1)


START = np.array([[[1.0], [0.3]]])


@pytest.mark.parametrize(("method", "order"), [(SSPRK3, 3), (RK4, 4)])
def test_orders(method, order):
    exact = repeat(RK4(pendulum, 1e-3), 2000)(START)
    errors = [np.abs(repeat(method(pendulum, 2.0 / n), n)(START) - exact).max() for n in (20, 40)]
    assert abs(np.log2(errors[0] / errors[1]) - order) < 0.2


def test_order_of_the_splitting():
    def parts(dt):
        drift = RK4(lambda s: np.concatenate([s[:, 1:], 0 * s[:, 1:]], 1), dt / 2)
        kick = RK4(lambda s: np.concatenate([0 * s[:, :1], -np.sin(s[:, :1])], 1), dt)
        return StrangSplitting(drift, kick)

    exact = repeat(RK4(pendulum, 1e-3), 2000)(START)
    errors = [np.abs(repeat(parts(2.0 / n), n)(START) - exact).max() for n in (20, 40)]
    assert abs(np.log2(errors[0] / errors[1]) - 2) < 0.2


def test_convex_sums_do_not_overshoot():
    """An upwind step of advection at the limit stays between 0 and 1 with the strong-stability-preserving method."""
    u = (np.arange(20) < 8).astype(float)[None, None]
    end = repeat(SSPRK3(lambda u: np.roll(u, 1, -1) - u, 1.0), 15)(u)
    assert end.min() >= 0 and end.max() <= 1 + 1e-12


@pytest.mark.parametrize("method", [SSPRK3, RK4])
def test_gradients(method):
    state = torch.from_numpy(START.copy()).requires_grad_()
    assert torch.autograd.gradcheck(method(pendulum, 0.1), state)


def test_each_sample_has_its_stepper():
    steppers = [RK4(lambda u: -u, 0.1), RK4(lambda u: u, 0.1)]
    found = EachSample(steppers)(np.ones((2, 1, 1)))
    np.testing.assert_allclose(found[:, 0, 0], np.exp([-0.1, 0.1]), rtol=1e-6)
    with pytest.raises(InputError, match=r"steppers must share a time step, got \[0\.1, 0\.2\]"):
        EachSample([steppers[0], RK4(lambda u: u, 0.2)])


def test_what_is_refused():
    with pytest.raises(InputError, match="dt must be a time greater than 0, got 0"):
        SSPRK3(pendulum, 0)
    with pytest.raises(InputError, match="outer must have half of inner's time step"):
        StrangSplitting(RK4(pendulum, 0.1), RK4(pendulum, 0.1))


def test_samples_that_share_a_stepper_are_stepped_together():
    """In the order in which they are given."""
    seen = []

    def rate(factor):
        return lambda u: seen.append(len(u)) or factor * u

    slow, fast = RK4(rate(1.0), 0.1), RK4(rate(2.0), 0.1)
    u = np.arange(1.0, 5.0).reshape(4, 1, 1)
    found = repeat(EachSample([slow, fast, slow, fast]), 2)(u)
    assert set(seen) == {2}
    expected = u * np.array([1.0, 2.0, 1.0, 2.0]).reshape(4, 1, 1)
    np.testing.assert_allclose(np.log(found / u) / 0.2, expected / u, rtol=1e-4)
