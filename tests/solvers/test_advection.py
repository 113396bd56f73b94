import math

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Advection
from opforge.solvers import advect
from opforge.solvers import advection as module

GRIDS = [
    Grid((32,), (2.0,), "periodic", (-1.0,)),
    Grid((27,), points="periodic"),
    Grid((12, 9), (1.0, 3.0), "periodic", (0.5, 0.0)),
    Grid((5, 16), (0.3, 1.0), "periodic"),
    Grid((6, 7, 8), (1.0, 2.0, 0.5), "periodic"),
]
VELOCITY = (1.3, -0.4, 2.0)
TIMES = np.array([0.0, 0.1, -2.0, 33.0, 0.37])


def noise(grid, *batch, seed=0):
    return np.random.default_rng(seed).standard_normal((*batch, *grid.shape))


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("origin", ["numpy", "torch"])
def test_closed_form_is_met_to_rounding(grid, origin):
    velocity = VELOCITY[: grid.ndim]
    exact = Advection(ndim=grid.ndim, velocity=velocity).exact(grid, TIMES)["u"]
    assert np.abs(exact[1] - exact[0]).max() > 0.1
    start = torch.from_numpy(exact[0]) if origin == "torch" else exact[0]
    # 33 units of time are 132 periods, whose rounding alone is 1e-14 of a period
    np.testing.assert_allclose(np.asarray(advect(start, velocity, TIMES, grid)), exact, rtol=0, atol=1e-12)


@pytest.mark.parametrize("k", [1, 5, 15])
def test_every_wave_moves_with_the_velocity(k):
    grid = Grid((32,), (2.0,), "periodic")
    x, t = grid.coordinates()[0], np.array([0.0, 0.013, 7.7])[:, None]
    frames = advect(np.sin(np.pi * k * x + 1), 0.6, t[:, 0], grid)
    np.testing.assert_allclose(frames, np.sin(np.pi * k * (x - 0.6 * t) + 1), rtol=0, atol=1e-13)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_whole_spacings_roll_the_values(grid):
    """A field without Nyquist modes, whatever else it is."""
    u = advect(noise(grid), 0.0, [0.0], grid)[0]
    for axis, n in enumerate(grid.shape):
        if n % 2 == 0:
            alternating = np.cos(np.pi * np.arange(n)).reshape([-1 if i == axis else 1 for i in range(grid.ndim)])
            u = u - alternating * (alternating * u).mean(axis, keepdims=True)
    for axis, h in enumerate(grid.spacing):
        velocity = tuple(h if i == axis else 0.0 for i in range(grid.ndim))
        np.testing.assert_allclose(advect(u, velocity, [3.0], grid)[0], np.roll(u, 3, axis), rtol=0, atol=1e-12)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_shifts_form_a_group(grid):
    u, velocity = noise(grid), VELOCITY[: grid.ndim]
    at_once = advect(u, velocity, [0.0, 0.3, 0.5, 0.8], grid)
    np.testing.assert_allclose(at_once[0], u, rtol=0, atol=1e-14)
    np.testing.assert_allclose(advect(at_once[1], velocity, [0.5], grid)[0], at_once[3], rtol=0, atol=1e-13)
    np.testing.assert_allclose(advect(at_once[3], velocity, [-0.3], grid)[0], at_once[2], rtol=0, atol=1e-13)
    assert np.abs(at_once[3] - at_once[2]).max() > 0.1


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_mass_and_energy_are_kept_by_any_field(grid):
    frames = advect(noise(grid) + 0.5, VELOCITY[: grid.ndim], TIMES, grid)
    axes = tuple(range(1, grid.ndim + 1))
    np.testing.assert_allclose(frames.mean(axes), frames[0].mean(), rtol=1e-13)
    np.testing.assert_allclose((frames**2).mean(axes), (frames[0] ** 2).mean(), rtol=1e-13)


def test_nyquist_mode_stays_where_it_is():
    grid = Grid((8, 9), points="periodic")
    alternating = np.cos(np.pi * np.arange(8))[:, None]
    theta = 2 * np.pi * grid.coordinates()[1]
    frames = advect(alternating * np.cos(theta), (0.37, 0.5), [0.0, 0.5], grid)
    np.testing.assert_allclose(frames[1], alternating * np.cos(theta - np.pi / 2), rtol=0, atol=1e-14)


@pytest.mark.parametrize("grid", [GRIDS[0], GRIDS[2]], ids=str)
@pytest.mark.parametrize("at_once", [1, 100, 10**6])
def test_batches_are_samples_however_many_frames_go_at_once(grid, at_once, monkeypatch):
    monkeypatch.setattr(module, "_AT_ONCE", at_once)
    u, velocity, times = noise(grid, 2, 3), VELOCITY[: grid.ndim], np.linspace(0, 1, 7)
    frames = advect(u, velocity, times, grid)
    assert frames.shape == (2, 3, 7, *grid.shape)
    for i, j, k in ((0, 0, 0), (1, 2, 3), (0, 1, 6)):
        np.testing.assert_allclose(frames[i, j, k], advect(u[i, j], velocity, times[[k]], grid)[0], rtol=0, atol=1e-13)


