"""Random states of gases: the bounds of the published distributions, no divergence, the same on every grid."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets import random_gases

LINE = Grid((256,), (2.0,), "cells", (-1.0,))


def drawn(law, count, *arguments):
    return np.stack([law(np.random.default_rng(i), *arguments) for i in range(count)])


def test_lines_lie_between_their_bounds():
    rho, u, p = drawn(random_gases.pdebench_line, 200, LINE).swapaxes(0, 1)
    assert 1 < rho.min() < 1.1 and 10 < rho.max() <= 20
    assert 10 < p.min() < 11 and 100 < p.max() <= 200
    assert 1.2 < np.abs(u).max() <= 2
    cut = np.abs(u[:, :128]).max(1) < 1e-3  # windows begin at 0.1
    assert 0.4 < cut.mean() < 0.6
    # ranges and backgrounds are of uniform logarithms
    np.testing.assert_allclose(np.log(rho.min(1)).mean(), np.log(10) / 2, atol=0.2)
    np.testing.assert_allclose(np.log(np.ptp(p, axis=1)).mean(), 1.5 * np.log(10), atol=0.2)


def test_tubes_have_three_jumps():
    states = drawn(random_gases.pdebench_tube, 100, LINE)
    x = LINE.coordinates()[0]
    for row, (low, high) in zip(states.swapaxes(0, 1), [(1, 10), (np.exp(-0.5), np.exp(0.5)), (10, 100)], strict=True):
        assert low <= row.min() < low * 1.1 and high / 1.1 < row.max() <= high
        assert all(len(np.unique(one)) == 2 for one in row)
        jumps = [x[:-1][np.diff(one) != 0][0] for one in row]
        assert -0.51 < min(jumps) < -0.4 and 0.4 < max(jumps) < 0.51


@pytest.mark.parametrize("mach", [0.1, 1.0])
def test_squares_have_the_mach_number(mach):
    grid, gamma = Grid((64, 64)), 5 / 3
    whole = 0
    for state in drawn(random_gases.pdebench_square, 30, grid, mach, gamma):
        rho, u, v, p = state
        assert rho.min() > 0.009 and p.min() > 0.0009  # a tenth of the least background
        if abs(u[0]).max() > 1e-9:  # not cut off
            whole += 1
            sound = np.sqrt(gamma * p.mean() / rho.mean())
            np.testing.assert_allclose(np.hypot(u, v).mean(), mach * sound, rtol=0.03)
            np.testing.assert_allclose(abs(u.mean()), 0, atol=1e-12 * sound)
            assert 0.009 < abs(rho / rho.mean() - 1).mean() < 0.21
        else:
            assert np.ptp(rho[0]) < 1e-6 * rho.mean()
    assert 8 <= whole <= 22


def test_turbulence_has_no_divergence():
    grid = Grid.cube(2, 64, points="periodic")
    rho, u, v, p = random_gases.pdebench_turbulence(np.random.default_rng(0), grid, 0.5, 5 / 3)
    assert np.all(rho == 1)
    np.testing.assert_allclose(np.sqrt(5 / 3 * p), 2.0)
    np.testing.assert_allclose(np.hypot(u, v).mean(), 1.0)
    k = 2j * np.pi * np.fft.fftfreq(64, 1 / 64)
    spectra = np.fft.fft2(u), np.fft.fft2(v)
    assert np.abs(k[:, None] * spectra[0] + k * spectra[1]).max() < 1e-9 * np.abs(k[:, None] * spectra[0]).max()


def test_a_generator_stands_for_one_state():
    coarse, fine = (
        random_gases.pdebench_square(np.random.default_rng(3), Grid.cube(2, n, points="periodic"), 0.1, 5 / 3)
        for n in (32, 64)
    )
    np.testing.assert_allclose(fine[:, ::2, ::2], coarse, rtol=1e-12)
    coarse, fine = (random_gases.pdebench_line(np.random.default_rng(3), LINE.with_shape([n])) for n in (200, 600))
    np.testing.assert_allclose(fine[:, 1::3], coarse, rtol=1e-12)
