"""Samples of the Allen–Cahn and Cahn–Hilliard equations."""

import numpy as np
import pytest

from opforge.core import resample
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
    with pytest.raises(InputError, match=r"too coarse for width=0\.01: take at least 128 points per axis"):
        recipe.check(recipe.grid(64))
    recipe.check(recipe.grid(128))


@pytest.mark.parametrize(("cls", "refused"), [(AllenCahnRecipe, (0.05, 0.3)), (CahnHilliardRecipe, (0.2, 0.8))])
def test_error_of_the_grid(cls, refused):
    """At the end on the coarsest grid that is taken, against twice as many points; and on one that is refused."""
    recipe = cls()
    exact = recipe.sample(np.random.default_rng(0), recipe.grid(128)).fields["u"][-1]

    def off(n):
        u = resample(recipe.sample(np.random.default_rng(0), recipe.grid(n)).fields["u"][-1], (128, 128))
        return np.linalg.norm(u - exact) / np.linalg.norm(exact)

    assert 0.002 < off(64) < 0.03
    assert refused[0] < off(36) < refused[1]
