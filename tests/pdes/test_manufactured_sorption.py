"""Diffusion with sorption against a manufactured solution: order 2 in space, and errors in time that go with rtol."""

import numpy as np
import pytest
from sympy import Rational, cos, diff, pi, sin

from opforge.core import Grid
from opforge.pdes import DiffusionSorption
from opforge.solvers import BDF
from tests.manufactured import Formula, T, X, assert_orders


def formulas(e):
    """1 at the left end, D u_x + u = 0 at the right one, whatever the bump between them does."""
    n = e.exponent
    u = 1 - X / (1 + Rational(e.diffusivity)) + sin(pi * X) ** 2 * (1 + sin(3 * T)) / 5 * (1 + cos(pi * X) / 2)
    sorbed = (1 - e.porosity) / e.porosity * e.bulk_density * e.isotherm
    retardation = 1 + sorbed * n * u ** (n - 1)
    return Formula((u,), 1), Formula((diff(u, T) - e.diffusivity / retardation * diff(u, X, 2),), 1)


def solved(equation, n, rtol, end=0.5):
    """With the time as a second field beside u, cell by cell, so that what rates depend on stays a band."""
    exact, source = formulas(equation)
    grid = Grid((n,))

    def rate(state):
        u, clock = state[..., ::2], state[..., 1::2]
        found = np.ones_like(state)
        found[..., ::2] = equation.tendency(u, grid) + source(grid.mesh(), clock)[0]
        return found

    start = np.zeros((1, 1, 2 * n))
    start[..., ::2] = exact.on(grid, 0.0)
    end_state = BDF(rate, end, rtol=rtol, atol=rtol / 100, band=2)(start)
    np.testing.assert_allclose(end_state[..., 1::2], end, rtol=1e-9)
    return end_state[0, 0, ::2], exact.on(grid, end)[0]


@pytest.mark.parametrize("exponent", [0.874, 1.0, 1.4])
def test_order_in_space(exponent):
    equation = DiffusionSorption(diffusivity=0.5, exponent=exponent)
    counts, errors = (16, 32, 64), []
    for n in counts:
        found, exact = solved(equation, n, 1e-9)
        errors.append(np.abs(found - exact).max())
    assert_orders(errors, counts, 1.85, 2.15, f"diffusion–sorption in space, n = {exponent}")


def test_errors_in_time_go_with_the_tolerance():
    """Against the same cells at 1e-11: a hundred times less is asked for, and 10 to 1000 times less is left."""
    equation = DiffusionSorption(diffusivity=0.5)
    reference, _ = solved(equation, 16, 1e-11)
    errors = np.array([np.abs(solved(equation, 16, rtol)[0] - reference).max() for rtol in (1e-3, 1e-5, 1e-7)])
    print("diffusion–sorption, errors in time", errors)
    assert np.all((errors[:-1] / errors[1:] > 10) & (errors[:-1] / errors[1:] < 1000))
    assert errors[-1] < 1e-5
