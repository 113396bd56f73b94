"""The Korteweg–de Vries equation: one soliton and two, order in time, conserved quantities."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.pdes import KortewegDeVries
from opforge.solvers import ETDRK4, repeat

EQUATION = KortewegDeVries()
GRID = Grid((384,), (60.0,), "periodic")


def soliton_error(steps: int) -> float:
    u = EQUATION.soliton(GRID, [0.0, 10.0], speed=2.0)["u"]
    found = repeat(ETDRK4(EQUATION, GRID, 10.0 / steps), steps)(u[:1, None])[0, 0]
    return float(np.linalg.norm(found - u[1]) / np.linalg.norm(u[1]))


def checks() -> Iterator[Check]:
    errors = [soliton_error(steps) for steps in (4000, 8000)]
    yield Check("order of ETDRK4 in time, one soliton", observed_order(errors), 3.7, 4.3, "closed form")
    yield Check("one soliton, relative L2 error at t = 10, 4000 steps", soliton_error(4000), 0, 1e-6, "closed form")
    grid = Grid((512,), (120.0,), "periodic")
    u = EQUATION.solitons(grid, [0.0, 30.0], speeds=[1.5, 0.5], starts=[0.25, 0.4])["u"]
    found = repeat(ETDRK4(EQUATION, grid, 30.0 / 6000), 6000)(u[:1, None])[0, 0]
    error = np.linalg.norm(found - u[1]) / np.linalg.norm(u[1])
    yield Check("two solitons that pass, relative L2 error at t = 30", float(error), 0, 1e-5, "Hirota (1971)")
    moved = abs(u[1] - np.roll(u[0], 1)).max()
    yield Check("greatest difference of the two solitons' states", float(moved), 0.3, 1.0, "they have moved")
    mass = abs(found.mean() - u[0].mean()) / u[0].mean()
    yield Check("change of the mass", float(mass), 0, 1e-12, "conservation")
    square = abs((found**2).mean() / (u[0] ** 2).mean() - 1)
    yield Check("change of ∫u²", float(square), 0, 1e-6, "conservation")
