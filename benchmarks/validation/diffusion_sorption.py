"""Diffusion with sorption: the linear case in closed form, order in space, bounds, mass that comes in."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from scipy.special import erfc

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.pdes import DiffusionSorption
from opforge.solvers import BDF


def linear_error(points: int) -> float:
    """n = 1: erfc(x/2√(Dt/R)) as long as nothing has reached the right end."""
    equation, grid = DiffusionSorption(exponent=1.0), Grid((points,))
    found = BDF(partial(equation.tendency, grid=grid), 30.0, rtol=1e-9, atol=1e-11)(np.zeros((1, 1, points)))[0, 0]
    slower = float(equation.retardation(np.ones(1))[0])
    exact = erfc(grid.coordinates()[0] / 2 / np.sqrt(equation.diffusivity * 30.0 / slower))
    return float(np.sqrt(np.mean((found - exact) ** 2)))


def checks() -> Iterator[Check]:
    errors = [linear_error(n) for n in (64, 128)]
    yield Check("n = 1: order in space at t = 30", observed_order(errors), 1.9, 2.1, "erfc(x/2√(Dt/R))")
    yield Check("n = 1: error at 128 cells", errors[-1], 0, 1e-3, "erfc(x/2√(Dt/R))")
    equation, found = DiffusionSorption(), []
    for n in (32, 64, 256):
        run = BDF(partial(equation.tendency, grid=Grid((n,))), 200.0, rtol=1e-9, atol=1e-11)
        found.append(run(np.full((1, 1, n), 0.1))[0, 0])
    errors = [float(np.abs(u - found[2].reshape(len(u), -1).mean(1)).mean()) for u in found[:2]]
    yield Check("n = 0.874: order in space at t = 200", observed_order(errors), 1.6, 2.4, "finer grid")
    yield Check("greatest concentration", float(found[2].max()), 0.99, 1.0, "maximum principle")
    yield Check("least concentration", float(found[2].min()), 0.0, 0.2, "maximum principle")
    yield Check("greatest rise along x", float(np.diff(found[2]).max()), -1, 1e-6, "monotone")
