"""Rates of nonlinear parts with frozen coefficients: against formulas, on subsets of modes, of tensors."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.pdes import Burgers, GrayScott, NavierStokes
from opforge.pdes._frozen import FrozenRates

LINE = Grid.cube(1, 32, points="periodic")
SQUARE = Grid((24, 24), (2 * np.pi, 2 * np.pi), "periodic")


def rates_of(equation, grid):
    return FrozenRates(equation.form(grid), equation.paired(grid))


def test_convection_has_the_rates_of_the_fastest_points_both_ways():
    """−i k u of u = 0.2 + sin 2πx, whose extremes are points."""
    u = 0.2 + np.sin(2 * np.pi * LINE.coordinates()[0])
    found = rates_of(Burgers(), LINE)(u[None, None])
    assert found.shape[1:] == (1, 1, 11)
    k = 2 * np.pi * np.arange(11)
    assert np.abs(found.real).max() < 1e-9
    for speed in (1.2, -0.8):
        assert np.abs(found[:, 0, 0] + 1j * k * speed).max(1).min() < 1e-6


def test_the_worst_of_all_samples_is_found():
    states = np.array([0.1, 0.3, -7.0, 0.2]).reshape(4, 1, 1) * np.ones((4, 1, 32))
    assert np.abs(rates_of(Burgers(), LINE)(states)).max() == pytest.approx(2 * np.pi * 10 * 7, rel=1e-9)


def test_vortices_are_carried_by_the_velocity():
    """Of a shear flow u = sin y the convection is −i kx u, with u = ±1 at its fastest."""
    y = SQUARE.mesh()[1]
    rates = rates_of(NavierStokes(), SQUARE)
    found = rates(-np.cos(y)[None, None])[:, 0, 0]
    kx = np.concatenate([np.arange(8.0), -np.arange(1.0, 8.0)]).repeat(8)
    assert found.shape[1] == kx.size
    for speed in (1.0, -1.0):
        assert np.abs(found + 1j * kx * speed).max(1).min() < 1e-9


def test_a_reaction_has_its_jacobian():
    u, v = 0.7, 0.3
    state = np.stack([np.full((24, 24), u), np.full((24, 24), v)])[None]
    found = rates_of(GrayScott(), SQUARE)(state)
    expected = np.array([[-v * v, -2 * u * v], [v * v, 2 * u * v]])
    np.testing.assert_allclose(found, np.broadcast_to(expected[None, :, :, None], found.shape), rtol=1e-6)


@pytest.mark.parametrize("shape", [(6000,), (256, 256), (64, 48, 40)])
def test_of_many_modes_some_are_looked_at_the_longest_and_the_shortest_among_them(shape):
    grid, equation = Grid(shape, points="periodic"), GrayScott(ndim=len(shape))
    linear = rates_of(equation, grid).linear
    assert linear.shape[1] <= 1100
    every = equation.form(grid).linear
    assert linear.min() == every.min() and linear.max() == every.max()


def test_tensors_give_the_same_and_no_gradients():
    u = np.random.default_rng(0).standard_normal((3, 1, 24, 24))
    rates = rates_of(NavierStokes(), SQUARE)
    found = rates(torch.tensor(u, requires_grad=True))
    assert isinstance(found, np.ndarray)
    for other in (found, rates(torch.tensor(u, dtype=torch.float32))):
        assert np.abs(other).max() == pytest.approx(np.abs(rates(u)).max(), rel=1e-4)
