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


def test_a_grid_that_does_not_resolve_the_fronts():
    recipe = FitzHughNagumoRecipe(diffusivity_u=2.5e-4)
    with pytest.raises(InputError, match=r"too coarse for diffusivity_u=0\.00025: take at least 64 cells per axis"):
        recipe.check(recipe.grid(48))
    recipe.check(recipe.grid(64))
    FitzHughNagumoRecipe(diffusivity_u=0.0).check(recipe.grid(48))  # no fronts


def off(recipe, n, fine):
    """How far the last frame of the activator on n cells is from that on a multiple of them, which stands for exact."""
    made = {m: recipe.sample(np.random.default_rng(0), recipe.grid(m)).fields["u"][-1] for m in (n, fine)}
    expected = recipe.coarser("u", made[fine], recipe.grid(fine), fine // n)
    return np.linalg.norm(made[n] - expected) / np.linalg.norm(expected)


def test_error_of_the_grid():
    """On the coarsest grid that is taken, and on half as many cells, which are refused."""
    recipe = FitzHughNagumoRecipe(frames=2)
    assert 0.01 < off(recipe, 32, 64) < 0.05
    assert 0.1 < off(recipe, 16, 64) < 0.5
