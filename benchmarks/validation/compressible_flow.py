"""Compressible flow: Sod's tube, Einfeldt's, walls, the isentropic vortex, viscous decay, conservation, symmetry."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.pdes import CompressibleFlow
from opforge.pdes._riemann import star
from opforge.solvers import FiniteVolumes, repeat, rollout


def tube(points: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sod's tube at t = 0.2: places, ρ, u, p found and exact."""
    grid, equation = Grid((points,)), CompressibleFlow(1, boundary="outflow")
    exact = equation.shock_tube(grid, [1e-12, 0.2])
    start, end = (np.stack([exact[name][i] for name in ("rho", "u", "p")])[None] for i in (0, 1))
    steps = 2 * points // 3
    return grid.coordinates()[0], repeat(FiniteVolumes(equation, grid, 0.2 / steps / 2), 2 * steps)(start)[0], end[0]


def vortex(grid: Grid, time: float) -> np.ndarray:
    """An isentropic vortex of strength 5 that a flow (1, 1) carries over a box of side 10."""
    x, y = ((c - 5 - time + 5) % 10 - 5 for c in grid.mesh())
    r2, beta, gamma = x**2 + y**2, 5.0, 1.4
    swirl = beta / (2 * np.pi) * np.exp((1 - r2) / 2)
    heat = 1 - (gamma - 1) * beta**2 / (8 * gamma * np.pi**2) * np.exp(1 - r2)
    rho = heat ** (1 / (gamma - 1))
    return np.stack([rho, 1 - swirl * y, 1 + swirl * x, rho * heat])[None]


def vortex_run(points: int) -> tuple[float, np.ndarray, np.ndarray, CompressibleFlow]:
    grid, equation, steps = Grid((points, points), (10.0, 10.0)), CompressibleFlow(2), points
    start = vortex(grid, 0.0)
    end = repeat(FiniteVolumes(equation, grid, 1.0 / steps), steps)(start)
    return float(np.abs(end[0, 0] - vortex(grid, 1.0)[0, 0]).mean()), start, end, equation


def shear_decay() -> float:
    """The rate at which v = sin 2πx/L decays, over η k²/ρ."""
    grid, eta = Grid((48, 4)), 0.01
    equation, k = CompressibleFlow(2, shear_viscosity=eta), 2 * np.pi
    x = grid.mesh()[0]
    start = np.stack([np.ones_like(x), 0 * x, 1e-3 * np.sin(k * x), np.ones_like(x)])[None]
    end = repeat(FiniteVolumes(equation, grid, 0.002), 250)(start)
    return float(-np.log(np.abs(end[0, 2]).max() / np.abs(start[0, 2]).max()) / 0.5 / (eta * k**2))


def sound_decay() -> float:
    """The rate at which a damped sound wave decays, over (4η/3 + ζ) k²/(2ρ), less what the inviscid one loses."""
    sizes = []
    for eta, zeta in ((0.0, 0.0), (0.03, 0.02)):
        grid, k, c = Grid((100,)), 2 * np.pi, np.sqrt(1.4)
        loss = (4 / 3 * eta + zeta) * k**2 / 2
        omega = np.sqrt(c**2 * k**2 - loss**2) - 1j * loss  # u ~ e^{i(kx − ωt)}, ρ = (k/ω) u, p = c² ρ
        wave = 1e-5 * np.exp(1j * k * grid.coordinates()[0])
        start = np.stack([1 + (k / omega * wave).real, wave.real, 1 + (c**2 * k / omega * wave).real])[None]
        end = repeat(FiniteVolumes(CompressibleFlow(1, eta, zeta), grid, 0.0005), 1000)(start)[0, 1]
        sizes.append(np.abs(np.mean(end * np.conj(wave))))
    return float(-np.log(sizes[1] / sizes[0]) / 0.5 / ((4 / 3 * 0.03 + 0.02) * (2 * np.pi) ** 2 / 2))


def torn_gas(points: int) -> tuple[float, float]:
    """Einfeldt's problem 1-2-0-3 at t = 0.15: mean error of ρ, and the least of ρ and p on the way."""
    grid, equation = Grid((points,)), CompressibleFlow(1, boundary="outflow")
    x, c0 = grid.coordinates()[0], np.sqrt(1.4 * 0.4)
    start = np.stack([np.ones_like(x), np.where(x < 0.5, -2.0, 2.0), np.full_like(x, 0.4)])[None]
    steps = 2 * points
    found = rollout(FiniteVolumes(equation, grid, 0.15 / steps), start, frames=steps)[:, 0]
    sound = np.clip((abs(x - 0.5) / 0.15 - 2 + 5 * c0) / 6, c0 - 0.4, c0)  # of two rarefactions, and between them
    return float(np.abs(found[-1, 0] - (sound / c0) ** 5).mean()), float(found[:, [0, 2]].min())


