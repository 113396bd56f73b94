"""Parameters drawn for every sample, of every recipe that offers some."""

from dataclasses import replace

import numpy as np
import pytest

from opforge.datasets import EvolutionRecipe, FisherRecipe, GrayScottRecipe, registry
from opforge.datasets.recipe import make_recipe
from opforge.errors import InputError

# Parameters with which a recipe's draws make sense: some have a usual value of 0, from which no range follows.
WITH = {
    "compressible_flow": {"shear_viscosity": 0.01, "bulk_viscosity": 0.01},
    "gray_scott": {"side": 0.3},  # which few points resolve
    "incompressible_flow": {"ndim": 2},
}
DRAWING = sorted(name for name, cls in registry().items() if getattr(cls, "drawable", ()))
CASES = [(name, one.name) for name in DRAWING for one in registry()[name].drawable]


def brief(name, draw, **parameters):
    """The recipe, with a short time to evolve in, and a grid."""
    parameters = {**WITH.get(name, {}), **parameters, "draw": draw}
    recipe = make_recipe(name, parameters)
    if isinstance(recipe, EvolutionRecipe):
        recipe = make_recipe(name, {**parameters, "frames": 3, "end_time": recipe.end_time / 40})
    return recipe, recipe.grid(max(recipe.least_resolution, 128 if recipe.equation.ndim == 1 else 64))


def generators(count=2):
    return [np.random.default_rng(i) for i in range(count)]


def test_recipes_that_offer_parameters():
    assert {
        *("advection", "allen_cahn", "burgers", "cahn_hilliard", "compressible_flow", "fisher", "fitzhugh_nagumo"),
        *("gray_scott", "heat", "helmholtz", "incompressible_flow", "korteweg_de_vries", "kuramoto_sivashinsky"),
        *("navier_stokes", "wave"),
    } <= set(DRAWING)


@pytest.mark.parametrize(("name", "parameter"), CASES)
def test_drawn_values_lie_in_the_range_and_make_the_fields(name, parameter):
    """The recipe with a sample's value as its own makes the same sample; the equation's residual takes the value."""
    recipe, grid = brief(name, parameter)
    recipe.check(grid)
    made = recipe.samples(generators(), grid)
    values, (low, high) = made.drawn[parameter], recipe.ranges[parameter]
    assert [field.name for field in recipe.drawn] == [parameter] and recipe.drawn[0].long_name
    assert np.all((low <= values) & (values <= high)) and len(set(values)) == 2
    np.testing.assert_array_equal(recipe.samples(generators(), grid).drawn[parameter], values)
    again = [own(recipe, parameter, value, i, grid) for i, value in enumerate(values.tolist())]
    for field, together in made.fields.items():
        alone = np.stack([fields[field] for fields, _ in again])
        np.testing.assert_allclose(together, alone, rtol=0, atol=1e-9 * np.abs(alone).max())
    times = {} if recipe.times is None else {"time": recipe.times}
    for invariant in recipe.equation.invariants:
        assert not invariant.broken(recipe.equation, {**made.fields, **made.drawn, **times}, grid)
    found = recipe.equation.residual({**made.fields, **made.drawn, **times}, grid)
    for one, (fields, equation) in zip(found, again, strict=True):
        expected = equation.residual({**fields, **times}, grid)
        scale = max(np.abs(values).max() for values in fields.values())
        np.testing.assert_allclose(one, expected, rtol=1e-6, atol=1e-7 * scale)


def own(recipe, parameter, value, seed, grid):
    """The fields of a sample whose value is the recipe's, and its equation."""
    same = recipe.with_numbers({parameter: value})
    rng = np.random.default_rng(seed)
    if isinstance(recipe, EvolutionRecipe):
        same = replace(same, time_step=recipe.steps(grid)[1] * (1 + 1e-9))
    if recipe.name == "helmholtz":
        return same.sample(rng, grid).fields, same.equation
    return same.sample(rng.spawn(2)[1], grid).fields, same.equation


