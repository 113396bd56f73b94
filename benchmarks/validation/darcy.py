"""Darcy: order of the finite volumes, exact fluxes through layers, the solver's residual, the maximum principle."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.datasets import DarcyRecipe
from opforge.pdes import Darcy
from opforge.solvers import solve_elliptic


def manufactured_error(ndim: int, points: int) -> float:
    equation, grid = Darcy(ndim), Grid.cube(ndim, points)
    fields = equation.exact(grid)
    found = solve_elliptic(equation, fields, grid, rtol=1e-10).x
    return float(np.sqrt(np.mean((found - fields["u"]) ** 2)))


def checks() -> Iterator[Check]:
    for ndim, sizes in ((1, (32, 64)), (2, (32, 64)), (3, (12, 24))):
        errors = [manufactured_error(ndim, n) for n in sizes]
        yield Check(f"{ndim}-D: order in space", observed_order(errors), 1.9, 2.1, "manufactured solution")
    grid, equation = Grid((40,)), Darcy(1)
    fields = equation.layered(grid, [12.0, 3.0, 7.0], [0.25, 0.6])
    found = solve_elliptic(equation, fields, grid, rtol=1e-12).x
    shift = 1.0 / 40**2 / 8  # f h²/(8a) in every layer
    off = np.abs(found - fields["u"] - shift / fields["a"]).max() / fields["u"].max()
    yield Check("layers: error beside f h²/8a, relative", float(off), 0, 1e-10, "closed form")
    recipe = DarcyRecipe()
    samples = [recipe.sample(np.random.default_rng(i), recipe.grid(48)) for i in range(4)]
    worst = max(sample.residual for sample in samples)
    yield Check("random media: greatest relative residual", float(worst), 0, recipe.tolerance, "recomputed")
    least = min(float(sample.fields["u"].min()) for sample in samples)
    yield Check("random media: least pressure", least, 0, 1, "maximum principle")
