"""Semilinear equations: tendency and residual against finite differences in time, dealiasing, resolution."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import KuramotoSivashinsky
from opforge.solvers import ETDRK4, IMEXRK, rollout

EQUATION = KuramotoSivashinsky()
GRID = Grid((48,), (24.0,), "periodic")


def waves():
    x = 2 * np.pi * GRID.coordinates()[0] / 24.0
    return np.cos(x) + 0.5 * np.sin(2 * x) + 0.3


def test_tendency_is_that_of_the_formula():
    q = 2 * np.pi / 24.0
    x = q * GRID.coordinates()[0]
    u, ux = waves(), q * (-np.sin(x) + np.cos(2 * x))
    uxx = -(q**2) * (np.cos(x) + 2 * np.sin(2 * x))
    uxxxx = q**4 * (np.cos(x) + 8 * np.sin(2 * x))
    np.testing.assert_allclose(EQUATION.tendency(u[None], GRID)[0], -u * ux - uxx - uxxxx, rtol=0, atol=1e-13)


def test_residual_of_a_solution_vanishes_with_the_time_between_frames():
    start = rollout(ETDRK4(EQUATION, GRID, 0.05), waves()[None, None], frames=1, steps=400)[0]
    sizes = []
    for dt in (0.2, 0.1, 0.05):
        u = rollout(ETDRK4(EQUATION, GRID, dt / 20), start, frames=4, steps=20, start=True)[:, :, 0].swapaxes(0, 1)
        residual = EQUATION.residual({"u": u, "time": dt * np.arange(5)}, GRID)
        assert residual.shape == (1, 4, 48)
        sizes.append(np.abs(residual).max())
    orders = np.log2(np.array(sizes[:-1]) / sizes[1:])
    assert np.all((orders > 2.4) & (orders < 3.2))


def test_products_alias_to_no_mode_that_is_kept():
    """The square of the highest wave is 1/2 + cos(2Kx)/2: nothing of the second part may come back."""
    highest = EQUATION.highest_modes(GRID)[0]
    assert highest == 15
    x = 2 * np.pi * GRID.coordinates()[0] / 24.0
    q = 2 * np.pi * highest / 24.0
    rate = EQUATION.tendency(np.cos(highest * x)[None], GRID)[0]
    np.testing.assert_allclose(rate, (q**2 - q**4) * np.cos(highest * x), rtol=0, atol=1e-10)


def test_waves_that_no_grid_of_such_points_keeps():
    with pytest.raises(InputError, match="resolution must be at least 49 points per axis for waves of wavenumber 16"):
        EQUATION.check_resolved(GRID, 16, "waves")
    EQUATION.check_resolved(GRID.with_shape((49,)), 16, "waves")


@pytest.mark.parametrize("kind", ["int64", "complex128", "float16", "bool"])
@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
def test_states_of_other_numbers_than_real_ones_are_refused(kind, make):
    state = make(np.ones((1, 1, 48), kind))
    remedy = "pass its real part" if kind == "complex128" else "convert it first"
    message = rf"state must be real, of float32 or float64, got {kind}; {remedy}"
    for work in (ETDRK4(EQUATION, GRID, 0.1), IMEXRK(EQUATION, GRID, 0.1), lambda u: EQUATION.tendency(u, GRID)):
        with pytest.raises(InputError, match=message):
            work(state)
    with pytest.raises(InputError, match=message):
        rollout(ETDRK4(EQUATION, GRID, 0.1), state, frames=1)
    with pytest.raises(InputError, match=rf"u must be real, .*, got {kind}"):
        EQUATION.residual({"u": make(np.ones((2, 48), kind)), "time": np.array([0.0, 0.1])}, GRID)


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
def test_no_samples_are_refused(make):
    state = make(np.ones((0, 1, 48)))
    for work in (ETDRK4(EQUATION, GRID, 0.1), IMEXRK(EQUATION, GRID, 0.1), lambda u: EQUATION.tendency(u, GRID)):
        with pytest.raises(InputError, match=r"state must have at least one sample, got shape \(0, 1, 48\)"):
            work(state)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_a_large_sample_does_not_blur_a_small_one(kind):
    """In single precision, whose rounding of the large one is more than all of the small one."""
    rng, times = np.random.default_rng(0), np.array([0.0, 1e-3])
    waves = np.cos(2 * np.pi * GRID.coordinates()[0] / GRID.lengths[0] + rng.uniform(0, 6, (2, 1)))
    states = (waves * np.array([[3.0], [1e-6]]))[:, None].astype(np.float32)
    frames = np.stack([states[:, 0], 0.9 * states[:, 0]], 1)
    given, path = (torch.from_numpy(x) if kind == "torch" else x for x in (states, frames))
    rate, left = EQUATION.tendency(given, GRID), EQUATION.residual({"u": path, "time": times}, GRID)
    alone = EQUATION.tendency(states[1:].astype(np.float64), GRID)
    residual = EQUATION.residual({"u": frames[1:].astype(np.float64), "time": times}, GRID)
    np.testing.assert_allclose(np.asarray(rate)[1:], alone, rtol=0, atol=3e-4 * np.abs(alone).max())
    np.testing.assert_allclose(np.asarray(left)[1:], residual, rtol=0, atol=3e-4 * np.abs(residual).max())
