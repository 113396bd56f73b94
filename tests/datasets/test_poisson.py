"""Samples of Poisson's equation: inputs, obstacles, every boundary, what is refused."""

import numpy as np
import pytest

from opforge.datasets import PoissonRecipe
from opforge.errors import InputError


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic"])
@pytest.mark.parametrize("coefficient", ["constant", "lognormal"])
def test_obstacles_and_coefficients_are_inputs(boundary, coefficient):
    recipe = PoissonRecipe(boundary=boundary, coefficient=coefficient, obstacles=2)
    sample = recipe.sample(np.random.default_rng(0), recipe.grid(24))
    assert set(sample.fields) == {*recipe.inputs, "u"}
    assert sample.residual <= recipe.tolerance
    assert np.abs(sample.fields["u"][sample.fields["solid"] > 0]).max() == 0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"coefficient": "wild"}, "coefficient must be one of"),
        ({"obstacles": -1}, "obstacles must be a whole number"),
        ({"obstacles": 1, "ndim": 1}, "obstacles must be 0 in one dimension"),
        ({"boundary": "open"}, "boundary must be one of"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        PoissonRecipe(**parameters)


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic"])
def test_fluid_that_obstacles_enclose_is_filled(boundary):
    """So many of them enclose some in a third of the samples."""
    recipe = PoissonRecipe(boundary=boundary, obstacles=12)
    grid = recipe.grid(32)
    for seed in range(30):
        sample = recipe.sample(np.random.default_rng(seed), grid)
        assert sample.residual <= recipe.tolerance
        assert 0 < sample.fields["solid"].mean() < 0.8
