"""What holds for every recipe; a new one is tested by being registered."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from opforge.datasets import registry
from opforge.datasets.recipe import make_recipe
from opforge.errors import InputError, UnknownNameError

RECIPES = sorted(registry())


@pytest.mark.parametrize("name", RECIPES)
def test_sample_has_finite_fields_and_keeps_the_tolerance(name):
    recipe = make_recipe(name, {})
    grid = recipe.grid(8)
    sample = recipe.sample(np.random.default_rng(0), grid)
    assert set(sample.fields) == {*recipe.inputs, *recipe.outputs}
    assert all(values.shape == grid.shape and np.isfinite(values).all() for values in sample.fields.values())
    assert 0 <= sample.residual <= recipe.tolerance


@pytest.mark.parametrize("name", RECIPES)
def test_residual_is_that_of_the_equation(name):
    recipe = make_recipe(name, {})
    grid = recipe.grid(12)
    sample = recipe.sample(np.random.default_rng(0), grid)
    residual = np.linalg.norm(recipe.equation.residual(sample.fields, grid))
    scale = recipe.equation.residual_scale(sample.fields, grid)
    np.testing.assert_allclose(residual / scale, sample.residual, rtol=0.05, atol=1e-12)


@pytest.mark.parametrize("name", RECIPES)
def test_sample_depends_on_the_generator_alone(name):
    recipe = make_recipe(name, {})
    grid = recipe.grid(8)
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
    assert not set(recipe.inputs) & set(recipe.outputs)
    assert recipe.summary and recipe.solver


@pytest.mark.parametrize("name", RECIPES)
def test_samples_are_made_without_torch(name):
    """Workers import what a sample needs; torch would cost each of them a second."""
    code = (
        "import sys, numpy; from opforge.datasets.recipe import make_recipe; "
        f"r = make_recipe({name!r}, {{}}); r.sample(numpy.random.default_rng(0), r.grid(8)); "
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
@pytest.mark.parametrize("resolution", [0, -4, 3, (8, 2, 8)])
def test_resolution_too_low(name, resolution):
    recipe = make_recipe(name, {"ndim": 3})
    with pytest.raises(InputError, match="resolution must be at least 4 points per axis"):
        recipe.grid(resolution)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("resolution", [8.0, (8, 8), (8, 8, 8.5), "64", None])
def test_resolution_of_another_kind(name, resolution):
    with pytest.raises(InputError, match="resolution must be an integer or 3 of them"):
        make_recipe(name, {"ndim": 3}).grid(resolution)


def test_resolution_per_axis():
    grid = make_recipe("darcy", {}).grid((8, np.int64(12)))
    assert (grid.shape, grid.lengths, grid.points) == ((8, 12), (1.0, 1.0), "cells")
