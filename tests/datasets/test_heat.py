"""Samples of the heat equation: laws, random coefficients, what is refused."""

import numpy as np
import pytest

from opforge.datasets import HeatRecipe
from opforge.errors import InputError


@pytest.mark.parametrize("boundary", ["neumann", "dirichlet", "periodic"])
@pytest.mark.parametrize("ndim", [1, 2])
def test_initial_states_are_of_size_1(ndim, boundary):
    recipe = HeatRecipe(ndim=ndim, boundary=boundary)
    u = recipe.initial_states([np.random.default_rng(i) for i in range(100)], recipe.grid(32))
    assert 0.5 < np.sqrt((u**2).mean()) < 1.6


def test_a_random_coefficient_is_an_input():
    recipe = HeatRecipe(ndim=1, coefficient="lognormal", frames=5)
    assert (recipe.inputs, recipe.outputs) == (("a", "u"), ("u",))
    made = recipe.samples([np.random.default_rng(i) for i in range(2)], recipe.grid(48))
    assert made.fields["a"].shape == (2, 48) and made.fields["u"].shape == (2, 5, 48)
    assert made.fields["a"].min() > 0 and np.ptp(made.fields["a"][0]) > 0.005
    residual = recipe.equation.residual({**made.fields, "time": recipe.times}, recipe.grid(48))
    assert np.abs(residual).max() < 0.2


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"coefficient": "wild"}, "coefficient must be one of constant, lognormal"),
        ({"boundary": "periodic", "coefficient": "lognormal"}, "boundary='periodic' goes with coefficient='constant'"),
        ({"diffusivity": -1.0}, "diffusivity must be"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        HeatRecipe(**parameters)
