"""Burgers' equation: Cole and Hopf's solution, the steepest slope of a known shock, order in time, symmetry, mean."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.pdes import Burgers
from opforge.solvers import ETDRK4, BurgersFV, repeat


def cole_hopf_error(points: int, steps: int, viscosity: float = 0.01) -> float:
    grid, equation = Grid((points,), points="periodic"), Burgers(viscosity=viscosity)
    u = equation.cole_hopf(grid, [0.0, 0.5])["u"]
    found = repeat(ETDRK4(equation, grid, 0.5 / steps), steps)(u[:1, None])[0, 0]
    return float(np.linalg.norm(found - u[1]) / np.linalg.norm(u[1]))


def steepest_slope() -> float:
    """|u_x| at x = 0 and t = 1.6037/π, from −sin πx on (−1, 1) with ν = 0.01/π."""
    grid, equation = Grid((4096,), (2.0,), "periodic", (-1.0,)), Burgers(viscosity=0.01 / np.pi)
    u = -np.sin(np.pi * grid.coordinates()[0])[None, None]
    u = repeat(ETDRK4(equation, grid, 1.6037 / np.pi / 4000), 4000)(u)[0, 0]
    k = np.pi * np.arange(2049)
    # the derivative at x = 0, the middle of the grid
    spectrum = np.fft.rfft(u) * 1j * k
    return float(-np.fft.irfft(spectrum)[2048])


def volumes_error(points: int) -> float:
    """Finite volumes without viscosity, mean error at t = 0.1 of −sin 2πx, whose waves break at 1/(2π)."""
    grid, steps = Grid((points,), points="periodic"), points // 2
    x = grid.coordinates()[0]
    origin = x.copy()  # of the characteristic: x = x₀ + t u₀(x₀)
    for _ in range(200):
        origin = origin - (origin - 0.1 * np.sin(2 * np.pi * origin) - x) / (
            1 - 0.2 * np.pi * np.cos(2 * np.pi * origin)
        )
    u = -np.sin(2 * np.pi * x)[None, None]
    found = repeat(BurgersFV(Burgers(viscosity=0.0), grid, 0.1 / steps), steps)(u)[0, 0]
    return float(np.abs(found + np.sin(2 * np.pi * origin)).mean())


def shock_speed() -> float:
    """Of the shock between 1.5 and 0.5 without viscosity: their mean."""
    grid = Grid((400,), points="periodic")
    x = grid.coordinates()[0]
    u = np.where((x > 0.1) & (x < 0.3), 1.5, 0.5)[None, None]
    run = repeat(BurgersFV(Burgers(viscosity=0.0), grid, 0.001), 50)
    first = run(u)
    fronts = [x[state[0, 0] > 1.0].max() for state in (first, run(first))]
    return float((fronts[1] - fronts[0]) / 0.05)


def waves(points: int) -> np.ndarray:
    x, y = (2 * np.pi * c for c in Grid.cube(2, points, points="periodic").mesh())
    return np.stack([np.sin(x + y + 1) + np.cos(y) / 2, np.sin(x) - np.cos(x - y + 0.3)])[None]


def plane_volumes_error(points: int, exact: np.ndarray) -> float:
    """Finite volumes in 2-D, ν = 0.02, mean error at t = 0.15 against a solution on a finer grid."""
    grid, steps = Grid.cube(2, points, points="periodic"), 3 * points // 2
    found = repeat(BurgersFV(Burgers(2, 0.02), grid, 0.15 / steps), steps)(waves(points))
    stride = exact.shape[-1] // points
    return float(np.abs(found - exact[..., ::stride, ::stride]).mean())


def oblique_shock_speed() -> float:
    """Of the shock between the normal velocities 1.5 and 0.5, the front across (2, 1), with a flow along it."""
    grid = Grid.cube(2, 200, points="periodic")
    x, y = grid.mesh()
    normal, front = np.array([2, 1]) / np.sqrt(5), np.array([-1, 2]) / np.sqrt(5)
    w = np.where(((2 * x + y) % 1 > 0.1) & ((2 * x + y) % 1 < 0.5), 1.5, 0.5)
    start = np.stack([normal[i] * w + front[i] * (1 - w) for i in (0, 1)])[None]
    run = repeat(BurgersFV(Burgers(2, 0.0), grid, 0.001), 50)
    first = run(start)
    fronts = []
    for state in (first, run(first)):
        across = (state[0, 0] * normal[0] + state[0, 1] * normal[1])[:120, 0]
        last = int(np.flatnonzero(across > 1).max())
        fronts.append(last + (across[last] - 1) / (across[last] - across[last + 1]))
    # along y = 0 a front moves by s √5/2
    return float((fronts[1] - fronts[0]) * grid.spacing[0] / 0.05 / (np.sqrt(5) / 2))


def checks() -> Iterator[Check]:
    yield Check("relative L2 error, ν = 0.01, 256 points, t = 0.5", cole_hopf_error(256, 500), 0, 1e-7, "Cole–Hopf")
    errors = [cole_hopf_error(128, steps, 0.05) for steps in (50, 100)]
    yield Check("order of ETDRK4 in time", observed_order(errors), 3.7, 4.3, "Cole–Hopf")
    errors = [cole_hopf_error(points, 1000) for points in (48, 96)]
    yield Check("error at 48 over error at 96 points", errors[0] / errors[1], 20, 1e6, "spectral accuracy")
    yield Check("steepest slope, ν = 0.01/π, t = 1.6037/π", steepest_slope(), 151.95, 152.06, "Basdevant et al. (1986)")
    grid = Grid.cube(2, 64, points="periodic")
    rng = np.random.default_rng(0)
    x, y = grid.mesh()
    phases = rng.uniform(0, 2 * np.pi, 4)
    u = np.stack(
        [
            np.sin(2 * np.pi * (x + y) + phases[0]) + np.cos(2 * np.pi * y + phases[1]),
            np.sin(2 * np.pi * x + phases[2]) - np.cos(2 * np.pi * (x - y) + phases[3]),
        ]
    )[None]
    equation = Burgers(2, 0.05)
    run = repeat(ETDRK4(equation, grid, 0.002), 50)
    turned = run(u.swapaxes(-1, -2)[:, ::-1])
    off = np.abs(turned - run(u).swapaxes(-1, -2)[:, ::-1]).max()
    yield Check("2-D: transposed before or after, t = 0.1", float(off), 0, 1e-12, "symmetry")
    line = Burgers(1, 0.05).cole_hopf(Grid((64,), points="periodic"), [0.0, 0.1])["u"]
    both = np.stack([np.repeat(line[0][:, None], 64, 1), np.zeros((64, 64))])[None]
    off = np.abs(run(both)[0, 0] - line[1][:, None]).max()
    yield Check("2-D: a wave along x alone, t = 0.1", float(off), 0, 1e-6, "Cole–Hopf")
    errors = [volumes_error(points) for points in (128, 256)]
    yield Check("finite volumes: order of the L1 error, ν = 0", observed_order(errors), 1.8, 2.4, "characteristics")
    yield Check("finite volumes: speed of a shock from 1.5 to 0.5", shock_speed(), 0.93, 1.07, "Rankine–Hugoniot: 1")
    exact = repeat(ETDRK4(Burgers(2, 0.02), Grid.cube(2, 128, points="periodic"), 0.002), 75)(waves(128))
    errors = [plane_volumes_error(points, exact) for points in (32, 64)]
    yield Check("finite volumes in 2-D: order of the L1 error, ν = 0.02", observed_order(errors), 1.7, 2.3, "ETDRK4")
    speed = oblique_shock_speed()
    yield Check("finite volumes in 2-D: speed of an oblique shock", speed, 0.97, 1.03, "mean normal velocity: 1")
