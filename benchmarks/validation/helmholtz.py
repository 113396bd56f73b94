"""Helmholtz: the point source in closed form, order in space, what the layer reflects, reciprocity."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import hankel1

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.pdes import Helmholtz
from opforge.solvers import solve_helmholtz


def point_source_error(points: int) -> float:
    """Relative L2 error in the box inside the layer, from 0.15 to 0.3 of the source, k = 20."""
    k, grid = 20.0, Grid((points, points))
    f, middle = np.zeros(grid.shape), points // 2
    f[middle, middle] = -1 / np.prod(grid.spacing)
    real, imag, _ = solve_helmholtz(Helmholtz(2, k), {"f": f}, grid)
    x, y = grid.mesh()
    r = np.hypot(x - x[middle, middle], y - y[middle, middle])
    ring = (r > 0.15) & (r < 0.3)
    exact = 0.25j * hankel1(0, k * r[ring])
    found = (real + 1j * imag)[ring]
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def reflected() -> float:
    """Of a wave in one dimension: how far |u| is from constant between source and layer, half of its range."""
    grid, f = Grid((2000,)), np.zeros(2000)
    f[600] = 1.0
    real, imag, _ = solve_helmholtz(Helmholtz(1, 30.0), {"f": f}, grid)
    size = np.hypot(real, imag)[700:1650]
    return float(np.ptp(size) / size.mean() / 2)


def checks() -> Iterator[Check]:
    errors = [point_source_error(n) for n in (121, 241)]
    yield Check("point source: order in space", observed_order(errors), 1.85, 2.2, "i/4 H₀⁽¹⁾(kr)")
    yield Check("point source: relative error at 241²", errors[-1], 0, 0.01, "i/4 H₀⁽¹⁾(kr)")
    yield Check("layer: part of a wave that it reflects", reflected(), 0, 1e-3, "|u| of an outgoing wave")
    grid, rng = Grid((70, 60)), np.random.default_rng(0)
    c, equation = np.exp(0.2 * rng.standard_normal(grid.shape)), Helmholtz(2, 25.0)
    heard = []
    for (i, j), (m, n) in (((20, 25), (45, 33)), ((45, 33), (20, 25))):
        f = np.zeros(grid.shape)
        f[i, j] = 1.0
        real, imag, _ = solve_helmholtz(equation, {"f": f, "c": c}, grid)
        heard.append(real[m, n] + 1j * imag[m, n])
    yield Check("source and receiver exchanged", float(abs(heard[0] / heard[1] - 1)), 0, 1e-9, "reciprocity")
