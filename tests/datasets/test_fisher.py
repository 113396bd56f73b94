"""Samples of Fisher's equation."""

import numpy as np
import pytest

from opforge.datasets import FisherRecipe
from opforge.errors import InputError


def test_settlements_spread():
    recipe = FisherRecipe(frames=3, end_time=4.0)
    u = recipe.sample(np.random.default_rng(0), recipe.grid(48)).fields["u"]
    assert np.all(np.diff(u.mean((1, 2))) > 0)
    assert u.min() > -1e-6 and u.max() <= 1.0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"end_time": 30.0}, "end_time must be at most 25: where nobody lives, rounding grows"),
        ({"rate": 10.0, "end_time": 3.0}, "end_time must be at most 2.5"),
        ({"drops": 0}, "drops must be"),
        ({"diffusivity": -1.0}, "diffusivity must be"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        FisherRecipe(**parameters)
