"""Samples of the Helmholtz equation: media, drawn wavenumbers, what is refused."""

import numpy as np
import pytest

from opforge.datasets import HelmholtzRecipe
from opforge.errors import InputError


def test_media_and_wavenumbers_are_drawn():
    recipe = HelmholtzRecipe(wavenumber=30.0, draw="wavenumber", medium="random")
    assert [field.name for field in recipe.drawn] == ["wavenumber"]
    assert recipe.inputs == ("c", "f")
    made = recipe.samples([np.random.default_rng(i) for i in range(3)], recipe.grid(64))
    k = made.drawn["wavenumber"]
    assert np.all((k >= 15) & (k <= 30)) and len(set(k)) == 3
    assert made.residuals.max() < 1e-8


def test_a_grid_too_coarse_for_the_waves():
    recipe = HelmholtzRecipe(wavenumber=80.0)
    with pytest.raises(
        InputError, match=r"resolution must be at least 102 points per axis for wavenumber=80 \(8 cells"
    ):
        recipe.check(recipe.grid(64))


@pytest.mark.parametrize("parameters", [{"draw": "lots"}, {"medium": "foam"}, {"wavenumber": -1.0}])
def test_parameters_out_of_range(parameters):
    with pytest.raises(InputError, match=next(iter(parameters))):
        HelmholtzRecipe(**parameters)
