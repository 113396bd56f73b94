import math

import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets import AdvectionRecipe
from opforge.datasets import advection as module
from opforge.errors import InputError, WorkError
from opforge.pdes import Advection


def draw(recipe, n=32, seed=0):
    return recipe.sample(np.random.default_rng(seed), recipe.grid(n))


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("initial", ["sines", "gaussian", "series", "drops", "steps"])
def test_every_kind_in_every_dimension(ndim, initial):
    recipe = AdvectionRecipe(ndim=ndim, initial=initial, frames=5, velocity=0.7)
    grid = recipe.grid(24)
    u = recipe.sample(np.random.default_rng(1), grid).fields["u"]
    assert u.shape == (5, *(24,) * ndim)
    np.testing.assert_allclose(u[0], recipe.initial_state(np.random.default_rng(1), grid), rtol=0, atol=1e-14)
    assert np.abs(u[1:] - u[0]).max(axis=tuple(range(1, ndim + 1))).min() > 1e-3
    for invariant in recipe.equation.invariants:
        assert not invariant.broken(recipe.equation, {"u": u, "time": recipe.times}, grid)


def test_residual_over_all_steps_is_no_greater():
    recipe = AdvectionRecipe(ndim=2, velocity=(3.0, -0.5))
    grid = recipe.grid(20)
    fields = {**draw(recipe, 20).fields, "time": recipe.times}
    relative = np.linalg.norm(recipe.equation.residual(fields, grid)) / recipe.equation.residual_scale(fields, grid)
    assert relative < 1e-13


def test_times_are_even_and_end_at_the_end():
    np.testing.assert_allclose(AdvectionRecipe(frames=5, end_time=0.8).times, [0, 0.2, 0.4, 0.6, 0.8], rtol=1e-15)
    assert AdvectionRecipe().times.shape == (50,)
    assert AdvectionRecipe().times.dtype == np.float64


def test_waves_go_with_the_velocity():
    """After one period at velocity 1 all is as it was; after half of one, half a box further."""
    u = draw(AdvectionRecipe(frames=5, end_time=2.0, velocity=1.0)).fields["u"]
    np.testing.assert_allclose(u[[2, 4]], u[[0, 0]], rtol=0, atol=1e-13)
    np.testing.assert_allclose(u[1], np.roll(u[0], 16), rtol=0, atol=1e-13)
    u = draw(AdvectionRecipe(frames=2, end_time=0.25, velocity=(1.0, -0.5), ndim=2)).fields["u"]
    np.testing.assert_allclose(u[1], np.roll(u[0], (8, -4), (0, 1)), rtol=0, atol=1e-13)


@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize("initial", ["sines", "gaussian", "series", "drops", "steps"])
def test_a_seed_is_one_function_on_every_grid(ndim, initial):
    recipe = AdvectionRecipe(ndim=ndim, initial=initial, alpha=6.0 if initial == "gaussian" else None)
    coarse, fine = (recipe.initial_state(np.random.default_rng(3), recipe.grid(n)) for n in (32, 96))
    np.testing.assert_allclose(fine[(slice(None, None, 3),) * ndim], coarse, rtol=0, atol=1e-5 * np.abs(coarse).max())


def test_sines_have_the_sources_law():
    """Two integer wavenumbers from 1 to 8, all as likely; amplitudes uniform from 0 to 1; phases round the circle."""
    recipe, found, cosines = AdvectionRecipe(), [], []
    grid = recipe.grid(32)
    for seed in range(400):
        spectrum = np.fft.rfft(recipe.initial_state(np.random.default_rng(seed), grid)) / 16
        present = np.flatnonzero(np.abs(spectrum) > 1e-12)
        assert 1 <= len(present) <= 2
        assert {*present} <= set(range(1, 9))
        if len(present) == 2:
            found += [(k, abs(spectrum[k])) for k in present]
            cosines += [spectrum[k] / abs(spectrum[k]) for k in present]
    counts = np.bincount([k for k, _ in found], minlength=9)[1:]
    assert counts.min() > 0.6 * counts.mean()
    amplitudes = np.array([a for _, a in found])
    assert amplitudes.max() < 1
    np.testing.assert_allclose([amplitudes.mean(), amplitudes.std()], [0.5, math.sqrt(1 / 12)], atol=0.04)
    np.testing.assert_allclose(np.mean(cosines), 0, atol=0.12)


