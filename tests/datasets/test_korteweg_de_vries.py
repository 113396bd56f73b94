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


def test_humps_part_into_solitons():
    """Taller and narrower than what they were, and faster than those that are lower."""
    recipe = KortewegDeVriesRecipe(initial="drops", frames=3, end_time=20.0)
    assert recipe.amplitude == 0.5
    for seed in range(3):
        u = recipe.sample(np.random.default_rng(seed), recipe.grid(128)).fields["u"]
        assert u[0].min() >= 0 and 0.45 < u[0].max() <= 0.5
        assert u[-1].max() > 1.2 * u[0].max()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"initial": "tsunami"}, "initial must be one of series, drops, solitons"),
        ({"initial": "solitons", "amplitude": 1.0}, "amplitude has no effect on initial='solitons'"),
        ({"length": -1.0}, "length must be a number greater than 0"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        KortewegDeVriesRecipe(**parameters)
