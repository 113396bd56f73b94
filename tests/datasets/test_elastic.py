"""Samples of elastic waves: media, sources, divergence and curl, coarser grids, what is refused."""

import numpy as np
import pytest

import opforge
from opforge.datasets import ElasticRecipe
from opforge.datasets.quality.verification import verify
from opforge.errors import InputError
from opforge.pdes._solid import BOUNDARIES


@pytest.mark.parametrize("medium", ["random", "layers", "inclusions"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_media_are_inputs_within_their_bounds(medium, ndim):
    recipe = ElasticRecipe(ndim=ndim, medium=medium, density=2.0, frames=3, end_time=0.05)
    assert recipe.inputs[:3] == ("rho", "cp", "cs") and recipe.outputs == recipe.inputs[3:]
    grid = recipe.grid(33)
    made = recipe.media([np.random.default_rng(i) for i in range(4)], grid)
    cp, cs, rho = made["cp"], made["cs"], made["rho"]
    assert cp.shape == (4, *grid.shape) and np.exp(-0.5) <= cp.min() < cp.max() <= np.exp(0.5)
    ratio = cs / cp / 0.6
    assert 0.8 - 1e-12 <= ratio.min() < 0.9 < ratio.max() <= 1
    np.testing.assert_allclose(rho, 2.0 * cp**0.25, rtol=1e-12)
    values = [len(np.unique(one)) for one in cp]
    assert min(values) > 1000 if medium == "random" else 1 < min(values) <= max(values) <= 5


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("source", ["push", "explosion"])
def test_samples_keep_what_is_promised(boundary, source):
    recipe = ElasticRecipe(medium="random", source=source, boundary=boundary, frames=5, end_time=0.5)
    grid = recipe.grid(40)
    made = recipe.samples([np.random.default_rng(i) for i in range(2)], grid)
    fields = {**made.fields, "time": recipe.times}
    for promise in recipe.equation.invariants:
        assert not promise.broken(recipe.equation, fields, grid)
    assert 0 < made.residuals.max() < 2e-2
    rest = fields["u"][:, 0] if source == "explosion" else fields["sxx"][:, 0]
    assert not rest.any() and np.abs(fields["sxx"][:, -1]).max() > 0.01 and np.abs(fields["u"][:, -1]).max() > 0.01


def test_an_explosion_in_a_homogeneous_solid_makes_no_s_waves():
    """Before they meet a wall; a push makes both."""
    recipe = ElasticRecipe(source="explosion", waves=True, boundary="periodic", frames=3, end_time=0.5)
    assert recipe.outputs[-2:] == ("div", "curl") and recipe.evolving == recipe.outputs
    fields = recipe.sample(np.random.default_rng(0), recipe.grid(48)).fields
    assert np.abs(fields["curl"]).max() < 1e-12 and np.abs(fields["div"][-1]).max() > 0.5
    pushed = ElasticRecipe(waves=True, frames=3, end_time=0.5)
    fields = pushed.sample(np.random.default_rng(0), pushed.grid(48)).fields
    assert np.abs(fields["curl"][-1]).max() > 0.5 and np.abs(fields["div"][-1]).max() > 0.5


def test_divergence_in_media_is_that_of_the_stresses():
    """Hooke: the mean stress changes by (λ + μ) ∇·v in two dimensions, also at the surface."""
    recipe = ElasticRecipe(medium="layers", waves=True, frames=41, end_time=0.2)
    fields = recipe.sample(np.random.default_rng(0), recipe.grid(33)).fields
    modulus = fields["rho"] * (fields["cp"] ** 2 - fields["cs"] ** 2)
    mean, dt = (fields["sxx"] + fields["syy"]) / 2, 0.2 / 40
    change = (mean[2:] - mean[:-2]) / (2 * dt) / modulus
    np.testing.assert_allclose(change, fields["div"][1:-1], rtol=0, atol=0.02 * np.abs(fields["div"]).max())


@pytest.mark.parametrize("boundary", ["free", "periodic"])
def test_finer_grids_make_the_same_waves(boundary):
    data = opforge.generate("elastic", 1, 33, boundary=boundary, medium="random", frames=3, end_time=0.2, waves=True)
    found = verify(data, 1)
    assert found.reproduced == "the same, bit by bit"
    for name in ("u", "v", "sxx", "syy", "sxy", "div", "curl"):
        assert 1.7 < found.order[name] < 2.4, (name, found.order[name])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"medium": "foam"}, "medium must be one of homogeneous, random, layers, inclusions, got 'foam'"),
        ({"source": "hammer"}, "source must be one of push, explosion"),
        ({"boundary": "open"}, "boundary must be one of"),
        ({"s_speed": 1.2}, "s_speed must be less than 1"),
        ({"waves": 1}, "waves must be true or false, got 1"),
        ({"waves": True, "ndim": 3}, "waves must be false unless ndim=2"),
        ({"oversampling": 2}, "oversampling must be left out"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        ElasticRecipe(**parameters)


def test_steps_beyond_the_limit_are_refused_before_the_start():
    message = r"time_step must be at most 0\.022097, where leapfrog is stable on this grid, got 0\.1; take a shorter"
    with pytest.raises(InputError, match=message):
        opforge.generate("elastic", 1, 33, time_step=0.1)


def test_what_a_medium_allows_is_told_with_the_name_of_the_step():
    """The median's speed would bear the step, that of some layer does not."""
    recipe = ElasticRecipe(medium="layers", time_step=0.022, frames=2, end_time=0.022)
    message = r"time_step must be at most 0\.01\d+, where leapfrog is stable on this grid, got 0\.022"
    with pytest.raises(InputError, match=message):
        recipe.check(recipe.grid(33))
    with pytest.raises(InputError, match=message):
        recipe.samples([np.random.default_rng(0)], recipe.grid(33))
