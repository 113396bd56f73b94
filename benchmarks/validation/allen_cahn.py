"""The Allen–Cahn equation: the front between phases, a shrinking disc, order in time, falling energy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.pdes import AllenCahn
from opforge.solvers import ETDRK4, repeat, rollout


def front_error() -> float:
    """Two fronts tanh(x/(√2 ε)), far from each other, stay where they are."""
    grid, width = Grid((256,), points="periodic"), 0.02
    x = grid.coordinates()[0]
    u = np.tanh((0.25 - np.abs(x - 0.5)) / (np.sqrt(2) * width))
    found = repeat(ETDRK4(AllenCahn(1, width), grid, 0.05), 100)(u[None, None])[0, 0]
    return float(np.abs(found - u).max())


def shrinking_rate() -> float:
    """d(R²)/dt of a disc, over −2ε²."""
    width, side = 0.01, 128
    grid = Grid((side, side), points="periodic")
    x, y = grid.mesh()
    u = np.tanh((0.3 - np.hypot(x - 0.5, y - 0.5)) / (np.sqrt(2) * width))
    frames = rollout(ETDRK4(AllenCahn(2, width), grid, 0.1), u[None, None], frames=3, steps=500, start=True)
    area = ((frames[:, 0, 0] + 1) / 2).mean((1, 2))
    return float((area[-1] - area[1]) / np.pi / 100.0 / (-2 * width**2))


def checks() -> Iterator[Check]:
    yield Check("front tanh(x/√2ε), greatest change until t = 5", front_error(), 0, 1e-5, "stationary solution")
    yield Check("disc: d(R²)/dt over −2ε²", shrinking_rate(), 0.97, 1.03, "motion by curvature")
    grid, equation = Grid((64, 64), points="periodic"), AllenCahn(2, 0.04)
    x, y = grid.mesh()
    u = 0.3 * (np.cos(2 * np.pi * (x + 2 * y)) + np.sin(4 * np.pi * x))[None, None]
    fine = repeat(ETDRK4(equation, grid, 1 / 256), 1024)(u)
    errors = [float(np.abs(repeat(ETDRK4(equation, grid, 4.0 / n), n)(u) - fine).max()) for n in (16, 32)]
    yield Check("order of ETDRK4 in time", observed_order(errors), 3.6, 4.4, "self-convergence")
    frames = rollout(ETDRK4(equation, grid, 0.1), u, frames=40, steps=2, start=True)[:, 0, 0]
    energy = equation.energy({"u": frames}, grid)
    yield Check(
        "greatest rise of the energy from frame to frame", float(np.diff(energy).max()), -1, 1e-12, "steepest descent"
    )
    flat = repeat(ETDRK4(equation, grid, 0.01), 100)(np.full((1, 1, 64, 64), 0.5)).max()
    error = abs(flat - 1 / np.sqrt(1 + 3 * np.exp(-2)))
    yield Check("uniform state from ½, error at t = 1", float(error), 0, 1e-9, "closed form")
