"""Sums of random bumps: the same function on every grid, their mean, what is refused."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets import Bumps
from opforge.errors import InputError


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_a_seed_is_one_function_on_every_grid(ndim):
    coarse, fine = (Bumps(3).sample(np.random.default_rng(1), Grid.cube(ndim, n)) for n in (6, 18))
    np.testing.assert_allclose(fine[(slice(1, None, 3),) * ndim], coarse, rtol=0, atol=1e-14)
    assert coarse.min() >= 0 and 0.1 < coarse.max() <= 3


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_mean_is_that_of_the_samples(ndim):
    law, grid = Bumps(5, (0.05, 0.5)), Grid.cube(ndim, 12)
    means = [law.sample(np.random.default_rng(i), grid).mean() for i in range(1000)]
    # five standard deviations of the estimate, and the error of the coarse grid
    np.testing.assert_allclose(np.mean(means), law.mean(ndim), rtol=0, atol=5 * np.std(means) / np.sqrt(1000) + 5e-3)


@pytest.mark.parametrize("parameters", [{"count": 0}, {"count": 1.5}, {"spreads": (0.5, 0.1)}, {"spreads": (-1, 1)}])
def test_parameters_out_of_range(parameters):
    with pytest.raises(InputError, match=next(iter(parameters))):
        Bumps(**parameters)
