"""Poisson: discrete eigenpairs, order, obstacles and coefficients against each other, compatibility, symmetry."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.pdes import Poisson
from opforge.solvers import fast_poisson, solve_poisson


def checks() -> Iterator[Check]:
    for boundary in ("dirichlet", "neumann", "periodic"):
        for shape in ((24, 15), (9, 8, 10)):
            equation, grid = Poisson(len(shape), boundary), Grid(shape, (1.0, 2.0, 0.5)[: len(shape)])
            fields = equation.exact(grid)
            off = np.abs(fast_poisson(fields["f"], grid, boundary) - fields["u"]).max()
            yield Check(f"{boundary}, {len(shape)}-D: discrete eigenpair", float(off), 0, 1e-12, "closed form")
    errors = []
    for n in (32, 64):
        grid = Grid((n, n))
        x, y = grid.mesh()
        u = x * (1 - x) * np.exp(x) * np.sin(np.pi * y)
        f = -(np.exp(x) * (-x * x - 3 * x) - np.pi**2 * x * (1 - x) * np.exp(x)) * np.sin(np.pi * y)
        errors.append(float(np.sqrt(np.mean((fast_poisson(f, grid) - u) ** 2))))
    yield Check("Dirichlet: order in space", observed_order(errors), 1.9, 2.1, "manufactured solution")
    rng, grid = np.random.default_rng(0), Grid((40, 36))
    f = rng.standard_normal(grid.shape)
    f -= f.mean()
    for boundary in ("dirichlet", "neumann", "periodic"):
        equation = Poisson(2, boundary)
        fast, _ = solve_poisson(equation, {"f": f}, grid)
        slow, _ = solve_poisson(equation, {"f": f, "a": np.ones(grid.shape)}, grid, rtol=1e-12)
        off = np.abs(fast - slow).max() / np.abs(fast).max()
        yield Check(f"{boundary}: transforms against multigrid", float(off), 0, 1e-9, "two solvers")
    # a channel of three cells between two walls of obstacles is an interval
    solid = np.ones((30, 9))
    solid[:, 3:6] = 0
    u, _ = solve_poisson(Poisson(2), {"f": np.where(solid > 0, 0.0, 1.0), "solid": solid}, Grid((30, 9)), rtol=1e-12)
    x = Grid((30,)).coordinates()[0]
    line = x * (1 - x) / 2 + 1 / 30**2 / 8  # the discrete solution, see Darcy's layers
    yield Check(
        "channel between obstacles, greatest error", float(np.abs(u[:, 4] - line).max()), 0, 1e-9, "closed form"
    )
