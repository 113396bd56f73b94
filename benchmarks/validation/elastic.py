"""Elastic waves: P and S waves, surfaces, reflections and layers against closed forms, energy, reciprocity."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.pdes import Elastic
from opforge.pdes._solid_waves import SURFACE_HALVES, rayleigh_speed
from opforge.solvers import ElasticLeapfrog, repeat, rollout

BOUNDARIES = ("free", "surface", "rigid", "slip", "periodic")


def grid_of(equation: Elastic, shape: tuple[int, ...], lengths: tuple[float, ...]) -> Grid:
    """So many spacings per axis."""
    if equation.boundary == "periodic":
        return Grid(shape, lengths, "periodic")
    return Grid(tuple(n + 1 for n in shape), lengths, "nodes")


def state_of(equation: Elastic, fields: dict[str, np.ndarray], frame: int) -> np.ndarray:
    return np.stack([fields[name][frame] for name in equation.unknowns])[None]


def error(boundary: str, points: int, ndim: int = 2) -> float:
    """Of a closed form at t = 0.7, with 0.6 of the longest step; relative."""
    equation = Elastic(ndim, 2.0, 1.0, 0.5, boundary)
    grid = grid_of(equation, (points,) * ndim, (1.0,) * ndim)
    fields = equation.exact(grid, [0.0, 0.7])
    steps = int(0.7 / (0.6 * equation.longest_step(grid))) + 1
    found = repeat(ElasticLeapfrog(equation, grid, 0.7 / steps), steps)(state_of(equation, fields, 0))
    expected = state_of(equation, fields, 1)
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def phase_lag(kind: str) -> float:
    """How late a wave along x is at t = 4, over the dispersion relation's (kh)²(1 − (c dt/h)²)/24 ωt."""
    equation = Elastic(2, 1.0, 1.0, 0.5, "periodic")
    grid = Grid((64, 4), points="periodic")
    waves, component = (4, 0), 0 if kind == "P" else 1
    dt, k, c = 1 / 128, 2 * np.pi * 4, 1.0 if kind == "P" else 0.5
    start = equation.wave(grid, [0.0], kind, waves=waves)
    found = repeat(ElasticLeapfrog(equation, grid, dt), 512)(state_of(equation, start, 0))[0, component]
    x = grid.mesh()[0] + (0.5 / 64 if kind == "P" else 0.0)
    late = np.angle(((found * np.exp(1j * k * x)).sum()) / ((np.sin(k * x) * np.exp(1j * k * x)).sum()))
    # 4 c waves have passed, a whole number: what is left of the phase is the lag
    return float(-late / ((k / 64) ** 2 * (1 - (c * dt * 64) ** 2) / 24 * k * c * 4.0))


def surface_frequency(points: int) -> float:
    """That of a standing surface wave with four half waves along x, over that by the root of Rayleigh's equation."""
    equation = Elastic(2, 1.0, 1.0, 3**-0.5, "surface")
    grid = grid_of(equation, (points, 2 * points), (1.0, 2.0))
    expected = SURFACE_HALVES * np.pi * (rayleigh_speed(equation.s_speed) or 0.0) * equation.s_speed
    steps = int(2 * np.pi / expected / (0.6 * equation.longest_step(grid))) + 1
    dt, start = 2 * np.pi / expected / steps, state_of(equation, equation.exact(grid, [0.0]), 0)
    states = rollout(ElasticLeapfrog(equation, grid, dt), start, frames=steps, start=True)[:, 0, 1]
    course = np.tensordot(states, start[0, 1])
    # of cos ωt at equal times: x_{n+1} + x_{n−1} = 2 cos(ω dt) x_n
    cosine = (course[1:-1] * (course[2:] + course[:-2])).sum() / (2 * (course[1:-1] ** 2).sum())
    return float(np.arccos(cosine) / dt / expected)


def bump(x: np.ndarray) -> np.ndarray:
    return np.exp(-((x / 0.08) ** 2))


