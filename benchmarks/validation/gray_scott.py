"""The Gray–Scott equations: uniform states against an ODE solver, order in time, small waves, the error of the grid."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.integrate import solve_ivp

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid, resample
from opforge.datasets import GrayScottRecipe
from opforge.pdes import GrayScott
from opforge.solvers import ETDRK4, repeat

EQUATION = GrayScott()
GRID = Grid((48, 48), (1.25, 1.25), "periodic")


def checks() -> Iterator[Check]:
    uniform = np.array([0.5, 0.3])
    found = repeat(ETDRK4(EQUATION, GRID, 0.25), 200)(np.ones((1, 2, 48, 48)) * uniform.reshape(2, 1, 1))[0, :, 0, 0]

    def rate(t: float, y: np.ndarray) -> list[float]:
        u, v = y
        feed, kill = EQUATION.feed, EQUATION.kill
        return [-u * v * v + feed * (1 - u), u * v * v - (feed + kill) * v]

    exact = solve_ivp(rate, (0, 50), uniform, rtol=1e-11, atol=1e-12).y[:, -1]
    yield Check(
        "uniform state, error at t = 50", float(np.abs(found - exact).max()), 0, 1e-7, "scipy's Runge–Kutta 5(4)"
    )
    x, y = GRID.mesh()
    bump = np.exp(3 * (np.cos(2 * np.pi * x / 1.25) + np.cos(2 * np.pi * y / 1.25) - 2))
    start = np.stack([1 - 0.5 * bump, 0.5 * bump])[None]
    fine = repeat(ETDRK4(EQUATION, GRID, 0.25), 160)(start)
    errors = [float(np.abs(repeat(ETDRK4(EQUATION, GRID, 40.0 / n), n)(start) - fine).max()) for n in (10, 20)]
    yield Check("order of ETDRK4 in time", observed_order(errors), 3.5, 4.5, "self-convergence")
    k = 2 * np.pi * 4 / 1.25
    wave = np.stack([1 + 1e-8 * np.cos(k * x), 1e-8 * np.sin(k * x)])[None]
    after = repeat(ETDRK4(EQUATION, GRID, 1.0), 10)(wave)[0]
    decay = [
        np.exp(-10 * (1e-5 * factor * k**2 + loss))
        for factor, loss in ((2, EQUATION.feed), (1, EQUATION.feed + EQUATION.kill))
    ]
    expected = np.stack([1 + 1e-8 * decay[0] * np.cos(k * x), 1e-8 * decay[1] * np.sin(k * x)])
    yield Check(
        "small waves, error at t = 10 over their size",
        float(np.abs(after - expected).max() / 1e-8),
        0,
        1e-6,
        "closed form",
    )
    mirrored = repeat(ETDRK4(EQUATION, GRID, 1.0), 10)(np.roll(start, 7, -2))
    off = np.abs(mirrored - np.roll(repeat(ETDRK4(EQUATION, GRID, 1.0), 10)(start), 7, -2)).max()
    yield Check("shift before or after, t = 10", float(off), 0, 1e-12, "symmetry")
    yield error_of_the_grid()


def error_of_the_grid() -> Check:
    """Of two drops that become spots, on the coarsest grid that the recipe takes."""
    recipe = GrayScottRecipe(side=0.5, drops=2, frames=2, end_time=500.0)
    coarse, fine = (recipe.grid(n) for n in (70, 108))
    recipe.check(coarse)
    found, exact = (recipe.sample(np.random.default_rng(0), grid).fields["v"][-1] for grid in (coarse, fine))
    off = np.linalg.norm(resample(found, fine.shape) - exact) / np.linalg.norm(exact)
    what = "spots on the coarsest grid, relative error of v at t = 500"
    return Check(what, float(off), 0.001, 0.05, "one and a half times as many points")
