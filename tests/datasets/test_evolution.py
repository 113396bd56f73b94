"""What recipes of evolving equations share: steps, their estimated error, what is refused."""

import re
from dataclasses import replace

import numpy as np
import pytest

import opforge
from opforge.core import Grid
from opforge.datasets import (
    AllenCahnRecipe,
    BurgersRecipe,
    CahnHilliardRecipe,
    CompressibleFlowRecipe,
    FisherRecipe,
    GrayScottRecipe,
    KortewegDeVriesRecipe,
    KuramotoSivashinskyRecipe,
    NavierStokesRecipe,
    ShallowWaterRecipe,
)
from opforge.datasets.generating.sampling import sample_seed
from opforge.datasets.recipe import make_recipe
from opforge.datasets.restriction import restricted
from opforge.errors import InputError, WorkError
from opforge.solvers import ProjectionStepper, rollout


def recipe(**changes):
    return KuramotoSivashinskyRecipe(**{"frames": 5, "end_time": 4.0, **changes})


def test_steps_fill_the_time_between_frames():
    grid = recipe().grid(64)
    assert recipe(time_step=0.3).steps(grid) == (4, 0.25)
    assert recipe(time_step=0.3, refinement=2).steps(grid) == (7, 1 / 7)
    assert recipe(time_step=0.25).refined().steps(grid) == (8, 0.125)
    assert recipe(time_step=0.25).refined().refined().steps(grid) == (16, 0.0625)
    steps, dt = recipe().steps(grid)
    assert steps * dt == 1.0 and dt <= recipe().usual_step(grid)


def test_residual_estimates_the_error_of_the_steps():
    grid, rngs = recipe().grid(64), lambda: [np.random.default_rng(i) for i in range(4)]
    exact = recipe(time_step=0.005).samples(rngs(), grid).fields["u"][:, -1]
    for dt in (0.1, 0.05):
        made = recipe(time_step=dt).samples(rngs(), grid)
        error = np.linalg.norm(made.fields["u"][:, -1] - exact, axis=1) / np.linalg.norm(exact, axis=1)
        assert made.residuals.shape == (4,)
        assert np.all((made.residuals > error / 10) & (made.residuals < 30 * error))


# recipe, parameters, resolution, bounds of the residual over the greatest error of a frame
ESTIMATES = [
    ("wave", {"ndim": 1, "medium": "random"}, 64, (0.5, 3.0)),
    ("wave", {"medium": "random", "frames": 6, "end_time": 0.5}, 32, (0.5, 3.0)),
    ("elastic", {"medium": "layers", "frames": 6}, 33, (0.5, 3.0)),
    ("compressible_flow", {"frames": 11, "end_time": 0.25}, 64, (0.5, 5.0)),
    ("compressible_flow", {"initial": "tube", "frames": 11, "end_time": 0.25}, 64, (0.5, 5.0)),
    ("shallow_water", {}, 24, (0.5, 5.0)),
    ("shallow_water", {"initial": "waves", "ndim": 1, "frames": 11}, 32, (0.5, 5.0)),
    ("incompressible_flow", {"frames": 11, "end_time": 1.0}, 16, (0.5, 5.0)),
]


@pytest.mark.parametrize(("name", "parameters", "n", "bounds"), ESTIMATES)
def test_residual_of_waves_and_limited_slopes_is_about_the_greatest_error_of_a_frame(name, parameters, n, bounds):
    """Steps a quarter as long stand for the exact solution of the grid."""
    recipe = make_recipe(name, parameters)
    made, exact = (
        again.samples([np.random.default_rng(i) for i in range(3)], recipe.grid(n))
        for again in (recipe, replace(recipe, refinement=4))
    )
    states, finer = (np.stack([m.fields[key] for key in recipe.equation.unknowns], 2) for m in (made, exact))
    norm = [np.linalg.norm(x.reshape(*x.shape[:2], -1), axis=2) for x in (states - finer, finer)]
    error = (norm[0] / norm[1]).max(1)
    ratio = made.residuals / error
    print(f"{name} {parameters}: errors {error}, residuals over them {ratio}")
    assert np.all((bounds[0] < ratio) & (ratio < bounds[1]))


