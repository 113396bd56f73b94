"""Incompressible flow: the lid-driven cavity, Taylor and Green's vortices, channels, energy, smoke, obstacles."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

import numpy as np

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.datasets import IncompressibleFlowRecipe
from opforge.datasets.restriction import restricted_faces
from opforge.pdes import IncompressibleFlow
from opforge.pdes._staggered import projected
from opforge.solvers import SSPRK3, ProjectionStepper, pressure_system, repeat, rollout
from opforge.solvers.stepping.stepper import steps_between


def cavity(points: int) -> tuple[float, float, float]:
    """Re = 100: the least u on the vertical, the greatest and the least v on the horizontal line through the middle."""
    equation, grid = IncompressibleFlow(viscosity=0.01, lid=1.0), Grid((points, points))
    dt = 0.9 / ((1.0 + 8 * 0.01 * points) * points)
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
    equation, grid = IncompressibleFlow(viscosity=0.02, boundary=boundary), Grid((points, points))
    fields = equation.exact(grid, [0.0, 0.5])
    start, end = (np.stack([fields["u"][i], fields["v"][i]])[None] for i in (0, 1))
    steps = 6 * points
    found = repeat(ProjectionStepper(equation, grid, 0.5 / steps), steps)(start)
    return float(np.sqrt(np.mean((found - end) ** 2)))


def pressure_error(points: int) -> float:
    equation, grid = IncompressibleFlow(viscosity=0.02, boundary="periodic"), Grid((points, points))
    fields = equation.exact(grid, [0.0])
    found = equation.pressure(np.stack([fields["u"][0], fields["v"][0]])[None], grid)
    return float(np.abs(found - fields["p"]).max())


def random_vortices(points: int) -> tuple[np.ndarray, Grid]:
    recipe, grid = IncompressibleFlowRecipe(scene="vortices"), Grid((points, points))
    return recipe.initial_states([np.random.default_rng(0)], grid), grid


def order_in_time(convection: Literal["limited", "central"]) -> float:
    """Random vortices between walls, against steps that are eight times shorter than the shortest."""
    start, grid = random_vortices(24)
    equation = IncompressibleFlow(viscosity=0.005, convection=convection)

    def end(steps: int) -> np.ndarray:
        return repeat(ProjectionStepper(equation, grid, 0.4 / steps), steps)(start)

    fine = end(512)
    return observed_order([float(np.abs(end(steps) - fine).max()) for steps in (32, 64)])


def channel_error(points: int, filled: int = 0) -> float:
    """Poiseuille's flow in the part of a channel that is not filled with solid; relative to the greatest speed."""
    equation, grid = IncompressibleFlow(viscosity=0.1, boundary="channel", force=0.8), Grid((4, points))
    solid = np.zeros(grid.shape, bool)
    solid[:, :filled] = True
    steps = int(8.0 / (0.9 / (8 * 0.1 * points**2 / 1 + 4 * 8 * 0.1 * 16 + 4 + points)))
    flow = repeat(ProjectionStepper(equation, grid, 8.0 / steps, solid=solid), steps)(np.zeros((1, 2, 4, points)))
    y, low = grid.coordinates()[1], filled / points
    exact = np.where(y > low, 0.8 / 0.2 * (y - low) * (1 - y), 0.0)
    return float(np.abs(flow[0, 0] - exact).max() / exact.max())


def eigenpair_error(boundary: str) -> float:
    """How far a product of cosines is from an eigenvector of the pressure's matrix, relative."""
    grid = Grid((24, 18), (1.0, 2.0))
    A = pressure_system(np.zeros(grid.shape), grid, boundary)
    k = np.pi * ((2.5 if boundary == "stream" else 3.0) / 1.0), np.pi * 2 / 2.0
    (x, y), (hx, hy) = grid.mesh(), grid.spacing
    v = (np.cos(k[0] * x) * np.cos(k[1] * y)).ravel()
    value = (2 - 2 * np.cos(k[0] * hx)) / hx**2 + (2 - 2 * np.cos(k[1] * hy)) / hy**2
    left = A @ v - value * v
    if boundary != "stream":
        left[0] = 0.0  # the cell that holds the constant
    return float(np.linalg.norm(left) / np.linalg.norm(value * v))


