"""The equation of Fisher and KPP: a travelling front in closed form, the uniform solution, order in time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.pdes import Fisher
from opforge.solvers import ETDRK4, repeat


def front_error(steps: int) -> float:
    equation, grid = Fisher(1, diffusivity=1e-4), Grid((512,), (2.0,), "periodic")
    u = equation.front(grid, [0.0, 4.0])["u"]
    found = repeat(ETDRK4(equation, grid, 4.0 / steps), steps)(u[:1, None])[0, 0]
    return float(np.abs(found - u[1]).max())


def checks() -> Iterator[Check]:
    yield Check("front, greatest error at t = 4", front_error(400), 0, 1e-6, "Ablowitz and Zeppetella (1979)")
    equation, grid = Fisher(2, 1e-3), Grid((32, 32), points="periodic")
    x, y = grid.mesh()
    u = (0.4 + 0.2 * np.cos(2 * np.pi * x) * np.sin(2 * np.pi * y))[None, None]
    fine = repeat(ETDRK4(equation, grid, 1 / 128), 256)(u)
    errors = [float(np.abs(repeat(ETDRK4(equation, grid, 2.0 / n), n)(u) - fine).max()) for n in (4, 8)]
    yield Check("order of ETDRK4 in time", observed_order(errors), 3.6, 4.5, "self-convergence")
    flat = repeat(ETDRK4(equation, grid, 0.02), 50)(np.full((1, 1, 32, 32), 0.5)).max()
    yield Check("uniform state from ½, error at t = 1", float(abs(flat - 1 / (1 + np.exp(-1)))), 0, 1e-8, "closed form")
    speed = front_speed()
    yield Check("speed of a front from a step over 2√(rD), t = 10 to 20", speed, 0.93, 1.0, "Kolmogorov et al. (1937)")


def front_speed() -> float:
    equation, grid = Fisher(1, diffusivity=1e-4), Grid((1024,), (4.0,), "periodic")
    x = grid.coordinates()[0]
    u = np.exp(-(((x - 2.0) / 0.02) ** 2))[None, None]
    run = repeat(ETDRK4(equation, grid, 0.05), 200)
    middle = run(u)
    late = run(middle)
    # what is settled grows at both ends
    return float((late.sum() - middle.sum()) * 4.0 / 1024 / 20 / (2 * np.sqrt(1e-4)))
