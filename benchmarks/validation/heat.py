"""The heat equation: decay in closed form, order of Crank and Nicolson's steps and of finite volumes, sources."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.pdes import Heat
from opforge.pdes._finite_volumes import Boundary
from opforge.solvers import CrankNicolson, ExactDiffusion, repeat


def manufactured_error(points: int, steps: int) -> float:
    """u = (1 + t/2)(x²(1 − x)² + cos πx) with a = 1 + x/2 and nothing through the ends, at t = 1."""
    grid = Grid((points,))
    x = grid.coordinates()[0]
    a, shape = 1 + x / 2, x**2 * (1 - x) ** 2 + np.cos(np.pi * x)
    slope = 2 * x * (1 - x) * (1 - 2 * x) - np.pi * np.sin(np.pi * x)
    curve = 2 - 12 * x + 12 * x**2 - np.pi**2 * np.cos(np.pi * x)
    flow = a * curve + slope / 2  # (a u')'
    step = CrankNicolson(grid, a, 1.0 / steps, source=lambda t: shape / 2 - (1 + t / 2) * flow)
    u = repeat(step, steps)(shape[None, None])[0, 0]
    return float(np.sqrt(np.mean((u - 1.5 * shape) ** 2)))


def swinging_error(points: int, boundary: Boundary) -> float:
    """u = φ(x) (1 + sin 6t) with a = 1 + 0.3 sin 2πx, at t = 1, in twice as many steps as there are points."""
    grid = Grid((points,))
    x = grid.coordinates()[0]
    k = 2 * np.pi if boundary == "periodic" else np.pi
    wave, other = (np.sin, np.cos) if boundary == "dirichlet" else (np.cos, lambda y: -np.sin(y))
    shape, a = wave(k * x), 1 + 0.3 * np.sin(2 * np.pi * x)
    flow = -(k**2) * a * shape + 0.6 * np.pi * np.cos(2 * np.pi * x) * k * other(k * x)  # (a φ')'
    step = CrankNicolson(
        grid, a, 0.5 / points, boundary, source=lambda t: 6 * np.cos(6 * t) * shape - (1 + np.sin(6 * t)) * flow
    )
    u = repeat(step, 2 * points)(shape[None, None])[0, 0]
    return float(np.sqrt(np.mean((u - (1 + np.sin(6)) * shape) ** 2)))


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
    for boundary in ("neumann", "dirichlet", "periodic"):
        errors = [swinging_error(n, boundary) for n in (32, 64)]
        what = f"{boundary}, variable a, a source that swings: order in space and time"
        yield Check(what, observed_order(errors), 1.9, 2.1, "manufactured solution")
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
