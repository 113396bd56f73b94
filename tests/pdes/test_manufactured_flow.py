"""Finite volumes for conservation laws against smooth manufactured solutions, in all boundaries but outflow.

Spacings and steps are halved together. Limited slopes are of order 1 at extrema: errors are means of |u − exact|, of
which the order is 2.
"""

import numpy as np
import pytest
import sympy
from sympy import cos, diff, pi, sin

from opforge.core import Grid
from opforge.pdes import Burgers, CompressibleFlow, ShallowWater
from opforge.solvers import SSPRK3, BurgersFV, FiniteVolumes, repeat
from tests.manufactured import SPACE, ClockedLaw, Formula, Problem, T, X, Y, assert_orders, clocked, laplacian


def moving(ndim, boundary, phases):
    """Fields from −1 to 1, one for each phase: waves that go round, or that are even at walls."""
    if boundary == "periodic":
        waves = [sin(2 * pi * X - T + p) * (cos(2 * pi * Y + 2 * T - p) if ndim == 2 else 1) for p in phases]
    else:
        waves = [cos(pi * X) * sin(T + p) * (cos(pi * Y) if ndim == 2 else 1) for p in phases]
    return waves


def through_walls(ndim, axis, boundary):
    """A velocity along an axis: round a periodic box; odd at walls across the axis, at all walls if they hold it."""
    if boundary == "periodic":
        return moving(ndim, boundary, (1 + axis,))[0]
    s, others = SPACE[axis], [o for o in SPACE[:ndim] if o != SPACE[axis]]
    beside = sin if boundary == "no-slip" else cos
    return sin(pi * s) * cos(2 * T + axis) * sympy.prod([beside(pi * o) for o in others])


def divergence(flux, ndim):
    return sum(diff(f, s) for f, s in zip(flux, SPACE[:ndim], strict=True))


def shallow_water(e):
    h = 1 + moving(e.ndim, e.boundary, (0,))[0] / 5
    b = moving(e.ndim, e.boundary, (2,))[0].subs(T, 1) / 4
    u = [through_walls(e.ndim, axis, e.boundary) / 3 for axis in range(e.ndim)]
    sources = [diff(h, T) + divergence([h * c for c in u], e.ndim)]
    for s, c in zip(SPACE, u, strict=False):
        convection = diff(h * c, T) + divergence([h * c * other for other in u], e.ndim)
        sources.append(convection + e.gravity * h * (diff(h, s) + diff(b, s)))
    return Problem.of((h, *u), sources, e.ndim), Formula([b], e.ndim)


def stress(e, u):
    """σ = η (∇u + ∇uᵀ − ⅔ ∇·u I) + ζ ∇·u I."""
    space, flow = SPACE[: e.ndim], divergence(u, e.ndim)
    third = sympy.Rational(2, 3)
    return [
        [
            e.shear_viscosity * (diff(u[i], space[j]) + diff(u[j], space[i]))
            + (e.bulk_viscosity - third * e.shear_viscosity) * flow * int(i == j)
            for j in range(e.ndim)
        ]
        for i in range(e.ndim)
    ]


def gas(e):
    rho = 1 + moving(e.ndim, e.boundary, (0,))[0] / 5
    p = 1 + moving(e.ndim, e.boundary, (2,))[0] / 4
    return rho, [through_walls(e.ndim, axis, e.boundary) / 3 for axis in range(e.ndim)], p


def compressible_flow(e):
    rho, u, p = gas(e)
    energy = p / (e.gamma - 1) + rho * sum(c * c for c in u) / 2
    sigma = stress(e, u)
    sources = [diff(rho, T) + divergence([rho * c for c in u], e.ndim)]
    for i, c in enumerate(u):
        flux = [rho * c * other + p * int(i == j) - sigma[i][j] for j, other in enumerate(u)]
        sources.append(diff(rho * c, T) + divergence(flux, e.ndim))
    work = [sum(sigma[i][j] * u[j] for j in range(e.ndim)) for i in range(e.ndim)]
    sources.append(diff(energy, T) + divergence([(energy + p) * c - w for c, w in zip(u, work, strict=True)], e.ndim))
    return Problem.of((rho, *u, p), sources, e.ndim)


def evolved(law, problem, n, bottom=None, end=0.3, courant=0.8):
    grid = Grid((n,) * law.ndim)
    start = problem.start(grid)
    steps = int(np.ceil(end * law.courant(start[:, :-1], grid) / courant))
    medium = None if bottom is None else bottom.on(grid, 0.0)
    stepper = FiniteVolumes(ClockedLaw(law, grid, problem.source), grid, end / steps, medium)
    return problem.error(repeat(stepper, steps)(start), grid, end, norm=1)


