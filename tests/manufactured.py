"""Manufactured solutions: sources from formulas, and equations that have them beside what they are.

A chosen solution is put into the differential equation, and what is left over is the source that makes it a solution
(Roache, "Code verification by the method of manufactured solutions"; here by sympy). Steppers take equations that say
how a state changes, not how a source does: time joins the state as one component more, a *clock* that grows at the rate
1. The stages of a step then find the source at their times, whatever the method.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from opforge.core import Grid
from opforge.pdes import SemilinearEquation, SpectralForm

X, Y, T = sympy.symbols("x y t", real=True)
SPACE = (X, Y)


def laplacian(u, ndim):
    return sum(sympy.diff(u, s, 2) for s in SPACE[:ndim])


def bell(angle, r):
    """Σ r^|k| e^{ikφ}: 2π-periodic, analytic, and of K modes of it the error is r^K to a factor."""
    return (1 - r**2) / (1 - 2 * r * sympy.cos(angle) + r**2)


class Formula:
    """Expressions in x, y and t as a function of places and time.

    Args:
        expressions: as many as components.
        ndim: axes of space.
    """

    def __init__(self, expressions, ndim):
        self.ndim, self.count = ndim, len(expressions)
        self._function = sympy.lambdify([*SPACE[:ndim], T], list(expressions), "numpy", cse=True)

    def __call__(self, places, time):
        """(components, …) at places, arrays that broadcast against each other and the time."""
        values = self._function(*places, time)
        shape = np.broadcast_shapes(*(np.shape(x) for x in places), np.shape(time))
        return np.stack([np.broadcast_to(value, shape) for value in values])

    def on(self, grid, time):
        """(components, *space)."""
        return self(grid.mesh(), float(time))


@dataclass(frozen=True)
class Problem:
    """A solution and the source that makes it one.

    Args:
        exact: what is solved for.
        source: what the equation's rate must have beside itself, as many components.
    """

    exact: Formula
    source: Formula

    @classmethod
    def of(cls, solution, source, ndim):
        return cls(Formula(solution, ndim), Formula(source, ndim))

    def start(self, grid, time=0.0):
        """The first state of a clocked equation: (1, components + 1, *space)."""
        return np.concatenate([self.exact.on(grid, time), np.full((1, *grid.shape), time)])[None]

    def error(self, state, grid, time, norm=np.inf):
        """Of a clocked equation's state at a time, in the norm 1, 2 or ∞ per point, all components together.

        The clock must show the time: a method that is too fast would be right at its own.
        """
        np.testing.assert_allclose(state[0, -1], time, rtol=0, atol=1e-12)
        difference = np.abs(state[0, :-1] - self.exact.on(grid, time)).ravel()
        return float(difference.max() if norm == np.inf else np.mean(difference**norm) ** (1 / norm))


@dataclass(frozen=True)
class ClockedModes(SemilinearEquation):
    """An equation of Fourier modes with a source f(x, t), as another such equation: what ETDRK4 and IMEX-RK solve.

    The clock has L = 0 and the steady source 1; the field's own source is among the products, where it sees the clock.
    """

    equation: SemilinearEquation
    grid: Grid
    source: Formula

    name = "clocked"
    fields = ()
    symmetries = ()

    @property
    def ndim(self):
        return self.equation.ndim

    @property
    def degree(self):
        return self.equation.degree

    @property
    def unknowns(self):
        return (*self.equation.unknowns, "time")

    def spectral(self, wavenumbers):
        form, count = self.equation.spectral(wavenumbers), len(self.equation.unknowns)
        modes = np.broadcast_shapes(*(k.shape for k in wavenumbers))
        products = form.products or count
        inner = None if form.inner is None else _beside(form.inner, np.ones((1, 1)), modes)
        outer = np.zeros((count + 1, products + count, *modes), np.complex128)
        one_each = np.eye(count).reshape(count, count, *(1,) * len(modes))
        outer[:count, :products] = one_each if form.outer is None else form.outer
        outer[:count, products:] = one_each
        steady = np.zeros((count + 1, *modes), np.complex128)
        steady[:count] = 0 if form.source is None else form.source
        steady[(count, *(0,) * len(modes))] = 1
        linear = np.zeros((count + 1, *modes), np.result_type(form.linear, np.float64))
        linear[:count] = form.linear
        places = tuple(x[..., None] for x in self.grid.mesh())

        def product(points, out=None):
            found = form.product(np.ascontiguousarray(points[:, :-1]), None)
            forces = np.stack([self.source(places, clock) for clock in points[:, -1]])
            whole = np.concatenate([found, forces], 1)
            if out is None:
                return whole
            out[:] = whole
            return out

        return SpectralForm(linear, product, inner, outer, steady, products=products + count)


def _beside(one, other, modes):
    """Matrices for every mode as blocks of one."""
    (a, b), (c, d) = one.shape[:2], other.shape[:2]
    whole = np.zeros((a + c, b + d, *modes), np.complex128)
    whole[:a, :b] = one
    whole[a:, b:] = other.reshape(c, d, *(1,) * len(modes))
    return whole


@dataclass(frozen=True)
class ClockedLaw:
    """A conservation law with a source of what is conserved, as another one: what `FiniteVolumes` solves."""

    law: Any
    grid: Grid
    source: Formula

    @property
    def boundary(self):
        return self.law.boundary

    def check_state(self, state, grid):
        self.law.check_state(state[:, :-1], grid)

    def check_physical(self, state, ndim):
        self.law.check_physical(state[:, :-1], ndim)

    def check_medium(self, medium, samples, grid):
        self.law.check_medium(medium, samples, grid)

    def physical(self, conserved, ndim):
        return self.law.physical(conserved[:, :-1], ndim)

    def crossings(self, state, grid, medium=None):
        return self.law.crossings(state[:, :-1], grid, medium)

    def conserved(self, state, ndim):
        return np.concatenate([self.law.conserved(state[:, :-1], ndim), state[:, -1:]], 1)

    def primitive(self, conserved, ndim):
        return np.concatenate([self.law.primitive(conserved[:, :-1], ndim), conserved[:, -1:]], 1)

    def conserved_rate(self, state, grid, medium=None, keep=None):
        rates = self.law.conserved_rate(state[:, :-1], grid, medium, keep)
        forces = self.source(grid.mesh(), state[:, -1])
        return [*(rate + force for rate, force in zip(rates, forces, strict=True)), np.ones_like(state[:, -1])]


def clocked(tendency, source, grid):
    """F(u) + f(x, t) of states with a clock (samples, components + 1, *space), for methods that take a function."""

    def rate(state):
        forces = np.moveaxis(source(grid.mesh(), state[:, -1]), 0, 1)
        return np.concatenate([tendency(state[:, :-1]) + forces, np.ones_like(state[:, -1:])], 1)

    return rate


def assert_orders(errors, sizes, low, high, what):
    """Orders log(e₁/e₂)/log(n₂/n₁) between consecutive runs, all from low to high; errors and orders are printed."""
    errors, sizes = np.asarray(errors, dtype=float), np.asarray(sizes, dtype=float)
    orders = np.log(errors[:-1] / errors[1:]) / np.log(sizes[1:] / sizes[:-1])
    print(f"{what}: errors {', '.join(f'{e:.2e}' for e in errors)}; orders {', '.join(f'{p:.2f}' for p in orders)}")
    assert len(errors) >= 3
    assert np.all((orders > low) & (orders < high)), (what, errors, orders)


def assert_geometric(errors, modes, rate, slack, what):
    """Errors that fall by ``rate`` with every mode that is kept, to a part ``slack`` of its logarithm."""
    errors, modes = np.asarray(errors, dtype=float), np.asarray(modes, dtype=float)
    found = np.log(errors[:-1] / errors[1:]) / np.diff(modes) / np.log(1 / rate)
    print(f"{what}: errors {', '.join(f'{e:.2e}' for e in errors)}; of the rate {', '.join(f'{p:.2f}' for p in found)}")
    assert len(errors) >= 3
    assert np.all(abs(found - 1) < slack), (what, errors, found)