def test_the_law_is_uniform_in_the_logarithm():
    recipe = FisherRecipe(draw="diffusivity:1e-4:1e-2")
    values = recipe.numbers(generators(2000))["diffusivity"]
    part = np.sort(np.log(values / 1e-4) / np.log(100))
    # Kolmogorov and Smirnov's distance, at 99.9 %
    assert np.abs(part - (np.arange(2000) + 0.5) / 2000).max() < 1.95 / np.sqrt(2000)


def test_the_law_of_velocities_is_uniform():
    recipe = make_recipe("advection", {"draw": "velocity:-1:3"})
    part = (np.sort(recipe.numbers(generators(2000))["velocity"]) + 1) / 4
    assert np.abs(part - (np.arange(2000) + 0.5) / 2000).max() < 1.95 / np.sqrt(2000)


def test_several_parameters():
    recipe = GrayScottRecipe(draw="kill:0.058:0.06, feed", frames=2, end_time=20.0)
    assert recipe.ranges == {"feed": pytest.approx((0.0234, 0.0286)), "kill": (0.058, 0.06)}
    made = recipe.samples(generators(2), recipe.grid(48))
    assert list(made.drawn) == ["feed", "kill"]
    assert make_recipe("gray_scott", recipe.parameters()) == recipe
    assert "draw" not in GrayScottRecipe().parameters() and GrayScottRecipe(draw="none") == GrayScottRecipe()


def test_steps_and_grids_are_for_the_extremes():
    plain, drawing = (make_recipe("cahn_hilliard", {"draw": draw}) for draw in (None, "width:0.01:0.05"))
    assert drawing.usual_step(drawing.grid(64)) == pytest.approx(plain.usual_step(plain.grid(64)) / 4)
    plain.check(plain.grid(64))
    with pytest.raises(InputError, match=r"too coarse for width=0\.01: take at least 128"):
        drawing.check(drawing.grid(64))
    with pytest.raises(InputError, match=r"end_time must be at most 5"):
        FisherRecipe(draw="rate:1:5")


@pytest.mark.parametrize(
    ("name", "draw", "message"),
    [
        ("fisher", "rates", r"unknown parameter in draw of the recipe 'fisher': 'rates'; did you mean 'rate'\?"),
        ("fisher", "rate:1", "draw must be rate:LOW:HIGH with two numbers, got 'rate:1'"),
        ("fisher", "rate:1:x", "draw must be rate:LOW:HIGH"),
        ("fisher", "rate:2:1", "from a lower to a higher number, got 2 to 1 for rate"),
        ("fisher", "rate:nan:1", "from a lower to a higher number"),
        ("fisher", "rate:-1:1", "rate must be greater than 0 throughout its range, got -1"),
        ("fisher", "rate,rate", "draw must name rate once"),
        ("fisher", 3, "draw must be text such as 'diffusivity:LOW:HIGH', got 3"),
        ("advection", "velocity:0:1e9", "draw='velocity:0:1e9' has values that are out of range: velocity must be"),
        ("elastic", "density", "draw must be left out, nothing of the recipe 'elastic' is drawn"),
    ],
)
def test_what_is_refused(name, draw, message):
    with pytest.raises(InputError, match=message):
        make_recipe(name, {"draw": draw})


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("heat", {"coefficient": "lognormal", "draw": "diffusivity"}, "draw must be left out for coefficient"),
        ("wave", {"medium": "random", "draw": "speed"}, "draw must be left out for medium"),
        ("korteweg_de_vries", {"initial": "solitons", "draw": "dispersion"}, "draw must be left out for initial"),
        ("advection", {"ndim": 2, "velocity": (1.0, 0.5), "draw": "velocity"}, "draw must give a range for velocity"),
    ],
)
def test_draws_that_do_not_go_with_others(name, parameters, message):
    with pytest.raises(InputError, match=message):
        make_recipe(name, parameters)
