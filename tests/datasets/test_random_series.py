"""Random Fourier series: the same function on every grid, its size, its waves, what is refused."""

import numpy as np
import pytest

from opforge.core import Grid, fftn
from opforge.datasets import FourierSeries
from opforge.errors import InputError


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_a_seed_is_one_function_on_every_grid(ndim):
    law = FourierSeries(highest=2, decay=1.0, mean=0.5)
    coarse, fine = (law.sample(np.random.default_rng(3), Grid((n,) * ndim, (2.0,) * ndim, "periodic")) for n in (6, 12))
    np.testing.assert_allclose(fine[(slice(None, None, 2),) * ndim], coarse, rtol=0, atol=1e-12)
    np.testing.assert_allclose(coarse.mean(), 0.5, atol=1e-13)
    np.testing.assert_allclose(((coarse - 0.5) ** 2).mean(), 1.0, rtol=1e-12)


def test_waves_go_up_to_the_highest_and_no_further():
    u = FourierSeries(highest=3, amplitude=2.0).sample(np.random.default_rng(0), Grid.cube(2, 16, points="periodic"))
    size = np.abs(fftn(u, norm="forward"))
    k = np.abs(np.fft.fftfreq(16, 1 / 16))
    inside = np.maximum.outer(k, k) <= 3
    assert size[~inside].max() < 1e-14
    assert (size[inside] > 1e-6).sum() == 48  # all but the mean
    np.testing.assert_allclose((u**2).mean(), 4.0, rtol=1e-12)


def test_decay_makes_short_waves_small():
    rough, smooth = (
        np.mean(
            [
                np.sum(np.gradient(FourierSeries(8, decay=decay).sample(np.random.default_rng(i), GRID)) ** 2)
                for i in range(20)
            ]
        )
        for decay in (0.0, 2.0)
    )
    assert smooth < 0.3 * rough


GRID = Grid.cube(1, 64, points="periodic")


@pytest.mark.parametrize(("parameters", "message"), [({"highest": 0}, "highest"), ({"amplitude": 0.0}, "amplitude")])
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        FourierSeries(**parameters)


def test_grids_that_do_not_carry_the_waves():
    with pytest.raises(InputError, match="at least 11 points per axis for waves up to 5, got 'periodic' of shape"):
        FourierSeries().sample(np.random.default_rng(0), Grid.cube(1, 10, points="periodic"))
    with pytest.raises(InputError, match="got 'cells'"):
        FourierSeries().sample(np.random.default_rng(0), Grid.cube(1, 20))