def extruded_error() -> float:
    """A flow in two dimensions, and the same in three, between walls along which it slides."""
    start, grid = random_vortices(16)
    deep = Grid((16, 3, 16))
    flat = repeat(ProjectionStepper(IncompressibleFlow(viscosity=0.01, boundary="free slip"), grid, 0.01), 20)(start)
    whole = np.zeros((1, 3, *deep.shape))
    whole[:, 0], whole[:, 2] = start[:, 0, :, None], start[:, 1, :, None]
    equation = IncompressibleFlow(3, viscosity=0.01, boundary="free slip")
    found = repeat(ProjectionStepper(equation, deep, 0.01), 20)(whole)
    return float(max(np.abs(found[:, 2 * i] - flat[:, i, :, None]).max() for i in range(2)))


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
    start, grid = random_vortices(32)
    equation = IncompressibleFlow(viscosity=0.0, boundary="free slip", convection="central")
    energies = []
    for steps in (50, 100):
        end = repeat(ProjectionStepper(equation, grid, 0.5 / steps), steps)(start)
        energies.append(abs(float((end**2).sum() / (start**2).sum()) - 1))
    yield Check(
        "no viscosity, central fluxes: order at which energy is kept",
        observed_order(energies),
        2.7,
        4.3,
        "central differences conserve it",
    )
    off = np.abs(equation.divergence({"u": end[:, 0], "v": end[:, 1]}, grid)).max() / 32
    yield Check("greatest divergence times h", float(off), 0, 1e-13, "projection by cosine transforms")
    yield Check(
        "Taylor–Green: order of the pressure",
        observed_order([pressure_error(n) for n in (24, 48)]),
        1.9,
        2.1,
        "closed form",
    )
    yield Check("vortices, central fluxes: order in time", order_in_time("central"), 2.7, 3.3, "SSP-RK3")
    yield Check("vortices, limited fluxes: order in time", order_in_time("limited"), 1.3, 2.3, "limits come and go")
    start, grid = random_vortices(32)
    states = rollout(ProjectionStepper(IncompressibleFlow(viscosity=1e-3), grid, 0.005), start, frames=200)
    energies = (states**2).sum((1, 2, 3, 4))
    rise = float((np.diff(energies) / energies[0]).max())
    yield Check("vortices between walls: greatest rise of the energy in a step", rise, -1, 0, "no forcing")
    grown = [stratified(n, True) for n in (24, 48)]
    order = observed_order([abs(value - np.cosh(np.pi)) for value in grown])
    yield Check("smoke below clear air: growth by cosh π, order", order, 1.6, 2.2, "linear stability")
    yield Check("smoke below clear air: growth", grown[1], 11.55, 11.6, "cosh π = 11.592")
    wave = stratified(24, False)
    yield Check("smoke above clear air: wave after half a period", wave, -1.001, -0.999, "internal wave, −1")
    for convection in ("limited", "central"):
        yield Check(
            f"flow driven between walls, {convection} fluxes: order in space",
            observed_order([driven_error(n, convection) for n in (24, 48)]),
            1.85,
            2.15,
            "manufactured solution",
        )
    yield from obstacle_checks()
    yield from stream_checks()
    yield Check(
        "channel: Poiseuille's profile, order",
        observed_order([channel_error(n) for n in (16, 32)]),
        1.9,
        2.1,
        "closed form",
    )
    yield Check(
        "channel, a quarter of it solid: Poiseuille's profile, order",
        observed_order([channel_error(n, n // 4) for n in (16, 32)]),
        1.9,
        2.1,
        "closed form",
    )
    for boundary in ("walls", "stream"):
        yield Check(
            f"pressure, {boundary}: discrete eigenpair, relative error",
            eigenpair_error(boundary),
            0,
            1e-13,
            "closed form",
        )
    yield Check("vortices in 2-D and 3-D, difference", extruded_error(), 0, 1e-13, "the same flow")


def driven_error(points: int, convection: Literal["limited", "central"]) -> float:
    """Of u = sin²πx sin 2πy, v = −sin 2πx sin²πy at t = 1, which a force keeps up from t = 0; relative."""
    grid, viscosity, k = Grid((points, points)), 0.02, np.pi
    equation = IncompressibleFlow(viscosity=viscosity, convection=convection)
    (x, y), h = grid.mesh(), 1 / points

    def along(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """u and −ν Δu; the convection of u. With x and y exchanged: −v and ν Δv; the convection of v."""
        u, v = np.sin(k * x) ** 2 * np.sin(2 * k * y), -np.sin(2 * k * x) * np.sin(k * y) ** 2
        carried = u * k * np.sin(2 * k * x) * np.sin(2 * k * y) + v * 2 * k * np.sin(k * x) ** 2 * np.cos(2 * k * y)
        spread = 2 * k**2 * np.cos(2 * k * x) * np.sin(2 * k * y) - 4 * k**2 * u
        return np.stack([u, -viscosity * spread]), carried

    (first, carried), (second, carried_up) = along(x + h / 2, y), along(y + h / 2, x)
    flow = np.stack([first[0], -second[0]])
    force = np.stack([first[1] + carried, -second[1] + carried_up])
    force[0, -1] = force[1, :, -1] = flow[0, -1] = flow[1, :, -1] = 0.0
    force, _ = projected(list(force), grid, equation.box.at_rest())
    steps = int(points * (3.0 + 8 * viscosity * points)) + 1
    run = repeat(SSPRK3(lambda state: equation.tendency(state, grid) + np.stack(force), 1 / steps), steps)
    start, _ = projected(list(flow), grid, equation.box.at_rest())
    return float(np.linalg.norm(run(np.stack(start)[None])[0] - flow) / np.linalg.norm(flow))


def ahead_of_bodies(points: int, solid: np.ndarray, convection: Literal["limited", "central"]) -> np.ndarray:
    """The velocity across a stream ahead of obstacles, which stand in cells of a coarser grid, after 1/2."""
    recipe = IncompressibleFlowRecipe(scene="stream", obstacles=2, convection=convection)
    grid, factor = recipe.grid((2 * points, points)), points // solid.shape[1]
    steps, dt = steps_between(0.5, recipe.usual_step(grid))
    stepper = recipe.stepper_in({"solid": np.kron(solid, np.ones((factor, factor)))[None]}, grid, dt)
    v = repeat(stepper, steps)(recipe.initial_states([np.random.default_rng(0)], grid))[0, 1]
    if factor > 1:
        v = restricted_faces(v, 1, grid, factor)
    return v[: np.flatnonzero(solid.any(1))[0]]


def stream_checks() -> Iterator[Check]:
    """Ahead of bodies, at a Reynolds number of 31 in a cell: what alternates from cell to cell, and errors."""
    recipe = IncompressibleFlowRecipe(scene="stream", obstacles=2)
    solid = recipe.media([np.random.default_rng(3)], recipe.grid((64, 32)))["solid"][0]
    stripes: dict[str, float] = {}
    bounds: dict[Literal["limited", "central"], tuple[float, float]] = {"limited": (0.02, 0.2), "central": (0.3, 0.8)}
    for convection, (low, high) in bounds.items():
        v, fine = (ahead_of_bodies(n, solid, convection) for n in (32, 64))
        stripes[convection] = float(np.sqrt((np.diff(v[:-1], 4, axis=0) ** 2).mean()))
        off = float(np.linalg.norm(v - fine) / np.linalg.norm(fine))
        yield Check(f"stream, {convection} fluxes: v ahead of bodies against 64² cells", off, low, high, "grid halved")
    ratio = stripes["limited"] / stripes["central"]
    yield Check("stream: stripes ahead of bodies, limited in parts of central", ratio, 1e-3, 0.1, "fourth differences")


def stratified(points: int, falling: bool) -> float:
    """A small vortex in smoke that thins out upwards (or downwards): by how much it grew in the time π √2.

    With a gradient of buoyancy ±1 and as many half waves along x as along y, its rate is σ² = ±1/2.
    """
    grid = Grid((points, points))
    equation = IncompressibleFlow(viscosity=0.0, boundary="free slip", buoyancy=1.0)
    vortex = IncompressibleFlow(viscosity=0.0, boundary="free slip").exact(grid, [0.0])
    y = grid.mesh()[1]
    start = np.stack([1e-3 * vortex["u"][0], 1e-3 * vortex["v"][0], 1 - y if falling else y])[None]
    steps = 8 * points
    end = repeat(ProjectionStepper(equation, grid, np.pi * np.sqrt(2) / steps), steps)(start)
    return float((end[0, 1] * vortex["v"][0]).sum() / (vortex["v"][0] ** 2).sum() / 1e-3)


def disc_changes() -> list[float]:
    """Relative changes of the flow around a disc under a lid from grid to grid, each twice as fine."""
    equation = IncompressibleFlow(viscosity=0.02, lid=1.0)
    flows = []
    for n in (16, 32, 64):
        grid = Grid((n, n))
        x, y = grid.mesh()
        solid = (x - 0.47) ** 2 + (y - 0.53) ** 2 < 0.04
        steps = int(0.5 * n * (1 + 0.16 * n) / 0.8) + 1
        run = repeat(ProjectionStepper(equation, grid, 0.5 / steps, solid=solid), steps)
        flows.append((run(np.zeros((1, 2, n, n)))[0], grid))
    changes = []
    for (coarse, _), (fine, grid) in pairwise(flows):
        there = np.stack([restricted_faces(fine[axis], axis, grid) for axis in range(2)])
        changes.append(float(np.linalg.norm(coarse - there) / np.linalg.norm(there)))
    return changes


def obstacle_checks() -> Iterator[Check]:
    """Smoke and streams past obstacles."""
    recipe = IncompressibleFlowRecipe(scene="source", obstacles=2, frames=2, end_time=0.5)
    grid = recipe.grid(32)
    fields = recipe.samples([np.random.default_rng(1)], grid).fields
    s, q = fields["s"][0], fields["q"][0]
    off = np.abs(recipe.equation.divergence({"u": fields["u"], "v": fields["v"]}, grid)).max() / 32
    yield Check("smoke past obstacles: divergence times h", float(off), 0, 1e-13, "projection by sparse factors")
    grown = float(abs(s[1].mean() / (0.5 * q.mean()) - 1))
    yield Check("smoke from a source: error of its mass", grown, 0, 1e-12, "conservation")
    yield Check("smoke past obstacles: least density", float(s.min()), -1e-12, 1, "limited slopes")
    yield Check("cavity around a disc: order in space", observed_order(disc_changes()), 0.8, 1.8, "steps of its edge")
    stream = IncompressibleFlowRecipe(scene="stream", obstacles=2, frames=2, end_time=0.5)
    u = stream.samples([np.random.default_rng(1)], stream.grid((48, 24))).fields["u"][0]
    flux = float(np.abs(u.mean(-1) - 1).max())
    yield Check("stream past obstacles: flux through all sections, error", flux, 0, 1e-12, "conservation")