def test_plane_waves_go_in_all_directions():
    signs = set()
    grid = AdvectionRecipe(ndim=2).grid(24)
    for seed in range(20):
        u = AdvectionRecipe(ndim=2).initial_state(np.random.default_rng(seed), grid)
        kx, ky = np.unravel_index(np.abs(np.fft.rfft2(u)).argmax(), (24, 13))
        assert 1 <= min(kx, 24 - kx) <= 8
        assert 1 <= ky <= 8
        signs.add(kx < 12)
    assert signs == {True, False}


def test_sines_have_the_boxs_period():
    grid = Grid((20, 30), (2.0, 0.5), "periodic", (-1.0, 4.0))
    unit = Grid((20, 30), points="periodic")
    given, expected = (module._sines([np.random.default_rng(0)], g) for g in (grid, unit))
    np.testing.assert_allclose(given, expected, rtol=0, atol=1e-12)


def test_gaussian_states_have_the_given_law():
    recipe = AdvectionRecipe(initial="gaussian", sigma=10.0)
    assert (recipe.law.alpha, recipe.law.tau, recipe.law.sigma, recipe.law.boundary) == (2.0, 5.0, 10.0, "periodic")
    expected = recipe.law.sample(np.random.default_rng(5), recipe.grid(40))
    np.testing.assert_array_equal(recipe.initial_state(np.random.default_rng(5), recipe.grid(40)), expected)
    deviation = math.sqrt(AdvectionRecipe(initial="gaussian").law.variance(recipe.grid(256)).mean())
    np.testing.assert_allclose(deviation, 1.2, atol=0.1)


def test_a_solution_that_is_none_is_refused(monkeypatch):
    def stands_still(u, velocity, times, grid):
        return np.stack([u] * len(times), axis=1)

    monkeypatch.setattr(module, "advect", stands_still)
    with pytest.raises(WorkError, match=r"the equation's residual is .*, the tolerance is 1\.0e-08"):
        draw(AdvectionRecipe(velocity=0.3))


def test_parameters():
    assert AdvectionRecipe(velocity=(2, 2.0), ndim=2) == AdvectionRecipe(velocity=2, ndim=2)
    assert AdvectionRecipe(velocity=[0.4]).parameters()["velocity"] == 0.4
    assert AdvectionRecipe(velocity=[1, 2], ndim=2).parameters()["velocity"] == (1.0, 2.0)
    assert AdvectionRecipe(velocity=[1, 2], ndim=2).equation == Advection(ndim=2, velocity=(1.0, 2.0))
    assert not {"alpha", "tau", "sigma"} & set(AdvectionRecipe().parameters())
    assert {"alpha": 2.0, "tau": 5.0, "sigma": 25.0}.items() <= AdvectionRecipe(initial="gaussian").parameters().items()


def test_memory_grows_with_the_frames():
    assert AdvectionRecipe(frames=100).bytes_per_point > 1.5 * AdvectionRecipe(frames=50).bytes_per_point
    assert AdvectionRecipe(frames=50).bytes_per_point > 2 * 8 * 50


def test_there_is_nothing_to_refine():
    recipe = AdvectionRecipe(tolerance=1e-12)
    assert recipe.refined() == recipe


