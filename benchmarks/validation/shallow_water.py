"""Shallow water: Stoker's dam break, a lake at rest, order in smooth flow, mass, symmetry."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.pdes import ShallowWater
from opforge.pdes.shallow_water import stoker
from opforge.solvers import FiniteVolumes, repeat


def state_of(fields: dict[str, np.ndarray], frame: int) -> np.ndarray:
    return np.stack([fields[name][frame] for name in ("h", "u")])[None]


def broken(points: int) -> tuple[np.ndarray, np.ndarray, Grid]:
    """Depth and velocity of the dam 2 : 1 at t = 0.25, found and exact."""
    grid, equation = Grid((points,)), ShallowWater(1)
    exact = state_of(equation.dam_break(grid, [1e-12, 0.25]), 1)
    start = state_of(equation.dam_break(grid, [1e-12, 0.25]), 0)
    steps = 2 * points
    return repeat(FiniteVolumes(equation, grid, 0.25 / steps), steps)(start)[0], exact[0], grid


def smooth_error(points: int) -> float:
    """L1 error of a simple wave against a much finer grid, before it breaks."""
    found = []
    for n in (points, 8 * points):
        grid = Grid((n,))
        h = 1 + 0.05 * np.sin(2 * np.pi * grid.coordinates()[0])
        u = 2 * (np.sqrt(h) - 1)  # a wave that runs to the right alone
        equation = ShallowWater(1, boundary="periodic")
        steps = 2 * n
        found.append(repeat(FiniteVolumes(equation, grid, 0.4 / steps), steps)(np.stack([h, u])[None])[0, 0])
    return float(np.abs(found[0] - found[1].reshape(points, 8).mean(1)).mean())


def checks() -> Iterator[Check]:
    depth, speed, shock = stoker(2.0, 1.0, 1.0)
    found, _, grid = broken(400)
    middle = np.abs(grid.coordinates()[0] - 0.7) < 0.03
    yield Check(
        "dam 2:1, depth between the waves", float(found[0, middle].mean()), 1.4525, 1.4552, f"Stoker: {depth:.5f}"
    )
    yield Check(
        "dam 2:1, velocity between the waves", float(found[1, middle].mean()), 0.4159, 0.4180, f"Stoker: {speed:.5f}"
    )
    front = grid.coordinates()[0][found[0] > (1 + depth) / 2].max() + grid.spacing[0] / 2
    yield Check("dam 2:1, speed of the shock", float((front - 0.5) / 0.25), 1.32, 1.35, f"Stoker: {shock:.5f}")
    errors = [float(np.abs(a[0] - b[0]).mean()) for a, b, _ in (broken(n) for n in (100, 200, 400))]
    yield Check("dam 2:1, order of the L1 error", observed_order(errors), 0.8, 1.3, "Stoker's solution")
    yield Check(
        "smooth wave, order of the L1 error",
        observed_order([smooth_error(n) for n in (32, 64)]),
        1.7,
        2.5,
        "finer grid",
    )
    box = Grid((24, 20))
    rng, (x, y) = np.random.default_rng(0), box.mesh()
    b = 0.4 * np.sin(7 * x) * np.cos(5 * y) + 0.05 * rng.standard_normal(x.shape)
    equation = ShallowWater(2, boundary="walls")
    lake = np.stack([1.5 - b, 0 * b, 0 * b])[None]
    rest = repeat(FiniteVolumes(equation, box, 0.005, b[None]), 200)(lake)
    yield Check(
        "lake at rest over a rough bottom, change until t = 1",
        float(np.abs(rest - lake).max()),
        0,
        1e-12,
        "well balanced",
    )
    stirred = lake.copy()
    stirred[0, 0] += 0.2 * np.exp(-20 * ((x - 0.4) ** 2 + (y - 0.6) ** 2))
    later = repeat(FiniteVolumes(equation, box, 0.005, b[None]), 200)(stirred)
    yield Check(
        "walls: change of the mass until t = 1",
        float(abs(later[0, 0].mean() - stirred[0, 0].mean())),
        0,
        1e-13,
        "conservation",
    )
    square = Grid((20, 20))
    h = 1 + 0.3 * rng.random((20, 20))
    start = np.stack([h, 0.1 * rng.standard_normal((20, 20)), 0.1 * rng.standard_normal((20, 20))])[None]
    run = repeat(FiniteVolumes(equation, square, 0.005), 20)
    turned = run(start.swapaxes(-1, -2)[:, [0, 2, 1]])
    off = np.abs(turned - run(start).swapaxes(-1, -2)[:, [0, 2, 1]]).max()
    yield Check("transposed before or after, t = 0.1", float(off), 0, 1e-12, "symmetry")