def against_a_wall(points: int = 200, time: float = 0.25) -> tuple[float, float]:
    """Density behind a shock that a flow ρ, u, p = 1, 1, 1/γ sends back from a wall, and the shock's speed."""
    grid, steps = Grid((points,)), 3 * points
    run = repeat(FiniteVolumes(CompressibleFlow(1, boundary="walls"), grid, time / steps), steps)
    rho = run(np.stack([np.ones(points), np.ones(points), np.full(points, 1 / 1.4)])[None])[0, 0]
    x = grid.coordinates()[0]
    last = int(np.flatnonzero((rho < 1.65) & (x > 0.6)).max())
    front = x[last] + (1.65 - rho[last]) / (rho[last + 1] - rho[last]) * grid.spacing[0]
    return float(rho[(x > 0.86) & (x < 0.96)].mean()), float((1 - front) / time)


def held_decay() -> float:
    """The rate at which v = sin πx/L between walls without slip decays, over η (π/L)²/ρ, far from the other walls."""
    grid, eta = Grid((32, 16), (1.0, 4.0)), 0.05
    x = grid.mesh()[0]
    start = np.stack([np.ones_like(x), 0 * x, 1e-4 * np.sin(np.pi * x), np.ones_like(x)])[None]
    end = repeat(FiniteVolumes(CompressibleFlow(2, eta, boundary="no-slip"), grid, 0.0025), 200)(start)
    return float(-np.log(end[0, 2, 15, 8] / start[0, 2, 15, 8]) / 0.5 / (eta * np.pi**2))


def checks() -> Iterator[Check]:
    p, u, left, right, shock = star()
    x, found, _ = tube(400)
    for what, row, place, low, high, value in (
        ("pressure between the waves", 2, 0.75, 0.3022, 0.3040, p),
        ("velocity between the waves", 1, 0.75, 0.9255, 0.9295, u),
        ("density left of the contact", 0, 0.6, 0.4245, 0.4280, left),
        ("density right of the contact", 0, 0.77, 0.2640, 0.2672, right),
    ):
        near = np.abs(x - place) < 0.02
        yield Check(f"Sod, t = 0.2: {what}", float(found[row, near].mean()), low, high, f"exact: {value:.5f}")
    front = x[found[2] > (p + 0.1) / 2].max()
    yield Check("Sod, t = 0.2: place of the shock", float(front), 0.846, 0.855, f"exact: {0.5 + 0.2 * shock:.4f}")
    errors = [float(np.abs(a[0] - b[0]).mean()) for _, a, b in (tube(n) for n in (100, 200, 400))]
    yield Check("Sod: order of the L1 error of ρ", observed_order(errors), 0.75, 1.2, "exact solution")
    errors = [torn_gas(n)[0] for n in (100, 200)]
    yield Check("problem 1-2-0-3: order of the L1 error of ρ", observed_order(errors), 0.6, 1.3, "exact solution")
    yield Check("problem 1-2-0-3: least density or pressure", torn_gas(200)[1], 1e-3, 5e-3, "exact: 0.00189")
    behind, speed = against_a_wall()
    yield Check("density behind a shock from a wall", behind, 2.295, 2.315, "jump conditions: 2.30516")
    yield Check("speed of a shock from a wall", speed, 0.755, 0.78, "jump conditions: 0.76619")
    yield Check("decay of a shear flow between walls over ηπ²/ρL²", held_decay(), 0.97, 1.03, "closed form")
    runs = [vortex_run(n) for n in (40, 80)]
    yield Check(
        "isentropic vortex: order of the L1 error", observed_order([run[0] for run in runs]), 1.7, 2.6, "exact solution"
    )
    _, start, end, equation = runs[0]
    before, after = (equation.conserved(state, 2).mean((0, 2, 3)) for state in (start, end))
    off = float(np.abs(after - before).max())
    yield Check("vortex: change of mass, momentum, energy", off, 0, 1e-12, "conservation")
    yield Check("decay of a shear wave over ηk²/ρ", shear_decay(), 0.97, 1.03, "closed form")
    yield Check("decay of a sound wave over (4η/3 + ζ)k²/2ρ", sound_decay(), 0.97, 1.03, "linear acoustics")
    turned = repeat(FiniteVolumes(equation, Grid((40, 40), (10.0, 10.0)), 0.02), 20)(
        start.swapaxes(-1, -2)[:, [0, 2, 1, 3]]
    )
    same = repeat(FiniteVolumes(equation, Grid((40, 40), (10.0, 10.0)), 0.02), 20)(start).swapaxes(-1, -2)[
        :, [0, 2, 1, 3]
    ]
    yield Check("transposed before or after, t = 0.4", float(np.abs(turned - same).max()), 0, 1e-12, "symmetry")