def test_grid_that_the_tolerance_forbids():
    recipe = AdvectionRecipe(velocity=-4.0)
    recipe.check(recipe.grid(2**20))
    with pytest.raises(
        InputError, match=r"tolerance=1e-08 is lower than rounding allows at resolution 4194304 .* to 2\.6e-08"
    ):
        recipe.check(recipe.grid(2**22))
    with pytest.raises(InputError, match="lower one of these or raise the tolerance"):
        AdvectionRecipe(velocity=(0.0, 1e6), ndim=2).check(AdvectionRecipe(ndim=2).grid(64))


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"ndim": 4}, "ndim must be 1, 2 or 3, got 4"),
        ({"ndim": True}, "ndim must be 1, 2 or 3"),
        ({"ndim": {}}, "ndim must be 1, 2 or 3"),
        ({"velocity": "fast"}, "velocity must be a number"),
        ({"velocity": (1.0, 2.0)}, "velocity must be a number, or 1 of them"),
        ({"velocity": math.nan}, "velocity must be finite"),
        ({"velocity": -2e6}, r"velocity must be of magnitude at most 1e\+06"),
        ({"initial": "shock"}, "initial must be one of sines, gaussian, series, drops, steps, got 'shock'"),
        ({"initial": None}, "initial must be one of"),
        ({"initial": []}, "initial must be one of"),
        ({"frames": 1}, "frames must be a whole number from 2 to 100000, got 1"),
        ({"frames": 10**6}, "frames must be a whole number from 2"),
        ({"frames": 5.0}, "frames must be a whole number"),
        ({"frames": True}, "frames must be a whole number"),
        ({"end_time": 0.0}, "end_time must be a number greater than 0"),
        ({"end_time": -1.0}, "end_time must be a number greater than 0"),
        ({"end_time": math.inf}, "end_time must be a number greater than 0, at most"),
        ({"end_time": 10**400}, "end_time must be a number greater than 0, at most"),
        ({"end_time": None}, "end_time must be a number"),
        ({"tolerance": 0.0}, "tolerance must be a number greater than 0"),
        ({"tolerance": 1.0}, "tolerance must lie between 0 and 1"),
        ({"tolerance": None}, "tolerance must be a number"),
        ({"tolerance": "1e-8"}, "tolerance must be a number"),
        ({"alpha": 2.0}, "alpha has no effect on initial='sines', got 2.0; leave it out or set initial='gaussian'"),
        ({"tau": 2.0}, "tau has no effect"),
        ({"sigma": 2.0}, "sigma has no effect"),
        ({"initial": "gaussian", "alpha": 0.5}, "alpha must be greater than ndim/2 = 0.5"),
        ({"initial": "gaussian", "ndim": 2, "alpha": 1.0}, "alpha must be greater than ndim/2 = 1"),
        ({"initial": "gaussian", "tau": 0.0}, "tau must be a number greater than 0"),
        ({"initial": "gaussian", "sigma": math.nan}, "sigma must be a number greater than 0"),
        ({"initial": "gaussian", "sigma": 1e300}, "sigma must be a number greater than 0, at most"),
    ],
)
def test_wrong_parameters(parameters, match):
    with pytest.raises(InputError, match=match):
        AdvectionRecipe(**parameters)


@pytest.mark.parametrize("initial", ["sines", "gaussian"])
def test_by_default_the_last_frame_is_not_the_first(initial):
    recipe = AdvectionRecipe(initial=initial)
    u = recipe.sample(np.random.default_rng(0), recipe.grid(64)).fields["u"]
    assert np.linalg.norm(u[-1] - u[0]) > 0.1 * np.linalg.norm(u[0])


def test_steps_are_carried_along():
    """After an eighth of the box as they were, an eighth further; their edges are resolved."""
    recipe = AdvectionRecipe(initial="steps", frames=2, end_time=0.125, velocity=1.0)
    for seed in range(5):
        u = draw(recipe, n=192, seed=seed).fields["u"]
        np.testing.assert_allclose(u[1], np.roll(u[0], 24), rtol=0, atol=1e-12)
        between = draw(AdvectionRecipe(initial="steps", frames=2, end_time=0.5 / 192, velocity=1.0), n=192, seed=seed)
        fine = draw(recipe, n=384, seed=seed).fields["u"][0]
        np.testing.assert_allclose(between.fields["u"][1], np.roll(fine, 1)[::2], rtol=0, atol=2e-4)
