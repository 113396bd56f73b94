"""The Korteweg–de Vries equation: solitons, alone and after they have met, what is refused."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import KortewegDeVries

EQUATION, GRID = KortewegDeVries(), Grid((256,), (60.0,), "periodic")


def test_a_soliton_has_its_shape_and_goes_round():
    u = EQUATION.soliton(GRID, [0.0, 60.0 / 1.5], speed=1.5)["u"]
    x = GRID.coordinates()[0] - 15.0
    np.testing.assert_allclose(u[0], 0.75 / np.cosh(np.sqrt(1.5) * x / 2) ** 2, rtol=0, atol=1e-7)
    np.testing.assert_allclose(u[1], u[0], rtol=0, atol=1e-11)


def test_a_soliton_moves_at_its_speed():
    u = EQUATION.soliton(GRID, [0.0], speed=1.5)["u"]
    slope = np.gradient(u[0], GRID.spacing[0])
    np.testing.assert_allclose(EQUATION.tendency(u, GRID)[0], -1.5 * slope, rtol=0, atol=0.01)


def test_solitons_that_meet_keep_their_shape_and_are_shifted():
    long = Grid((1024,), (200.0,), "periodic")
    u = EQUATION.solitons(long, [-40.0, 40.0], speeds=[1.6, 0.4], starts=[0.5, 0.5])["u"]
    np.testing.assert_allclose(u.max(-1), 0.8, rtol=5e-3)
    x = long.coordinates()[0]
    # the faster one gains 2/√c₁ log((√c₁ + √c₂)/(√c₁ − √c₂)) on its way
    gained = x[u[1].argmax()] - x[u[0].argmax()] - 80 * 1.6
    shift = 2 / np.sqrt(1.6) * np.log((np.sqrt(1.6) + np.sqrt(0.4)) / (np.sqrt(1.6) - np.sqrt(0.4)))
    np.testing.assert_allclose(gained, shift, atol=0.3)


def test_what_is_refused():
    with pytest.raises(InputError, match="ndim must be 1, got 2"):
        KortewegDeVries(2)
    for speeds, starts in (([1.0, 1.0], [0.2, 0.4]), ([-1.0], [0.2]), ([1.0], [0.2, 0.4])):
        with pytest.raises(InputError, match="speeds must be positive, different and as many as starts"):
            EQUATION.solitons(GRID, [0.0], speeds, starts)
