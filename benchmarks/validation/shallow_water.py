"""Shallow water: Stoker's, Ritter's and PDEBench's dam breaks, a lake at rest, order in smooth flow, walls, mass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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


def round_dam(radius: float, time: float, cells: int = 4000, reach: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Distances from the middle and depths of a round dam 2 : 1, by the equations in r alone.

    (r h)_t + (r h u)_r = 0 and (r h u)_t + (r (h u² + h²/2))_r = h²/2, with minmod slopes, Rusanov's flux and Heun's
    method: nothing of this is shared with the solver.
    """
    dr = reach / cells
    r, edges = (np.arange(cells) + 0.5) * dr, np.arange(cells + 1) * dr
    q = np.stack([np.where(r < radius, 2.0, 1.0), np.zeros(cells)])

    def rate(q: np.ndarray) -> np.ndarray:
        wide = np.concatenate([q[:, 1::-1] * [[1], [-1]], q, q[:, -1:], q[:, -1:]], 1)
        jumps = np.diff(wide, axis=1)
        before, after = jumps[:, :-1], jumps[:, 1:]
        slopes = np.where(before * after > 0, np.sign(before) * np.minimum(abs(before), abs(after)), 0)
        left, right = (wide[:, 1:-1] + slopes / 2)[:, :-1], (wide[:, 1:-1] - slopes / 2)[:, 1:]
        fluxes = [np.stack([m, m * m / h + h * h / 2]) for h, m in (left, right)]
        speed = np.maximum(*(abs(m / h) + np.sqrt(h) for h, m in (left, right)))
        flux = (fluxes[0] + fluxes[1] - speed * (right - left)) / 2
        return -np.diff(edges * flux, axis=1) / (dr * r) + np.stack([0 * r, q[0] ** 2 / 2 / r])

    steps = int(np.ceil(time / (0.4 * dr / 2.5)))
    for _ in range(steps):
        first = q + time / steps * rate(q)
        q = (q + first + time / steps * rate(first)) / 2
    return r, q[0]


def round_dam_errors(sizes: Sequence[int], radius: float = 0.5, time: float = 0.5) -> list[float]:
    """Mean errors of the depth on PDEBench's square, within 1.4 of the middle."""
    exact, errors = round_dam(radius, time), []
    for n in sizes:
        grid = Grid((n, n), (5.0, 5.0), "cells", (-2.5, -2.5))
        fine = grid.with_shape((4 * n, 4 * n))  # a cell has the mean of the depths in it
        depths = [np.where(np.hypot(*fine.mesh()) < radius, 2.0, 1.0), np.interp(np.hypot(*fine.mesh()), *exact)]
        start, end = (h.reshape(n, 4, n, 4).mean((1, 3)) for h in depths)
        steps = int(np.ceil(time * 2.5 * 2 * n / 5.0 / 0.4))
        state = np.stack([start, 0 * start, 0 * start])[None]
        found = repeat(FiniteVolumes(ShallowWater(2), grid, time / steps), steps)(state)[0, 0]
        near = np.hypot(*grid.mesh()) < 1.4
        errors.append(float(np.abs(found - end)[near].mean()))
    return errors


def dry_bed_error(points: int) -> tuple[float, float]:
    """Mean error of the depth of a dam over a dry bed at t = 0.15, and the least depth."""
    grid, equation = Grid((points,)), ShallowWater(1)
    exact = equation.dam_break(grid, [1e-12, 0.15], 1.0, 0.0)
    found = repeat(FiniteVolumes(equation, grid, 0.15 / points), points)(state_of(exact, 0))[0]
    return float(np.abs(found[0] - exact["h"][1]).mean()), float(found[0].min())


def against_a_wall(points: int = 200, time: float = 0.25) -> tuple[float, float]:
    """Depth behind a bore that a stream h, u = 1, 1 sends back from a wall, and the bore's speed."""
    grid, steps = Grid((points,)), 3 * points
    run = repeat(FiniteVolumes(ShallowWater(1, boundary="walls"), grid, time / steps), steps)
    h, x = run(np.ones((1, 2, points)))[0, 0], grid.coordinates()[0]
    last = int(np.flatnonzero((h < 1.585) & (x > 0.6)).max())
    front = x[last] + (1.585 - h[last]) / (h[last + 1] - h[last]) * grid.spacing[0]
    return float(h[(x > 0.85) & (x < 0.97)].mean()), float((1 - front) / time)


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
    errors = [dry_bed_error(n)[0] for n in (100, 200)]
    yield Check("dam over a dry bed, order of the L1 error", observed_order(errors), 0.8, 1.4, "Ritter's solution")
    yield Check("dam over a dry bed, least depth", dry_bed_error(100)[1], 0, 1e-12, "positivity")
    errors = round_dam_errors((32, 64))
    yield Check("PDEBench's dam, order of the L1 error", observed_order(errors), 0.8, 1.4, "radial equations")
    yield Check("PDEBench's dam, L1 error on 64 x 64, t = 0.5", errors[1], 0, 0.02, "radial equations")
    behind, speed = against_a_wall()
    yield Check("depth behind a bore from a wall", behind, 2.165, 2.175, "jump conditions: 2.17009")
    yield Check("speed of a bore from a wall", speed, 0.84, 0.87, "jump conditions: 0.85464")
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