@pytest.mark.parametrize("grid", [GRIDS[1], GRIDS[3]], ids=str)
def test_torch_and_numpy_agree(grid):
    u, velocity = noise(grid, 2), VELOCITY[: grid.ndim]
    found = advect(torch.from_numpy(u), velocity, TIMES, grid)
    torch.testing.assert_close(found, torch.from_numpy(advect(u, velocity, TIMES, grid)), rtol=0, atol=1e-13)


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
def test_single_precision_stays_single(convert):
    u = noise(GRIDS[2], 2)
    found = advect(convert(u.astype(np.float32)), 1.0, TIMES, GRIDS[2])
    assert str(found.dtype).endswith("float32")
    np.testing.assert_allclose(np.asarray(found), advect(u, 1.0, TIMES, GRIDS[2]), rtol=0, atol=5e-6)


def test_layout_in_memory_does_not_matter():
    u = noise(GRIDS[2], 2)
    frames = advect(u, 1.0, TIMES, GRIDS[2])
    np.testing.assert_array_equal(advect(np.asfortranarray(u), 1.0, TIMES, GRIDS[2]), frames)


@pytest.mark.parametrize("grid", [Grid((6,), points="periodic"), Grid((3, 4), points="periodic")], ids=str)
def test_gradients(grid):
    u = torch.from_numpy(noise(grid, 2)).requires_grad_()

    def frames(u):
        return advect(u, VELOCITY[: grid.ndim], [0.1, 0.7], grid)

    assert torch.autograd.gradcheck(frames, (u,))
    assert torch.autograd.gradgradcheck(frames, (u,))


def test_the_adjoint_goes_backwards():
    grid = GRIDS[2]
    u, w = torch.from_numpy(noise(grid)).requires_grad_(), torch.from_numpy(noise(grid, seed=1))
    (advect(u, (1.0, 0.3), [0.4], grid)[0] * w).sum().backward()
    torch.testing.assert_close(u.grad, advect(w, (1.0, 0.3), [-0.4], grid)[0], rtol=0, atol=1e-13)


def test_no_times_give_no_frames():
    assert advect(noise(GRIDS[0], 2), 1.0, [], GRIDS[0]).shape == (2, 0, 32)


def test_the_states_given_are_left_alone():
    u, times = noise(GRIDS[0]), TIMES.copy()
    before = u.copy()
    frames = advect(u, 1.0, times, GRIDS[0])
    frames[...] = 0
    np.testing.assert_array_equal(u, before)
    np.testing.assert_array_equal(times, TIMES)


@pytest.mark.parametrize("points", ["cells", "nodes"])
def test_other_points_are_refused(points):
    with pytest.raises(InputError, match="grid must have points='periodic'"):
        advect(np.ones(8), 1.0, [0.0], Grid((8,), points=points))


@pytest.mark.parametrize("u", [np.ones((8, 7)), np.ones(()), np.ones(7), [1.0] * 8, None])
def test_shapes_that_do_not_fit_are_refused(u):
    with pytest.raises(InputError, match=r"u must be an array that ends in the grid's shape \(8,\), got shape"):
        advect(u, 1.0, [0.0], Grid((8,), points="periodic"))


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_states_that_are_not_finite_are_refused(convert, wrong):
    u = np.ones((2, 8))
    u[1, 3] = wrong
    with pytest.raises(InputError, match="u must be finite"):
        advect(convert(u), 1.0, [0.0], Grid((8,), points="periodic"))


@pytest.mark.parametrize("u", [np.ones(8, int), np.ones(8, complex), torch.ones(8, dtype=torch.int64)])
def test_types_that_are_not_real_floats_are_refused(u):
    with pytest.raises(InputError, match=r"x must be of a floating point type|rfftn takes real input"):
        advect(u, 1.0, [0.0], Grid((8,), points="periodic"))


@pytest.mark.parametrize("times", [1.0, [[0.0]], [math.nan], [0.0, math.inf]])
def test_times_out_of_range_are_refused(times):
    with pytest.raises(InputError, match=r"times must be finite numbers, one per frame"):
        advect(np.ones(8), 1.0, times, Grid((8,), points="periodic"))


@pytest.mark.parametrize("times", ["now", [None, "a"], torch.zeros(2, requires_grad=True)])
def test_times_of_another_kind_are_refused(times):
    with pytest.raises(InputError, match=r"times must be a sequence of numbers"):
        advect(np.ones(8), 1.0, times, Grid((8,), points="periodic"))


def test_velocities_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="velocity must be a number, or 1 of them for 1 axes"):
        advect(np.ones(8), (1.0, 2.0), [0.0], Grid((8,), points="periodic"))
