"""Samples of the Korteweg–de Vries equation."""

import numpy as np
import pytest

from opforge.datasets import KortewegDeVriesRecipe
from opforge.errors import InputError


def test_two_solitons_stand_apart_at_first():
    recipe = KortewegDeVriesRecipe(initial="solitons", length=100.0)
    for seed in range(5):
        (u,) = recipe.initial_states([np.random.default_rng(seed)], recipe.grid(256))[0]
        assert 0.3 <= u.max() <= 0.65
        top = [i for i in range(256) if u[i] > max(u[i - 1], u[(i + 1) % 256]) and u[i] > 0.05]
        assert len(top) == 2


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"initial": "tsunami"}, "initial must be one of series, solitons"),
        ({"initial": "solitons", "amplitude": 1.0}, "amplitude has no effect on initial='solitons'"),
        ({"length": -1.0}, "length must be a number greater than 0"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        KortewegDeVriesRecipe(**parameters)
