"""Samples of waves: media, what is refused."""

import numpy as np
import pytest

from opforge.datasets import WaveRecipe
from opforge.errors import InputError


@pytest.mark.parametrize("ndim", [1, 2])
def test_a_random_medium_is_an_input(ndim):
    recipe = WaveRecipe(ndim=ndim, medium="random", frames=5)
    assert (recipe.inputs, recipe.outputs) == (("c", "u", "v"), ("u", "v"))
    made = recipe.samples([np.random.default_rng(i) for i in range(2)], recipe.grid(48))
    assert made.fields["c"].shape == (2, *(48,) * ndim)
    assert 0.02 < np.log(made.fields["c"]).std() < 1.0
    assert 0 < made.residuals.max() < 5e-2


def test_energy_is_kept():
    recipe = WaveRecipe(frames=5, end_time=2.0)
    grid = recipe.grid(160)
    fields = recipe.sample(np.random.default_rng(0), grid).fields
    energy = recipe.equation.energy(fields, grid)
    assert np.ptp(energy) < 0.1 * energy[0]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"medium": "foam"}, "medium must be one of homogeneous, random"), ({"speed": -1.0}, "speed must be")],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        WaveRecipe(**parameters)
