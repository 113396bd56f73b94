"""FitzHugh–Nagumo: uniform states against an ODE solver, order of the splitting, decay of small waves, symmetry."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.integrate import solve_ivp

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.datasets import FitzHughNagumoRecipe
from opforge.pdes import FitzHughNagumo
from opforge.solvers import repeat

GRID = Grid((32, 24), (2.0, 1.5))


def checks() -> Iterator[Check]:
    recipe, equation = FitzHughNagumoRecipe(), FitzHughNagumo()
    uniform = np.array([0.7, -0.2])
    found = repeat(recipe.stepper(GRID, 0.01), 500)(np.ones((1, 2, 32, 24)) * uniform.reshape(2, 1, 1))[0, :, 0, 0]

    def rate(t: float, y: np.ndarray) -> list[float]:
        u, v = y
        return [u - u**3 - 5e-3 - v, u - v]

    exact = solve_ivp(rate, (0, 5), uniform, rtol=1e-11, atol=1e-12).y[:, -1]
    yield Check(
        "uniform state, error at t = 5", float(np.abs(found - exact).max()), 0, 1e-8, "scipy's Runge–Kutta 5(4)"
    )
    x, y = GRID.mesh()
    start = np.stack([np.cos(np.pi * x) * np.cos(2 * np.pi * y / 1.5), 0.5 * np.cos(np.pi * y / 1.5)])[None]
    fine = repeat(recipe.stepper(GRID, 1 / 320), 640)(start)
    errors = [float(np.abs(repeat(recipe.stepper(GRID, 2.0 / n), n)(start) - fine).max()) for n in (20, 40)]
    yield Check("order of the splitting in time", observed_order(errors), 1.9, 2.1, "self-convergence")
    # the discrete tendency, for small steps, on finer and finer grids
    off = []
    for n in (24, 48):
        grid = Grid((n, n), (2.0, 2.0))
        x, y = grid.mesh()
        state = np.stack([np.cos(np.pi * x / 2), np.cos(np.pi * y)])[None]
        change = (recipe.stepper(grid, 1e-6)(state) - state) / 1e-6
        off.append(float(np.abs(change - equation.tendency(state, grid)).max()))
    yield Check("finite volumes against cosines: order in space", observed_order(off), 1.8, 2.2, "two discretisations")
    turned = repeat(recipe.stepper(GRID, 0.02), 50)(start[..., ::-1, :])
    same = repeat(recipe.stepper(GRID, 0.02), 50)(start)[..., ::-1, :]
    yield Check("mirrored before or after, t = 1", float(np.abs(turned - same).max()), 0, 1e-12, "symmetry")
