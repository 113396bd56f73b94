"""Finite volumes where density, pressure or depth come close to 0, or are: positive, and right."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.pdes import CompressibleFlow, ShallowWater
from opforge.pdes._arrays import stack
from opforge.solvers import SSPRK3, FiniteVolumes, rollout


def run(equation, grid, start, time, courant, medium=None):
    """The states at ten times until ``time``, of one sample."""
    steps = int(np.ceil(time / 10 * equation.courant(start, grid) / courant))
    stepper = FiniteVolumes(equation, grid, time / 10 / steps, medium)
    return rollout(stepper, start, frames=10, steps=steps)[:, 0]


def torn(grid, speed, pressure=0.4):
    x = grid.coordinates()[0]
    return np.stack([np.ones_like(x), np.where(x < 0.5, -speed, speed), np.full_like(x, pressure)])[None]


def two_rarefactions(x, time):
    """Density and velocity of Einfeldt's problem 1-2-0-3: ρ, u, p = 1, -2 and 2, 0.4."""
    gamma, speed = 1.4, 2.0
    c = np.sqrt(gamma * 0.4)
    still = c - (gamma - 1) / 2 * speed  # of sound, in the middle
    xi = abs(x - 0.5) / time
    sound = np.clip((xi - speed + 5 * c) / 6, still, c)  # ξ = u + c, u − 5c = 2 − 5c₀
    return (sound / c) ** 5, np.sign(x - 0.5) * (speed - 5 * (c - sound))


@pytest.mark.parametrize("courant", [0.4, 0.95])
def test_problem_1203_against_its_exact_solution(courant):
    errors = []
    for n in (50, 100, 200):
        grid = Grid((n,))
        found = run(CompressibleFlow(1, boundary="outflow"), grid, torn(grid, 2.0), 0.15, courant)
        assert found[:, [0, 2]].min() > 0
        rho, u = two_rarefactions(grid.coordinates()[0], 0.15)
        errors.append(np.abs(found[-1, 0] - rho).mean())
        # exact: 0.02185 in the middle
        assert 0.015 < found[-1, 0].min() < 0.04
        assert np.abs(found[-1, 0] * (found[-1, 1] - u)).mean() < 3 / n
    orders = np.log2(errors[:-1]) - np.log2(errors[1:])
    print("orders", orders)
    assert np.all((orders > 0.5) & (orders < 1.3))


def test_a_vacuum_stays_positive_where_slopes_alone_do_not():
    grid, equation = Grid((32,)), CompressibleFlow(1, boundary="outflow")
    start = torn(grid, 20.0, 1.0)
    found = run(equation, grid, start, 0.05, 0.9)
    assert found[:, [0, 2]].min() > 0

    def rate(conserved):
        return stack(equation.conserved_rate(equation.primitive(conserved, 1), grid), -2)

    dt = 0.9 / equation.courant(start, grid)
    with np.errstate(invalid="ignore"):
        alone = repeat_plain(SSPRK3(rate, dt), equation.conserved(start, 1), int(0.05 / dt))
    assert not equation.physical(alone, 1).all()


def repeat_plain(stepper, inner, steps):
    for _ in range(steps):
        inner = stepper.advance(inner)
    return inner


def test_a_blast_between_walls_keeps_its_mass():
    grid, equation = Grid((20, 20)), CompressibleFlow(2, boundary="walls")
    x, y = grid.mesh()
    blast = np.where((x - 0.3) ** 2 + (y - 0.4) ** 2 < 0.02, 1e3, 1e-3)
    start = np.stack([np.ones_like(x), 5 * (x - 0.5), 5 * (y - 0.5), blast])[None]
    found = run(equation, grid, start, 0.1, 0.9)
    assert found[:, [0, 3]].min() > 0 and found[-1, 0].min() < 0.3
    before, after = (equation.conserved(state, 2).mean((-1, -2)) for state in (start[0], found[-1]))
    np.testing.assert_allclose(after[[0, 3]], before[[0, 3]], rtol=1e-12)  # of mass and energy


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
def test_a_dam_over_a_dry_bed_against_ritter(make):
    errors, equation = [], ShallowWater(1)
    for n in (50, 100, 200):
        grid = Grid((n,))
        exact = equation.dam_break(grid, [1e-12, 0.15], 1.0, 0.0)
        start, end = (np.stack([exact[name][i] for name in ("h", "u")]) for i in (0, 1))
        found = np.asarray(run(equation, grid, make(start[None]), 0.15, 0.4))
        assert found[:, 0].min() == 0
        assert 1.2 < found[-1, 1].max() < 2.0  # the front runs at 2
        np.testing.assert_allclose(found[:, 0].mean(-1), 0.5, rtol=1e-13)
        errors.append(np.abs(found[-1, 0] - end[0]).mean())
    orders = np.log2(errors[:-1]) - np.log2(errors[1:])
    print("orders", orders)
    assert np.all((orders > 0.8) & (orders < 1.4))


def test_water_runs_up_an_island_and_back():
    grid, equation = Grid((24, 20)), ShallowWater(boundary="walls")
    x, y = grid.mesh()
    island = 1.6 * np.exp(-30 * ((x - 0.6) ** 2 + (y - 0.5) ** 2))
    lake = np.maximum(1 - island, 0.0)
    assert (lake == 0).sum() > 5
    rest = np.stack([lake, 0 * x, 0 * x])[None]
    still = run(equation, grid, rest, 1.0, 0.4, island[None])
    np.testing.assert_allclose(still[-1], rest[0], rtol=0, atol=1e-13)
    wave = rest.copy()
    wave[:, 0] += np.where(x < 0.2, 0.5, 0.0)
    found = run(equation, grid, wave, 1.0, 0.4, island[None])
    assert found[:, 0].min() >= 0
    assert (found[:, 0] > 0.01).sum((1, 2)).max() > (lake > 0.01).sum() + 5  # some of the island was wet
    np.testing.assert_allclose(found[:, 0].mean((1, 2)), wave[0, 0].mean(), rtol=1e-13)


def test_strong_rarefactions_of_water():
    grid, equation = Grid((64,)), ShallowWater(1)
    x = grid.coordinates()[0]
    found = run(equation, grid, np.stack([np.ones_like(x), np.where(x < 0.5, -5.0, 5.0)])[None], 0.05, 0.9)
    assert 0 <= found[-1, 0].min() < 0.05  # u − 2c does not meet u + 2c: the bed falls dry
    assert np.abs(found[-1, 1]).max() <= 5 + 1e-10
