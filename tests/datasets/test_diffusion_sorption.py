"""Samples of diffusion with sorption."""

import numpy as np

from opforge.datasets import DiffusionSorptionRecipe


def test_what_seeps_in_stays_between_the_ends():
    recipe = DiffusionSorptionRecipe(frames=6)
    sample = recipe.sample(np.random.default_rng(0), recipe.grid(64))
    u = sample.fields["u"]
    assert np.ptp(u[0]) == 0 and 0 < u[0, 0] < 0.2
    assert u.min() > 0 and u.max() <= 1.0
    assert np.all(np.diff(u, axis=0)[:, 0] >= -1e-9)
    assert 0 <= sample.residual <= recipe.tolerance
