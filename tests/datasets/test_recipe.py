"""What holds for every recipe; a new one is tested by being registered."""

import dataclasses
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from opforge import generate
from opforge.datasets import EvolutionRecipe, registry
from opforge.datasets.recipe import make_recipe
from opforge.errors import InputError, UnknownNameError
from opforge.solvers import rollout

RECIPES = sorted(registry())
# Boxes that few points resolve.
SMALLER = {"gray_scott": {"side": 0.3}}


def least(recipe, n):
    """A grid with n points per axis, or as many as the recipe needs."""
    return recipe.grid(max(n, recipe.least_resolution))


def brief(name, **parameters):
    """The recipe, with a short time to evolve in."""
    parameters = {**SMALLER.get(name, {}), **parameters}
    recipe = make_recipe(name, parameters)
    if not isinstance(recipe, EvolutionRecipe):
        return recipe
    return make_recipe(name, {**parameters, "frames": 3, "end_time": recipe.end_time / 20})


def with_times(recipe, fields):
    return fields if recipe.times is None else {**fields, "time": recipe.times}


@pytest.mark.parametrize("name", RECIPES)
def test_sample_has_finite_fields_and_keeps_the_tolerance(name):
    recipe = brief(name)
    grid = least(recipe, 8)
    sample = recipe.sample(np.random.default_rng(0), grid)
    assert set(sample.fields) == {*recipe.inputs, *recipe.outputs}
    for field, values in sample.fields.items():
        assert values.shape == ((len(recipe.times), *grid.shape) if field in recipe.evolving else grid.shape)
        assert values.dtype == np.float64
        assert np.isfinite(values).all()
    assert 0 <= sample.residual <= recipe.tolerance


@pytest.mark.parametrize("name", RECIPES)
def test_the_usual_settings_go_with_the_resolutions_of_the_commands(name):
    """Of `opforge generate` and `opforge simulate`."""
    recipe = make_recipe(name, {})
    for n in (64, 128):
        recipe.check(recipe.grid(n))


@pytest.mark.parametrize("name", RECIPES)
def test_residual_is_that_of_the_equation(name):
    recipe = make_recipe(name, {})
    if isinstance(recipe, EvolutionRecipe):  # their residual is an estimate of the error of time steps
        return
    grid = least(recipe, 12)
    sample = recipe.sample(np.random.default_rng(0), grid)
    fields = with_times(recipe, sample.fields)
    residual = np.linalg.norm(recipe.equation.residual(fields, grid))
    scale = recipe.equation.residual_scale(fields, grid)
    np.testing.assert_allclose(residual / scale, sample.residual, rtol=0.05, atol=1e-12)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("count", [1, 3])
