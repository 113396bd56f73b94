"""Equations of Fourier and cosine modes against manufactured solutions: the geometric rate in space, the order in time.

The solutions' modes fall as r^|k|, so that the error of K of them does; in time ETDRK4 is of order 4, ARS(4,4,3) of
order 3, Strang's splitting of order 2.
"""

import numpy as np
import pytest
import sympy
from sympy import cos, diff, pi, sin

from opforge.core import Grid
from opforge.pdes import (
    AllenCahn,
    Burgers,
    CahnHilliard,
    Fisher,
    FitzHughNagumo,
    GrayScott,
    KortewegDeVries,
    KuramotoSivashinsky,
    NavierStokes,
)
from opforge.solvers import ETDRK4, IMEXRK, RK4, ExactDiffusion, StrangSplitting, repeat
from tests.manufactured import (
    SPACE,
    ClockedModes,
    Problem,
    T,
    X,
    Y,
    assert_geometric,
    assert_orders,
    bell,
    clocked,
    laplacian,
)

R = sympy.Rational(1, 3)


def wave(shape, ndim, phase=0.0):
    """A field that moves and swells on a box of 2π per axis; ``shape`` is what it is made of along each."""
    size = sympy.Rational(3, 10) * (1 + sin(2 * T) / 2)
    return size * shape(X - T / 2 - phase) * (shape(Y + T / 3 + phase) if ndim == 2 else 1)


def analytic(angle):
    """All modes, which fall as r^|k|."""
    return bell(angle, R)


def smooth(angle):
    """Two modes, which grids of few points have without an error, as their products: what is left is that of time."""
    return 1 + cos(angle) / 2


def allen_cahn(e, shape):
    u = wave(shape, e.ndim)
    return (u,), (diff(u, T) - e.width**2 * laplacian(u, e.ndim) - u + u**3,)


def cahn_hilliard(e, shape):
    u = wave(shape, e.ndim)
    return (u,), (diff(u, T) - laplacian(u**3 - u - e.width**2 * laplacian(u, e.ndim), e.ndim),)


def fisher(e, shape):
    u = wave(shape, e.ndim)
    return (u,), (diff(u, T) - e.diffusivity * laplacian(u, e.ndim) - e.rate * u * (1 - u),)


def gray_scott(e, shape):
    u, v = wave(shape, e.ndim), 1 - wave(shape, e.ndim, 0.7)
    return (u, v), (
        diff(u, T) - e.diffusivity_u * laplacian(u, e.ndim) + u * v**2 - e.feed * (1 - u),
        diff(v, T) - e.diffusivity_v * laplacian(v, e.ndim) - u * v**2 + (e.feed + e.kill) * v,
    )


def korteweg_de_vries(e, shape):
    u = wave(shape, 1)
    return (u,), (diff(u, T) + 6 * u * diff(u, X) + e.dispersion * diff(u, X, 3),)


def kuramoto_sivashinsky(e, shape):
    u = wave(shape, 1)
    return (u,), (diff(u, T) + u * diff(u, X) + diff(u, X, 2) + e.viscosity * diff(u, X, 4),)


def burgers(e, shape):
    velocity = (wave(shape, e.ndim), 1 - wave(shape, e.ndim, 0.7))[: e.ndim]
    carried = [sum(c * diff(q, s) for c, s in zip(velocity, SPACE, strict=False)) for q in velocity]
    return velocity, [
        diff(q, T) + flow - e.viscosity * laplacian(q, e.ndim) for q, flow in zip(velocity, carried, strict=True)
    ]


def navier_stokes(e, shape):
    """From a stream function, with drag, a mean flow, Kolmogorov's force and a tracer."""
    stream, c = wave(shape, 2), wave(shape, 2, 0.7)
    u, v = diff(stream, Y) + e.mean_flow[0], -diff(stream, X) + e.mean_flow[1]
    w = -laplacian(stream, 2)
    force = -e.amplitude * e.wavenumber * cos(e.wavenumber * Y)
    return (w, c), (
        diff(w, T) + u * diff(w, X) + v * diff(w, Y) - e.viscosity * laplacian(w, 2) + e.drag * w - force,
        diff(c, T) + u * diff(c, X) + v * diff(c, Y) - e.tracer_diffusivity * laplacian(c, 2),
    )