slow = pytest.mark.slow
# Cells per axis, and bounds of the orders, which come to 2 from above: beside the error of smooth waves there is that
# of limited extrema, of order 3 in the mean, which coarse grids see most.
COUNTS = {1: (48, 96, 192), 2: (16, 32, 64)}
BOUNDS = {1: (1.85, 2.35), 2: (1.85, 2.5)}


@pytest.mark.parametrize(
    ("boundary", "ndim"), [("periodic", 1), ("walls", 1), pytest.param("periodic", 2, marks=slow), ("walls", 2)]
)
def test_shallow_water_over_a_bottom(boundary, ndim):
    law = ShallowWater(ndim, gravity=2.0, boundary=boundary)
    problem, bottom = shallow_water(law)
    errors = [evolved(law, problem, n, bottom) for n in COUNTS[ndim]]
    assert_orders(errors, COUNTS[ndim], *BOUNDS[ndim], f"shallow water {ndim}-D, {boundary}")


EULER, VISCOUS = (0.0, 0.0), (0.002, 0.003)


@pytest.mark.parametrize(
    ("boundary", "viscosities", "ndim"),
    [
        ("periodic", EULER, 1),
        ("walls", EULER, 1),
        ("periodic", VISCOUS, 1),
        ("no-slip", VISCOUS, 1),
        ("periodic", EULER, 2),
        pytest.param("walls", EULER, 2, marks=slow),
        pytest.param("periodic", VISCOUS, 2, marks=slow),
        ("no-slip", VISCOUS, 2),
    ],
    ids=lambda v: {EULER: "euler", VISCOUS: "viscous"}.get(v, v),
)
def test_compressible_flow(boundary, viscosities, ndim):
    law = CompressibleFlow(ndim, *viscosities, boundary=boundary)
    problem = compressible_flow(law)
    errors = [evolved(law, problem, n) for n in COUNTS[ndim]]
    name = "Navier–Stokes" if viscosities == VISCOUS else "Euler"
    assert_orders(errors, COUNTS[ndim], *BOUNDS[ndim], f"compressible {name} {ndim}-D, {boundary}")


@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize("boundary", ["periodic", "walls", "no-slip"])
def test_viscous_terms_alone(boundary, ndim):
    """∇·σ and ∇·(σu), what the viscosities add to the rates, at a time; the greatest error, for nothing is limited."""
    viscous = CompressibleFlow(ndim, 0.7, 0.4, boundary=boundary)
    rho, u, p = gas(viscous)
    sigma = stress(viscous, u)
    expected = [0 * X, *(divergence(row, ndim) for row in sigma)]
    work = [sum(sigma[i][j] * u[j] for j in range(ndim)) for i in range(ndim)]
    exact, state, errors = Formula([*expected, divergence(work, ndim)], ndim), Formula([rho, *u, p], ndim), []
    for n in (16, 32, 64):
        grid = Grid((n,) * ndim)
        values = state.on(grid, 0.3)[None]
        total, without = (
            np.stack(viscous.conserved_rate(values, grid, np.array([numbers]))) for numbers in ((0.7, 0.4), (0.0, 0.0))
        )
        errors.append(np.abs((total - without)[:, 0] - exact.on(grid, 0.3)).max())
    assert_orders(errors, (16, 32, 64), 1.8, 2.2, f"viscous terms {ndim}-D, {boundary}")


def burgers(e):
    u = [through_walls(e.ndim, axis, "periodic") / 2 + 1 - axis for axis in range(e.ndim)]
    sources = [
        diff(q, T) + sum(c * diff(q, s) for c, s in zip(u, SPACE, strict=False)) - e.viscosity * laplacian(q, e.ndim)
        for q in u
    ]
    return Problem.of(u, sources, e.ndim)


@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize("viscosity", [0.0, 0.002])
def test_burgers_by_finite_volumes(viscosity, ndim):
    equation = Burgers(ndim, viscosity)
    problem, errors = burgers(equation), []
    for n in COUNTS[ndim]:
        grid = Grid((n,) * ndim, points="periodic")
        dt = 0.3 / n
        volumes = BurgersFV(equation, grid, dt)
        stepper = SSPRK3(clocked(volumes.rate, problem.source, grid), dt)
        errors.append(problem.error(repeat(stepper, n)(problem.start(grid)), grid, 0.3, norm=1))
    assert_orders(errors, COUNTS[ndim], *BOUNDS[ndim], f"Burgers {ndim}-D, viscosity {viscosity}")