def reflected(boundary: str, kind: str, points: int = 64) -> float:
    """The velocity of a pulse along x that came back from the wall at x = 1, in parts of what it was.

    Seen on the middle line, which the waves from the side walls do not reach.
    """
    equation = Elastic(2, 1.0, 1.0, 0.6, boundary)
    grid = grid_of(equation, (points, 3 * points), (1.0, 3.0))
    # σ = −ρ c v of a pulse to the right; σ_yy = λ/(λ + 2μ) σ_xx
    parts = {"u": 1.0, "sxx": -1.0, "syy": -equation.lam} if kind == "P" else {"v": 1.0, "sxy": -0.6}
    state, places = np.zeros((1, 5, *grid.shape)), equation.places(grid)
    for name, factor in parts.items():
        state[0, equation.unknowns.index(name)] = factor * bump(places.coordinates(name)[0] - 0.5)
    time = 0.75 if kind == "P" else 0.75 / 0.6
    steps = int(time / (0.6 * equation.longest_step(grid))) + 1
    found = repeat(ElasticLeapfrog(equation, grid, time / steps), steps)(state)[0, 0 if kind == "P" else 1]
    middle, x = found[:, grid.shape[1] // 2], places.coordinates("u" if kind == "P" else "v")[0][:, 0]
    back = bump(x - 0.75)
    return float((middle * back).sum() / (back**2).sum())


def layers(points: int = 200) -> tuple[float, float]:
    """The velocities that a P pulse sends back from and through an interface of two solids, in parts of its own."""
    equation = Elastic(boundary="slip")
    grid = grid_of(equation, (points, 2), (2.0, 4 / points))
    first, edge = grid.mesh()[0] <= 1.0, 1.0 + grid.spacing[0] / 2  # halfway from the last point of the first solid
    media = {"rho": np.where(first, 1.0, 1.5), "cp": np.where(first, 1.0, 1.6), "cs": np.where(first, 0.6, 0.8)}
    state, places = np.zeros((1, 5, *grid.shape)), equation.places(grid)
    for i, (name, factor) in enumerate({"u": 1.0, "v": 0.0, "sxx": -1.0, "syy": -equation.lam}.items()):
        state[0, i] = factor * bump(places.coordinates(name)[0] - edge + 0.4)
    media = {name: values[None] for name, values in media.items()}
    steps = int(0.8 / (0.6 * equation.longest_step(grid, media))) + 1
    u = repeat(ElasticLeapfrog(equation, grid, 0.8 / steps, media), steps)(state)[0, 0, :, 1]
    x = places.coordinates("u")[0][:, 1]
    whole = 0.08 * np.sqrt(np.pi) / grid.spacing[0]
    return float(u[x < edge].sum() / whole), float(u[x > edge].sum() / whole / 1.6)  # it is 1.6 times as wide there


def kept_energy(boundary: str) -> float:
    """The relative change of leapfrog's own energy in 600 steps of the longest length, in a random medium."""
    rng, equation = np.random.default_rng(0), Elastic(boundary=boundary)
    grid = grid_of(equation, (20, 16), (1.0, 0.7))
    media = {"rho": rng.uniform(0.5, 2, (1, *grid.shape)), "cp": rng.uniform(1, 2, (1, *grid.shape))}
    media["cs"] = media["cp"] * rng.uniform(0.1, 0.8, (1, *grid.shape))
    dt = equation.longest_step(grid, media)
    start = rng.standard_normal((1, 5, *grid.shape))
    found = rollout(ElasticLeapfrog(equation, grid, dt, media), start, frames=60, steps=10)
    fields = {name: found[:, :, i].swapaxes(0, 1) for i, name in enumerate(equation.unknowns)} | media
    energy = next(promise for promise in equation.invariants if promise.name == "energy")
    return float(energy.violation(equation, fields, grid)[0])


def reciprocity() -> float:
    """What a force along x at P moves along y at Q is what one along y at Q moves along x at P, in any medium."""
    rng, equation = np.random.default_rng(1), Elastic()
    grid = grid_of(equation, (24, 20), (1.0, 1.0))
    media = {name: rng.uniform(0.8, 1.2, (1, *grid.shape)) for name in ("rho", "cp")}
    media["cs"], places = 0.5 * media["cp"], equation.places(grid)
    heard, points = [], [(0, 4, 20), (1, 19, 7)]  # the first one at a surface
    for (i, *here), (j, *there) in (points, points[::-1]):
        force = np.zeros((1, *grid.shape))
        force[0, *here] = 1 / places.weights((i,))[*here]
        stepper = ElasticLeapfrog(equation, grid, 0.01, {**media, "fx" if i == 0 else "fy": force})
        heard.append(repeat(stepper, 120)(np.zeros((1, 5, *grid.shape)))[0, j, *there])
    return abs(heard[0] - heard[1]) / abs(heard[0])


def plane_strain() -> float:
    """Waves that do not depend on z in three dimensions, less those in two."""
    two, three = Elastic(boundary="slip"), Elastic(3, boundary="slip")
    grid, deep = grid_of(two, (16, 12), (1.0, 1.0)), grid_of(three, (16, 12, 3), (1.0, 1.0, 0.5))
    start = np.random.default_rng(2).standard_normal((1, 5, *grid.shape))
    state = np.zeros((1, 9, *deep.shape))
    same = [three.unknowns.index(name) for name in two.unknowns]
    state[:, same] = start[..., None]
    state[:, three.unknowns.index("szz")] = (two.lam / (2 * (two.lam + two.mu)) * start[:, 2:4].sum(1))[..., None]
    found = repeat(ElasticLeapfrog(three, deep, 0.02), 40)(state)[:, same]
    flat = repeat(ElasticLeapfrog(two, grid, 0.02), 40)(start)
    return float(np.abs(found - flat[..., None]).max())


def checks() -> Iterator[Check]:
    known = {
        "periodic": "P and S waves",
        "slip": "standing P and S waves",
        "free": "Lamé's mode",
        "surface": "surface wave",
    }
    for boundary, what in known.items():
        errors = [error(boundary, n) for n in (32, 64)]
        yield Check(f"{boundary}: {what}, order", observed_order(errors), 1.85, 2.15, "closed form")
        yield Check(f"{boundary}: {what}, relative error on 64 x 64 spacings", errors[-1], 1e-5, 0.05, "closed form")
    errors = [error("periodic", n, 3) for n in (12, 24)]
    yield Check("3-D, periodic: P and S waves, order", observed_order(errors), 1.85, 2.15, "closed form")
    yield Check("2-D and 3-D, uniform along z, difference", plane_strain(), 0, 1e-12, "plane strain")
    for kind, symbol in (("P", "c_p"), ("S", "c_s")):
        lag = phase_lag(kind)
        yield Check(
            f"{kind} wave: phase lag over (kh)²(1 − ({symbol} dt/h)²)/24", lag, 0.95, 1.05, "dispersion relation"
        )
    found = [surface_frequency(n) for n in (32, 64)]
    yield Check("surface wave: order of its speed", observed_order([abs(c - 1) for c in found]), 1.85, 2.15, "Rayleigh")
    best = found[1] + (found[1] - found[0]) / 3 - 1
    yield Check("its speed, extrapolated, less Rayleigh's, relative", best, -2e-4, 2e-4, "root of Rayleigh's equation")
    for boundary, sign in (("rigid", -1), ("free", 1)):
        for kind in "PS":
            back = reflected(boundary, kind)
            yield Check(f"{boundary}: velocity of a reflected {kind} pulse", back, sign - 0.02, sign + 0.02, f"{sign}")
    back, through = layers()
    yield Check("two solids: reflected velocity", back, -0.4127, -0.4107, "(Z₁ − Z₂)/(Z₁ + Z₂) = −0.4118")
    yield Check("two solids: transmitted velocity", through, 0.5872, 0.5892, "2 Z₁/(Z₁ + Z₂) = 0.5882")
    for boundary in BOUNDARIES:
        yield Check(
            f"{boundary}: leapfrog's energy, change in 600 steps", kept_energy(boundary), 0, 1e-12, "symplectic method"
        )
    yield Check("force and receiver exchanged, relative difference", reciprocity(), 0, 1e-11, "reciprocity")