FLOW = NavierStokes(
    viscosity=0.1,
    drag=0.2,
    forcing="kolmogorov",
    wavenumber=2,
    amplitude=0.3,
    mean_flow=(0.3, -0.2),
    tracer_diffusivity=0.05,
)
CASES = [
    (AllenCahn(1, 0.3), allen_cahn),
    (AllenCahn(2, 0.3), allen_cahn),
    (CahnHilliard(1, 0.3), cahn_hilliard),
    (CahnHilliard(2, 0.3), cahn_hilliard),
    (Fisher(1, 0.1), fisher),
    (Fisher(1, 10.0), fisher),  # stiff
    (Fisher(2, 0.1, 2.0), fisher),
    (GrayScott(1, 0.1, 0.05, 0.3, 0.2), gray_scott),
    (KortewegDeVries(1, 0.1), korteweg_de_vries),
    (KuramotoSivashinsky(1, 0.5), kuramoto_sivashinsky),
    (Burgers(1, 0.1), burgers),
    (Burgers(2, 0.1), burgers),
    (FLOW, navier_stokes),
]


EACH = pytest.mark.parametrize(
    ("equation", "formula"), [pytest.param(*c, id=f"{c[0].name}-{c[0].ndim}") for c in CASES]
)


def box(ndim, n):
    return Grid((n,) * ndim, (2 * np.pi,) * ndim, "periodic")


def points(equation, modes):
    """The fewest points per axis of which so many modes are kept."""
    return modes * (equation.degree + 1) + 1


def solved(make, equation, problem, n, steps, end):
    grid = box(equation.ndim, n)
    stepper = make(ClockedModes(equation, grid, problem.source), grid, end / steps)
    run = repeat(stepper, steps, checked=False)  # the source is no function of the state alone
    return problem.error(run(problem.start(grid)), grid, end)


@EACH
def test_etdrk4_is_geometric_in_space(equation, formula):
    problem = Problem.of(*formula(equation, analytic), equation.ndim)
    modes = (6, 9, 12)
    errors = [solved(ETDRK4, equation, problem, points(equation, k), 20, 0.05) for k in modes]
    assert_geometric(errors, modes, float(R), 0.25, f"{formula.__name__} {equation.ndim}-D in space")


@EACH
@pytest.mark.parametrize(("make", "order"), [(ETDRK4, 4), (IMEXRK, 3)], ids=["etdrk4", "ars443"])
def test_order_in_time(make, order, equation, formula):
    problem, steps = Problem.of(*formula(equation, smooth), equation.ndim), (30, 60, 120)
    errors = [solved(make, equation, problem, points(equation, 4), count, 1.0) for count in steps]
    name = f"{formula.__name__} {equation.ndim}-D in time by {make.__name__}"
    assert_orders(errors, steps, order - 0.3, order + 0.3, name)


def fitzhugh_nagumo(e, shape):
    """Even about both ends, through which nothing flows then; on the unit box."""
    along_y = shape(pi * Y) if e.ndim == 2 else 1
    u, v = (1 + sin(3 * T)) / 4 * shape(pi * X) * along_y, cos(2 * T) / 3 * shape(pi * (1 - X)) * along_y
    return (u, v), (
        diff(u, T) - e.diffusivity_u * laplacian(u, e.ndim) - u + u**3 + e.threshold + v,
        diff(v, T) - e.diffusivity_v * laplacian(v, e.ndim) - u + v,
    )


def split(equation, problem, n, steps, end):
    grid, dt = Grid((n,) * equation.ndim), end / steps
    reaction = clocked(lambda state: equation.reaction(state, equation.ndim), problem.source, grid)
    rates = np.array([equation.diffusivity_u, equation.diffusivity_v, 0.0])
    stepper = StrangSplitting(ExactDiffusion(grid, rates, dt / 2, "neumann"), RK4(reaction, dt))
    run = repeat(stepper, steps, checked=False)  # the source is no function of the state alone
    return problem.error(run(problem.start(grid)), grid, end)


@pytest.mark.parametrize("ndim", [1, 2])
def test_strang_splitting_is_geometric_in_space_and_of_order_2_in_time(ndim):
    equation = FitzHughNagumo(ndim, 0.05, 0.1, 0.2)
    problem, counts = Problem.of(*fitzhugh_nagumo(equation, analytic), ndim), (5, 8, 11)
    errors = [split(equation, problem, n, 40, 0.02) for n in counts]
    assert_geometric(errors, counts, float(R), 0.25, f"fitzhugh_nagumo {ndim}-D in space")
    problem, counts = Problem.of(*fitzhugh_nagumo(equation, smooth), ndim), (20, 40, 80)
    errors = [split(equation, problem, 8, steps, 1.0) for steps in counts]
    assert_orders(errors, counts, 1.9, 2.1, f"fitzhugh_nagumo {ndim}-D in time")
