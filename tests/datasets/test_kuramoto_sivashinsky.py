"""Samples of the Kuramoto–Sivashinsky equation."""

import numpy as np
import pytest

from opforge.datasets import KuramotoSivashinskyRecipe
from opforge.errors import InputError


def test_initial_states_have_the_given_size():
    recipe = KuramotoSivashinskyRecipe(amplitude=0.5)
    u = recipe.initial_states([np.random.default_rng(i) for i in range(3)], recipe.grid(64))
    assert u.shape == (3, 1, 64)
    np.testing.assert_allclose((u**2).mean(-1), 0.25, rtol=1e-12)
    np.testing.assert_allclose(u.mean(-1), 0, atol=1e-14)


def test_settling_starts_on_the_attractor():
    recipe = KuramotoSivashinskyRecipe(amplitude=0.01, settling=100.0, frames=2, end_time=1.0)
    u = recipe.sample(np.random.default_rng(0), recipe.grid(96)).fields["u"]
    assert 0.8 < np.sqrt((u**2).mean()) < 1.8  # the attractor's size, whatever the initial one


@pytest.mark.parametrize("parameters", [{"length": 0.0}, {"amplitude": -1.0}, {"settling": -1.0}])
def test_parameters_out_of_range(parameters):
    with pytest.raises(InputError, match=next(iter(parameters))):
        KuramotoSivashinskyRecipe(**parameters)


def test_grids_too_coarse():
    with pytest.raises(InputError, match="resolution must be at least 48 points"):
        KuramotoSivashinskyRecipe().grid(32)


def test_grids_that_do_not_keep_the_short_waves():
    recipe = KuramotoSivashinskyRecipe(length=64.0)
    with pytest.raises(InputError, match="resolution must be at least 86 points for length=64"):
        recipe.check(recipe.grid(64))
    recipe.check(recipe.grid(86))
    KuramotoSivashinskyRecipe(length=32.0).check(recipe.grid(64))