def test_steps_in_parts_have_an_error_as_well():
    """Where the flow is too fast for a step, halves of it would be taken whole, and be the same."""
    recipe = make_recipe("incompressible_flow", {"buoyancy": 40.0, "frames": 6, "end_time": 1.0, "time_step": 0.02})
    grid = recipe.grid(16)
    stepper = recipe.stepper(grid, 0.02)
    state = rollout(stepper, recipe.initial_states([np.random.default_rng(0)], grid), frames=1, steps=20)[0]
    assert isinstance(stepper, ProjectionStepper) and 1 < 0.02 * stepper.equation.courant(state, grid).max() < 2
    whole, halves = (rollout(one, state, frames=1, steps=4)[0] for one in (stepper, stepper.halved()))
    np.testing.assert_allclose(halves, whole, rtol=0, atol=0.02 * np.abs(whole).max())
    assert recipe.sample(np.random.default_rng(0), grid).residual > 0
    assert np.abs(halves - whole).max() > 1e-9


def test_an_error_beyond_the_tolerance_is_told():
    with pytest.raises(WorkError, match=r"estimated at .*, the tolerance is 1.0e-12; lower time_step, which is 0.05"):
        recipe(time_step=0.05, tolerance=1e-12).sample(np.random.default_rng(0), recipe().grid(64))


