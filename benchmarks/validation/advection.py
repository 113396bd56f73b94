"""Advection: the exact shift, its group, what is kept."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from opforge.benchmarks.validation.checks import Check
from opforge.core import Grid
from opforge.pdes import Advection
from opforge.solvers import advect


def checks() -> Iterator[Check]:
    for ndim, shape in ((1, (33,)), (2, (24, 31)), (3, (8, 9, 10))):
        grid = Grid(shape, (1.0, 2.0, 0.5)[:ndim], "periodic")
        velocity = (0.7, -1.3, 0.4)[:ndim]
        exact = Advection(ndim, velocity).exact(grid, [0.0, 3.7])["u"]
        found = advect(exact[0], velocity, [3.7], grid)[0]
        yield Check(
            f"{ndim}-D: waves at t = 3.7, greatest error",
            float(np.abs(found - exact[1]).max()),
            0,
            1e-12,
            "closed form",
        )
    grid = Grid((65,), points="periodic")
    u = np.random.default_rng(0).standard_normal(65)
    whole = advect(u, 1.0, [1.0], grid)[0]
    yield Check("noise, once around", float(np.abs(whole - u).max()), 0, 1e-13, "a shift by the period")
    twice = advect(advect(u, 0.37, [1.0], grid)[0], 0.37, [1.5], grid)[0]
    once = advect(u, 0.37, [2.5], grid)[0]
    yield Check("noise, two shifts against one", float(np.abs(twice - once).max()), 0, 1e-12, "group")
    yield Check(
        "noise, change of the mean square", float(abs((once**2).mean() / (u**2).mean() - 1)), 0, 1e-13, "conservation"
    )
    cells = advect(u, 1.0, [5 / 65], grid)[0]
    yield Check("noise, a shift by five points", float(np.abs(cells - np.roll(u, 5)).max()), 0, 1e-12, "closed form")
