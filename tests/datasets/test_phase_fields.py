"""Samples of the Allen–Cahn and Cahn–Hilliard equations."""

import numpy as np
import pytest

from opforge.datasets import AllenCahnRecipe, CahnHilliardRecipe
from opforge.errors import InputError


@pytest.mark.parametrize("cls", [AllenCahnRecipe, CahnHilliardRecipe])
def test_initial_states_have_mean_and_size(cls):
    recipe = cls(mean=0.3, amplitude=0.1, ndim=1)
    u = recipe.initial_states([np.random.default_rng(0)], recipe.grid(64))
    np.testing.assert_allclose([u.mean(), u.std()], [0.3, 0.1], rtol=1e-12)


@pytest.mark.parametrize("cls", [AllenCahnRecipe, CahnHilliardRecipe])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"width": 0.0}, "width must be"),
        ({"mean": 1.0}, "mean must lie between -1 and 1"),
        ({"ndim": 4}, "ndim must be"),
    ],
)
def test_parameters_out_of_range(cls, parameters, message):
    with pytest.raises(InputError, match=message):
        cls(**parameters)


def test_a_grid_that_does_not_resolve_the_boundary():
    recipe = AllenCahnRecipe(width=0.01)
    with pytest.raises(InputError, match=r"too coarse for width=0\.01: take at least 71 points per axis"):
        recipe.check(recipe.grid(64))
    recipe.check(recipe.grid(72))
