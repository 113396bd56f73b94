"""Incompressible flow: the lid-driven cavity, Taylor and Green's vortices, divergence, energy, smoke, obstacles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.datasets import IncompressibleFlowRecipe
from opforge.pdes import IncompressibleFlow
from opforge.solvers import ProjectionStepper, repeat


def cavity(points: int) -> tuple[float, float, float]:
    """Re = 100: the least u on the vertical, the greatest and the least v on the horizontal line through the middle."""
    equation, grid = IncompressibleFlow(viscosity=0.01, lid=1.0), Grid((points, points))
    dt = 0.6 / ((1.0 + 8 * 0.01 * points) * points)
    run = repeat(ProjectionStepper(equation, grid, dt), int(20.0 / dt))
    u, v = run(np.zeros((1, 2, points, points)))[0]
    middle = points // 2
    column = u[middle - 1]  # faces at x = ½
    row = v[:, middle - 1]

    def extreme(values: np.ndarray, sign: float) -> float:
        i = int((sign * values).argmax())
        a, b, c = values[i - 1], values[i], values[i + 1]  # the top of a parabola through three points
        return float(b - (c - a) ** 2 / 8 / (a - 2 * b + c))

    return extreme(column, -1.0), extreme(row, 1.0), extreme(row, -1.0)


def vortices_error(points: int, boundary: str) -> float:
    equation, grid = IncompressibleFlow(viscosity=0.02, boundary=boundary), Grid((points, points))  # type: ignore[arg-type]
    fields = equation.exact(grid, [0.0, 0.5])
    start, end = (np.stack([fields["u"][i], fields["v"][i]])[None] for i in (0, 1))
    steps = 6 * points
    found = repeat(ProjectionStepper(equation, grid, 0.5 / steps), steps)(start)
    return float(np.sqrt(np.mean((found - end) ** 2)))


def checks() -> Iterator[Check]:
    coarse, fine = cavity(32), cavity(64)
    names = (
        "least u on the middle vertical",
        "greatest v on the middle horizontal",
        "least v on the middle horizontal",
    )
    bounds, ghia = ((-0.2145, -0.2136), (0.1791, 0.1801), (-0.2543, -0.2533)), ("−0.2109", "0.1753", "−0.2453")
    for name, a, b, (low, high), source in zip(names, coarse, fine, bounds, ghia, strict=True):
        value = (4 * b - a) / 3
        yield Check(f"cavity, Re = 100: {name}", value, low, high, f"Ghia et al. (1982): {source}; see the page")
    for boundary in ("periodic", "free slip"):
        errors = [vortices_error(n, boundary) for n in (24, 48)]
        yield Check(f"Taylor–Green, {boundary}: order in space", observed_order(errors), 1.9, 2.1, "exp(−2νk²t)")
    recipe = IncompressibleFlowRecipe(scene="vortices", viscosity=0.0)
    grid = Grid((32, 32))
    start = recipe.initial_states([np.random.default_rng(0)], grid)
    equation = IncompressibleFlow(viscosity=0.0, boundary="free slip")
    energies = []
    for steps in (50, 100):
        end = repeat(ProjectionStepper(equation, grid, 0.5 / steps), steps)(start)
        energies.append(abs(float((end**2).sum() / (start**2).sum()) - 1))
    yield Check(
        "no viscosity: order at which energy is kept",
        observed_order(energies),
        2.7,
        4.3,
        "central differences conserve it",
    )
    off = np.abs(equation.divergence({"u": end[:, 0], "v": end[:, 1]}, grid)).max() / 32
    yield Check("greatest |∇·u| h", float(off), 0, 1e-13, "projection by cosine transforms")
    plume = IncompressibleFlowRecipe(obstacles=2, frames=2, end_time=0.5)
    made = plume.samples([np.random.default_rng(1)], plume.grid(32))
    s = made.fields["s"][0]
    yield Check(
        "smoke past obstacles: change of its mass", float(abs(s[1].mean() / s[0].mean() - 1)), 0, 1e-12, "conservation"
    )
    yield Check("smoke past obstacles: least density", float(s.min()), -1e-12, 1, "limited slopes")
    channel = IncompressibleFlow(viscosity=0.1, boundary="channel", force=0.8)
    grid = Grid((4, 32))
    flow = repeat(ProjectionStepper(channel, grid, 0.001), 8000)(np.zeros((1, 2, 4, 32)))[0, 0]
    y = grid.coordinates()[1]
    exact = 0.8 / 0.2 * (y * (1 - y) + (1 / 32) ** 2 / 4)
    yield Check(
        "channel: Poiseuille's profile, relative error",
        float(np.abs(flow - exact).max() / exact.max()),
        0,
        1e-3,
        "closed form",
    )