def test_samples_made_together_are_those_made_alone(name, count):
    recipe = brief(name)
    grid = least(recipe, 12)
    assert recipe.at_once(grid) >= 1
    together = recipe.samples([np.random.default_rng(i) for i in range(count)], grid)
    alone = [recipe.sample(np.random.default_rng(i), grid) for i in range(count)]
    assert together.residuals.shape == (count,) and together.residuals.max() <= recipe.tolerance
    for field in alone[0].fields:
        expected = np.stack([sample.fields[field] for sample in alone])
        np.testing.assert_allclose(together.fields[field], expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("name", RECIPES)
def test_sample_keeps_the_equations_invariants(name):
    recipe = brief(name)
    grid = least(recipe, 12)
    fields = with_times(recipe, recipe.sample(np.random.default_rng(0), grid).fields)
    for invariant in recipe.equation.invariants:
        assert not invariant.broken(recipe.equation, fields, grid)


@pytest.mark.parametrize("name", RECIPES)
def test_a_seed_stands_for_the_same_functions_on_every_grid(name):
    """Of periodic points those that two grids share; a finer grid may add waves that the coarse one does not carry."""
    recipe = brief(name)
    if not isinstance(recipe, EvolutionRecipe) or recipe.points != "periodic":
        return
    n = max(24, recipe.least_resolution)
    coarse, fine = (recipe.initial_states([np.random.default_rng(5)], recipe.grid(m)) for m in (n, 2 * n))
    there = fine[(..., *(slice(None, None, 2),) * recipe.equation.ndim)]
    assert np.linalg.norm(there - coarse) < 0.2 * np.linalg.norm(coarse)


def moved_samples_solve(recipe, grid):
    sample = recipe.sample(np.random.default_rng(0), grid)
    holding = [symmetry for symmetry in recipe.equation.symmetries if symmetry.applies_to(grid)]
    assert len(holding) >= grid.ndim
    for symmetry in holding:
        moved = with_times(recipe, symmetry(sample.fields, grid.ndim))
        residual = np.linalg.norm(recipe.equation.residual(moved, grid))
        assert residual <= 2 * recipe.tolerance * recipe.equation.residual_scale(moved, grid), symmetry.name


@pytest.mark.parametrize("name", RECIPES)
def test_symmetries_take_solutions_to_solutions(name):
    """Solved twice: mapped before and after. Others than those of time steps by the residual of the mapped sample."""
    recipe = brief(name)
    if not isinstance(recipe, EvolutionRecipe):
        moved_samples_solve(recipe, least(recipe, 24))
        return
    grid = recipe.grid(-(-max(16, recipe.least_resolution) // 8) * 8)  # shifts by eighths hold
    equation, stepper = recipe.equation, recipe.stepper(grid, recipe.steps(grid)[1])
    start = recipe.initial_states([np.random.default_rng(i) for i in range(2)], grid)

    def mapped(symmetry, state):
        moved = symmetry({key: state[:, i] for i, key in enumerate(equation.unknowns)}, grid.ndim)
        return np.stack([moved[key] for key in equation.unknowns], 1)

    end = rollout(stepper, start, frames=1, steps=5)[0]
    holding = [symmetry for symmetry in equation.symmetries if symmetry.applies_to(grid)]
    assert holding or not equation.symmetries
    for symmetry in holding:
        found = rollout(stepper, mapped(symmetry, start), frames=1, steps=5)[0]
        np.testing.assert_allclose(found, mapped(symmetry, end), rtol=0, atol=1e-9 * np.abs(end).max())


@pytest.mark.parametrize("name", RECIPES)
def test_what_evolves_has_times(name):
    recipe = make_recipe(name, {})
    assert bool(recipe.evolving) == recipe.equation.evolves == (recipe.times is not None)
    if recipe.times is not None:
        assert recipe.times.dtype == np.float64
        assert recipe.times.ndim == 1
        assert np.all(np.diff(recipe.times) > 0)


@pytest.mark.parametrize("name", RECIPES)
def test_grid_has_the_recipes_points(name):
    recipe = make_recipe(name, {})
    assert least(recipe, 8).points == recipe.points
    assert recipe.points != "periodic" or recipe.equation.boundary == "periodic"


@pytest.mark.parametrize("name", RECIPES)
def test_refined_is_a_recipe_of_the_same_samples(name):
    """The same inputs; what they evolve into or solve for differs by the tolerance at most."""
    recipe = brief(name)
    grid = least(recipe, 12)
    given, fine = (r.sample(np.random.default_rng(0), grid).fields for r in (recipe, recipe.refined()))
    assert recipe.refined().equation == recipe.equation
    for key, values in given.items():
        np.testing.assert_allclose(fine[key], values, rtol=0, atol=max(1e-5, recipe.tolerance) * np.abs(values).max())


@pytest.mark.parametrize("name", RECIPES)
def test_sample_depends_on_the_generator_alone(name):
    recipe = brief(name)
    grid = least(recipe, 8)
    first, again, other = (recipe.sample(np.random.default_rng(seed), grid) for seed in (3, 3, 4))
    for key, values in first.fields.items():
        np.testing.assert_array_equal(values, again.fields[key])
    assert any((values != other.fields[key]).any() for key, values in first.fields.items())


@pytest.mark.parametrize("name", RECIPES)
def test_parameters_make_the_recipe_again(name):
    recipe = make_recipe(name, {})
    assert make_recipe(name, json.loads(json.dumps(recipe.parameters()))) == recipe
    assert pickle.loads(pickle.dumps(recipe)) == recipe


@pytest.mark.parametrize("name", RECIPES)
def test_inputs_and_outputs_are_fields_of_the_equation(name):
    recipe = make_recipe(name, {})
    known = {field.name for field in recipe.equation.fields}
    assert {*recipe.inputs, *recipe.outputs} <= known
    # only what evolves is both: its first frame and the later ones
    assert set(recipe.inputs) & set(recipe.outputs) <= set(recipe.evolving) <= known
    assert recipe.summary and recipe.solver and recipe.bytes_per_point > 0


@pytest.mark.parametrize("name", RECIPES)
def test_samples_are_made_without_torch(name):
    """Workers import what a sample needs; torch would cost each of them a second."""
    code = (
        "import sys, numpy; from opforge.datasets.recipe import make_recipe; "
        f"r = make_recipe({name!r}, {brief(name).parameters()!r}); "
        "r.sample(numpy.random.default_rng(0), r.grid(max(8, r.least_resolution))); "
        "print({'torch', 'xarray', 'h5py', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_unknown_recipe_names_the_closest():
    with pytest.raises(UnknownNameError, match=r"unknown recipe 'drcy'; did you mean 'darcy'\?"):
        make_recipe("drcy", {})


@pytest.mark.parametrize("name", RECIPES)
def test_unknown_parameter_names_the_closest(name):
    with pytest.raises(UnknownNameError, match=r"unknown parameter.*'tolerence'; did you mean 'tolerance'\?"):
        make_recipe(name, {"tolerence": 1e-3})


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("resolution", [0, -4, 3, "last axis"])
def test_resolution_too_low(name, resolution):
    recipe = make_recipe(name, {})
    if resolution == "last axis":
        resolution = (*(64,) * (recipe.equation.ndim - 1), 2)
    with pytest.raises(InputError, match=f"resolution must be at least {recipe.least_resolution} points per axis"):
        recipe.grid(resolution)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("resolution", [64.0, (), (64, 64, 64, 64), (8.5,) * 2, "64", None])
def test_resolution_of_another_kind(name, resolution):
    recipe = make_recipe(name, {})
    with pytest.raises(InputError, match=f"resolution must be an integer or {recipe.equation.ndim} of them"):
        recipe.grid(resolution)


def test_resolution_per_axis():
    grid = make_recipe("darcy", {}).grid((8, np.int64(12)))
    assert (grid.shape, grid.lengths, grid.points) == ((8, 12), (1.0, 1.0), "cells")


@pytest.mark.parametrize("name", RECIPES)
def test_drawn_parameters_are_the_same_however_the_sample_is_made(name):
    recipe = brief(name)
    names = [known.name for known in recipe.drawn]
    assert all(word.isidentifier() for word in names) and len(set(names)) == len(names)

    def drawn(recipe, grid, seeds=(0, 1)):
        made = recipe.samples([np.random.default_rng(seed) for seed in seeds], grid).drawn
        assert list(made) == names
        return {key: values.tolist() for key, values in made.items()}

    grid = least(recipe, 12)
    found = drawn(recipe, grid)
    assert all(len(values) == 2 and np.isfinite(values).all() for values in found.values())
    alone = recipe.sample(np.random.default_rng(1), grid).drawn
    assert {key: values[1] for key, values in found.items()} == alone
    if names:  # the error of data is measured by finer grids and smaller steps: of the same problem
        doubled = grid.with_shape([2 * n - 1 if grid.points == "nodes" else 2 * n for n in grid.shape])
        assert drawn(recipe, doubled) == drawn(recipe.refined(), grid) == found


@pytest.mark.parametrize(
    ("name", "field", "parameters"),
    [
        ("shallow_water", "h", {"initial": "waves", "frames": 2, "end_time": 0.002}),
        ("shallow_water", "b", {"initial": "bottom", "frames": 2, "end_time": 0.002}),
        ("wave", "c", {"medium": "random"}),
        ("poisson", "f", {}),
        ("poisson", "a", {"coefficient": "lognormal"}),
        ("heat", "u", {}),
    ],
)
def test_random_fields_go_on_across_a_periodic_boundary(name, field, parameters):
    """No jump at the edge: neighbours across it differ as much as neighbours inside, not many times more."""
    data = generate(name, 3, 48, boundary="periodic", **parameters)
    values = data.arrays(range(3))[field].astype(np.float64)
    values = values[:, 0] if field in data.header.evolving else values
    for axis in (-1, -2)[: data.grid.ndim]:
        inside = np.abs(np.diff(values, axis=axis)).max()
        across = np.abs(np.take(values, 0, axis) - np.take(values, -1, axis)).max()
        assert 0.05 * inside < across <= 1.3 * inside


WRONG = [
    None,
    True,
    -1,
    0,
    2.5,
    np.nan,
    np.inf,
    1e300,
    -1e-300,
    10**30,
    1j,
    "x",
    "",
    b"a",
    [],
    ["a"],
    [None],
    [[1]],
    {},
]


@pytest.mark.parametrize("name", RECIPES)
def test_parameters_of_any_type_are_taken_or_refused_in_words(name):
    for field in dataclasses.fields(registry()[name]):
        for value in WRONG:
            try:
                recipe = make_recipe(name, {field.name: value})
                grid = least(recipe, 48)
                recipe.check(grid)
                assert recipe.inputs and recipe.parameters() and recipe.bytes_per_point > 0 and recipe.at_once(grid) > 0
            except InputError as error:
                assert len(str(error)) > 20, (field.name, value)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("burgers", {"time_step": 1e-12}, r"end_time=1 take 1e\+12 steps of 1e-12, at most 1e\+07 are taken: .* 1e-07"),
        (
            "gray_scott",
            {"end_time": 1e9},
            r"end_time=1e\+09 take .* steps of .*: shorten the run, or take",
        ),
        ("kuramoto_sivashinsky", {"settling": 1e7}, r"end_time=50 and settling=1e\+07 take "),
        ("heat", {"refinement": 5000}, "refinement must be at most 1024, got 5000"),
    ],
)
def test_runs_of_too_many_steps_are_refused(name, parameters, message):
    with pytest.raises(InputError, match=message):
        generate(name, 1, 64, workers=1, **parameters)


def test_parameters_of_the_equation_reach_it():
    slow = make_recipe("shallow_water", {"frames": 2, "end_time": 0.3})
    fast = make_recipe("shallow_water", {"gravity": 9.0, "frames": 2, "end_time": 0.1})
    one, other = (each.sample(np.random.default_rng(0), each.grid(32)).fields for each in (slow, fast))
    np.testing.assert_allclose(other["h"], one["h"], rtol=0, atol=1e-12)  # the same waves, three times as fast
    np.testing.assert_allclose(other["u"], 3 * one["u"], rtol=0, atol=1e-12)
    assert np.abs(one["u"]).max() > 0.1
    soil = make_recipe("diffusion_sorption", {"exponent": 1.0, "frames": 2, "end_time": 10.0})
    assert soil.equation.exponent == 1.0 and soil.parameters()["exponent"] == 1.0
