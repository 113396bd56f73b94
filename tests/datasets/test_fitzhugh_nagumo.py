"""Samples of the FitzHugh–Nagumo equations: both initial states, what is refused."""

import numpy as np
import pytest

from opforge.datasets import FitzHughNagumoRecipe
from opforge.errors import InputError


@pytest.mark.parametrize("ndim", [1, 2])
def test_initial_states_are_of_size_1(ndim):
    for initial in ("smooth", "noise"):
        recipe = FitzHughNagumoRecipe(ndim=ndim, initial=initial)
        state = recipe.initial_states([np.random.default_rng(i) for i in range(60)], recipe.grid(32))
        assert state.shape == (60, 2, *(32,) * ndim)
        assert 0.6 < np.sqrt((state**2).mean()) < 1.5


def test_smooth_states_are_the_same_functions_on_every_grid():
    recipe = FitzHughNagumoRecipe()
    coarse, fine = (recipe.initial_states([np.random.default_rng(0)], recipe.grid(n)) for n in (24, 72))
    np.testing.assert_allclose(fine[..., 1::3, 1::3], coarse, rtol=0, atol=0.15)


def test_what_is_refused():
    with pytest.raises(InputError, match="initial must be one of smooth, noise, got 'ones'"):
        FitzHughNagumoRecipe(initial="ones")
