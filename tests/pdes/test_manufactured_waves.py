"""Waves and absorbing layers against manufactured solutions in media that vary: order 2 in space and time."""

import numpy as np
import pytest
import scipy.sparse.linalg
import sympy
from sympy import cos, diff, exp, pi, sin

from opforge.core import Grid
from opforge.pdes import Helmholtz, Wave
from opforge.solvers import Leapfrog, repeat, solve_helmholtz
from tests.manufactured import SPACE, Formula, T, X, Y, assert_orders, laplacian


def standing(ndim, boundary):
    """A shape that is 0, level, or goes round at the ends, and a speed that varies."""
    waves = {"dirichlet": sin, "neumann": cos, "periodic": lambda s: cos(2 * s + 1)}[boundary]
    shape = sympy.prod([waves(pi * s) for s in SPACE[:ndim]])
    return shape, 1 + sympy.prod([sin(2 * pi * s) for s in SPACE[:ndim]]) / 3


def acoustic(e):
    """u, v, what v_t needs beside ∇·(c²∇u) − d v, and c."""
    shape, c = standing(e.ndim, e.boundary)
    u = shape * (1 + sin(3 * T)) / 2
    v = diff(u, T)
    flow = sum(diff(c**2 * diff(u, s), s) for s in SPACE[: e.ndim])
    return Formula((u, v), e.ndim), Formula((diff(v, T) + e.damping * v - flow,), e.ndim), Formula((c,), e.ndim)


def propagated(equation, n, steps, start=0.3, end=1.3):
    exact, force, speed = acoustic(equation)
    grid = Grid((n,) * equation.ndim)
    stepper = Leapfrog(
        equation,
        grid,
        (end - start) / steps,
        speed.on(grid, 0.0),
        source=lambda time: force.on(grid, time),
        start=start,
    )
    found = repeat(stepper, steps)(exact.on(grid, start)[None])[0]
    return found, exact.on(grid, end)


# Where u = 0 at the ends, grids differ from the exact start by h² in the last cell; what that sends into the box has
# rates of h over few cells, of order 3/2 in the mean square.
ORDERS = {"dirichlet": (2.0, 1.5), "neumann": (2.0, 2.0), "periodic": (2.0, 2.0)}


@pytest.mark.parametrize("damping", [0.0, 0.7])
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic"])
@pytest.mark.parametrize("ndim", [1, 2])
def test_leapfrog_in_a_medium(ndim, boundary, damping):
    """Spacings and steps are halved together; mean squares of the errors of u and of v = u_t."""
    equation, counts = Wave(ndim, damping=damping, boundary=boundary), (16, 32, 64)
    runs = [propagated(equation, n, 3 * n) for n in counts]
    for i, (name, order) in enumerate(zip("uv", ORDERS[boundary], strict=True)):
        errors = [np.sqrt(np.mean((found[i] - exact[i]) ** 2)) for found, exact in runs]
        what = f"wave {ndim}-D, {boundary}, damping {damping}, {name}"
        assert_orders(errors, counts, order - 0.2, order + 0.2, what)


@pytest.mark.parametrize("damping", [0.0, 0.7])
def test_leapfrog_in_time_alone(damping):
    """On one grid, against steps so short that their error is none beside."""
    equation, counts = Wave(1, damping=damping), (64, 128, 256)
    reference, _ = propagated(equation, 8, 4096)
    errors = [np.abs(propagated(equation, 8, steps)[0] - reference).max() for steps in counts]
    assert_orders(errors, counts, 1.9, 2.1, f"wave in time, damping {damping}")


def helmholtz_error(equation, problem, n):
    field, source, speed = problem
    grid = Grid((n,) * equation.ndim)
    inside = equation.inside(grid)
    f = np.zeros(grid.shape)
    f[inside] = source.on(grid, 0.0)[0][inside]
    real, imag, residual = solve_helmholtz(equation, {"f": f, "c": speed.on(grid, 0.0)[0]}, grid)
    assert residual < 1e-10
    exact = np.zeros(grid.shape)
    exact[inside] = field.on(grid, 0.0)[0][inside]
    return np.abs(real + 1j * imag - exact).max()


@pytest.mark.parametrize("ndim", [1, 2])
def test_helmholtz_inside_the_layer(ndim):
    """A field that ends before the layer, of a source that does not radiate, in a medium of variable speed."""
    equation = Helmholtz(ndim, wavenumber=12.0, layer=0.125)
    c = 1 + sympy.prod([sin(2 * pi * s) for s in SPACE[:ndim]]) / 4
    # 0 at the layer with its first five derivatives
    u = sympy.prod([sin(pi * (s - 0.125) / 0.75) ** 6 for s in SPACE[:ndim]]) * (1 + X / 2)
    f = laplacian(u, ndim) + (equation.wavenumber / c) ** 2 * u
    problem, counts = [Formula((formula,), ndim) for formula in (u, f, c)], (32, 64, 128)
    errors = [helmholtz_error(equation, problem, n) for n in counts]
    assert_orders(errors, counts, 1.85, 2.15, f"helmholtz inside {ndim}-D")


@pytest.mark.parametrize("ndim", [1, 2])
def test_helmholtz_with_its_layer(ndim):
    """A complex field that fills the box: Δ in stretched coordinates, (1/s) ∂(1/s ∂u), with its complex source."""
    equation, layer = Helmholtz(ndim, wavenumber=12.0, layer=0.25), sympy.Rational(1, 4)
    k, strength = 12, 8  # of the layer, as the equation's page says
    c = 1 + sympy.prod([sin(2 * pi * s) for s in SPACE[:ndim]]) / 4
    u = sympy.prod([sin(pi * s) for s in SPACE[:ndim]]) * exp(3 * sympy.I * (X + Y / 2 if ndim == 2 else X))

    def stretch(s):
        deep = sympy.Max(layer - s, s - (1 - layer), 0)
        return 1 + sympy.I * 3 * strength / layer * (deep / layer) ** 2 / k

    def stretched(s):
        return diff(diff(u, s) / stretch(s), s) / stretch(s)

    f = sum(stretched(s) for s in SPACE[:ndim]) + (k / c) ** 2 * u
    field, source, speed = (Formula((formula,), ndim) for formula in (u, f, c))
    counts, errors = (32, 64, 128), []
    for n in counts:
        grid = Grid((n,) * ndim)
        cells, _ = equation.stretches(grid, equation.wavenumber)
        b = source.on(grid, 0.0)[0] * np.prod(np.broadcast_arrays(*cells), axis=0)
        A = equation.operator({"c": speed.on(grid, 0.0)[0]}, grid)
        found = scipy.sparse.linalg.splu(A, permc_spec="MMD_AT_PLUS_A").solve(b.ravel()).reshape(grid.shape)
        errors.append(np.sqrt(np.mean(np.abs(found - field.on(grid, 0.0)[0]) ** 2)))
    assert_orders(errors, counts, 1.8, 2.2, f"helmholtz with its layer {ndim}-D")