def test_groups_fit_the_caches_and_are_even():
    assert recipe().at_once(recipe().grid(64)) == 32
    assert recipe().at_once(recipe().grid(4096)) == 16
    assert recipe().at_once(recipe().grid(10**6)) == 2


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"frames": 1}, "frames must be a whole number from 2"),
        ({"frames": 2.0}, "frames must be a whole number"),
        ({"end_time": 0.0}, "end_time must be a number greater than 0, got 0.0"),
        ({"time_step": -1.0}, "time_step must be a number greater than 0"),
        ({"tolerance": 1.5}, "tolerance must lie between 0 and 1"),
        ({"refinement": 0}, "refinement must be a whole number of at least 1"),
        ({"oversampling": 1.5}, "oversampling must be a whole number of at least 1"),
        ({"settling": -1.0}, "settling must be a number of at least 0"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        recipe(**parameters)


def test_oversampled_states_are_those_of_the_finer_grid():
    fine = recipe().sample(np.random.default_rng(0), recipe().grid(192)).fields["u"]
    kept = recipe(oversampling=3).sample(np.random.default_rng(0), recipe().grid(64)).fields["u"]
    np.testing.assert_array_equal(kept, fine[:, ::3])
    assert recipe(oversampling=2).bytes_per_point == 2 * recipe().bytes_per_point


@pytest.mark.parametrize(
    ("made", "resolution"),
    [
        (BurgersRecipe(initial="fno_script", time_step=0.5, frames=2), 1024),
        (NavierStokesRecipe(time_step=25.0, frames=2), 64),
        (NavierStokesRecipe(time_step=1.0), 64),
        (NavierStokesRecipe(flow="kolmogorov", time_step=1.0), 64),
        (KortewegDeVriesRecipe(time_step=5.0, frames=2), 128),
        (KuramotoSivashinskyRecipe(time_step=5.0, frames=2), 128),
        (GrayScottRecipe(time_step=2000.0, frames=2, side=0.4), 64),
        (FisherRecipe(time_step=5.0, frames=2), 64),
        (AllenCahnRecipe(time_step=5.0, frames=2), 64),
        (CahnHilliardRecipe(time_step=0.1, frames=2), 64),
    ],
)
def test_steps_that_waves_on_the_first_state_do_not_bear_are_refused_before_the_start(made, resolution):
    grid = made.grid(resolution)
    message = rf"time_step must be at most \S+, where ETDRK4 is stable .*, got {made.time_step:g}; take a shorter one"
    with pytest.raises(InputError, match=message) as raised:
        made.check(grid)
    limit = told(raised.value)
    replace(made, time_step=limit).check(grid)  # what it says is within it
    assert made.usual_step(grid) < limit / 2


def told(error):
    """The limit in an error's text."""
    (limit,) = re.findall(r"at most (\S+),", str(error))
    return float(limit)


def test_a_limit_is_that_of_the_users_step_not_of_those_that_are_taken():
    """Two steps are taken for each of the user's, whose limit is twice as long."""
    once, twice = (NavierStokesRecipe(flow="kolmogorov", time_step=5.0, refinement=n) for n in (1, 2))
    found = []
    for made in (once, twice):
        with pytest.raises(InputError, match="got 5; take") as raised:
            made.check(made.grid(64))
        found.append(told(raised.value))
    assert found[1] / found[0] == pytest.approx(2, rel=1e-4)


def test_errors_on_the_way_name_the_users_step():
    coarse = AllenCahnRecipe(time_step=1.4, frames=15, end_time=14.0)
    with pytest.raises(WorkError, match=r"lower time_step, which is 1\.4 \(steps of 1 are taken, of one length from"):
        coarse.sample(np.random.default_rng(0), coarse.grid(64))
    driven = NavierStokesRecipe(viscosity=1e-4, time_step=0.2, frames=3)
    with pytest.raises(WorkError, match=r"not finite any more at time .*; time_step is 0\.2, usual are steps of 0\.04"):
        driven.sample(np.random.default_rng(0), driven.grid(32))


def test_cells_are_kept_as_means():
    states = np.arange(2.0 * 8 * 12).reshape(1, 2, 1, 8, 12)
    found = restricted(states, Grid((8, 12)), 4)
    assert found.shape == (1, 2, 1, 2, 3)
    np.testing.assert_allclose(found[0, 1, 0, 1, 2], states[0, 1, 0, 4:8, 8:12].mean())


@pytest.mark.parametrize(
    "made",
    [
        BurgersRecipe(method="finite volumes", viscosity=0.0, time_step=0.1),
        BurgersRecipe(ndim=2, method="finite volumes", time_step=0.1),
        ShallowWaterRecipe(time_step=0.2, frames=3),
        ShallowWaterRecipe(initial="bottom", time_step=0.2, frames=3),
        CompressibleFlowRecipe(time_step=0.1),
        CompressibleFlowRecipe(draw="shear_viscosity:0.1:1,bulk_viscosity:0.1:1", time_step=0.005),
    ],
)
def test_steps_beyond_the_limit_of_waves_are_refused_before_the_start(made):
    message = rf"time_step must be at most \d[\d.e-]*, the time in which .*, got {made.time_step:g}; take a shorter"
    with pytest.raises(InputError, match=message):
        made.check(made.grid(64))
    replace(made, time_step=1e-5).check(made.grid(64))


def test_a_sample_that_blows_up_is_skipped_and_its_partner_kept(monkeypatch):
    """Sample 2 shares transforms with sample 3."""
    made, usual = {"resolution": 96, "seed": 5, "workers": 1, "frames": 5, "end_time": 4.0}, recipe().initial_states
    whole = opforge.generate("kuramoto_sivashinsky", 6, **made)
    bad = usual([np.random.default_rng(sample_seed(5, 2))], recipe().grid(96))

    def states(self, rngs, grid):
        found = usual(rngs, grid)
        return np.where(np.isclose(found, bad).all((1, 2), keepdims=True), 1e6 * found, found)

    monkeypatch.setattr(KuramotoSivashinskyRecipe, "initial_states", states)
    with pytest.raises(WorkError, match=r"sample 2 .* failed: the solution is not finite any more at time"):
        opforge.generate("kuramoto_sivashinsky", 6, **made)
    with pytest.warns(UserWarning, match="1 of 6 samples failed and were left out"):
        rest = opforge.generate("kuramoto_sivashinsky", 6, on_error="skip", **made)
    kept = whole.to_xarray()["u"].values[[0, 1, 3, 4, 5]]
    np.testing.assert_allclose(rest.to_xarray()["u"].values, kept, rtol=0, atol=1e-4 * np.abs(kept).max())
