"""The heat equation: decay in closed form, order of Crank and Nicolson's steps and of finite volumes, heat kept."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.pdes import Heat
from opforge.solvers import CrankNicolson, ExactDiffusion, repeat


def manufactured_error(points: int, steps: int) -> float:
    """u = (1 + t/2)(x²(1 − x)² + cos πx) with a = 1 + x/2 and nothing through the ends, at t = 1."""
    grid = Grid((points,))
    x = grid.coordinates()[0]
    a, shape = 1 + x / 2, x**2 * (1 - x) ** 2 + np.cos(np.pi * x)
    slope = 2 * x * (1 - x) * (1 - 2 * x) - np.pi * np.sin(np.pi * x)
    curve = 2 - 12 * x + 12 * x**2 - np.pi**2 * np.cos(np.pi * x)
    flow = a * curve + slope / 2  # (a u')'
    u, dt = shape.copy(), 1.0 / steps
    for i in range(steps):
        middle = 1 + (i + 0.5) * dt / 2
        u = CrankNicolson(grid, a, dt, source=shape / 2 - middle * flow)(u[None, None])[0, 0]
    return float(np.sqrt(np.mean((u - 1.5 * shape) ** 2)))


def checks() -> Iterator[Check]:
    for boundary in ("neumann", "dirichlet", "periodic"):
        equation, grid = Heat(2, 0.05, boundary), Grid((24, 20), (1.0, 2.0))
        u = equation.exact(grid, [0.0, 0.7])["u"]
        found = ExactDiffusion(grid, 0.05, 0.7, boundary)(u[:1, None])[0, 0]
        yield Check(
            f"{boundary}, eigenfunction, error at t = 0.7", float(np.abs(found - u[1]).max()), 0, 1e-13, "closed form"
        )
    errors = [manufactured_error(n, 400) for n in (20, 40)]
    yield Check(
        "variable a: order of finite volumes in space", observed_order(errors), 1.9, 2.1, "manufactured solution"
    )
    grid = Grid((64,))
    a = np.exp(np.sin(2 * np.pi * grid.coordinates()[0]))
    start = np.cos(np.pi * grid.coordinates()[0])[None, None]
    fine = repeat(CrankNicolson(grid, a, 0.1 / 640), 640)(start)
    errors = [float(np.abs(repeat(CrankNicolson(grid, a, 0.1 / n), n)(start) - fine).max()) for n in (20, 40)]
    yield Check("variable a: order of Crank–Nicolson in time", observed_order(errors), 1.9, 2.1, "self-convergence")
    kept = repeat(CrankNicolson(grid, a, 0.01), 100)(start + 1.0).mean()
    yield Check("variable a: change of the heat until t = 1", float(abs(kept - 1)), 0, 1e-12, "conservation")
    constant = repeat(CrankNicolson(grid, np.full(64, 0.1), 1e-3), 100)(start)
    exact = ExactDiffusion(grid, 0.1, 0.1)(start)
    yield Check(
        "both solvers, constant a, difference at t = 0.1",
        float(np.abs(constant - exact).max()),
        1e-7,
        1e-4,
        "same equation",
    )
