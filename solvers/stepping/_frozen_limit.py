"""The longest time step of a method for semilinear equations, by waves on a state whose coefficients are frozen."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from opforge.pdes._frozen import FrozenRates
from opforge.solvers.stepping.limits import StepTooLong

# By how much a wave may grow in a step beside what it should, and by which power of e it should at most. Measured for
# every equation: runs of ETDRK4 with half of the limit keep order 4 roughly, with ten times as much they blow up or
# mean nothing.
_GROWTH, _EXPONENT = 1.2, 1.25

# Of dt times the nonlinear part's rate: what any explicit method of order 3 or 4 bears.
_HARMLESS = 1.0

# By what a step is divided until it is borne; halvings, on a logarithmic scale, of the interval that is left.
_APART, _HALVINGS = 4.0, 20

# Exponents whose powers of e are numbers still.
_MOST = 700.0


# From L (components, modes), M (points, components, components, modes) and dt: the matrices R.
StepOf = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


class FrozenLimit:
    """The longest time step of a method from a state, by small waves on it whose coefficients are frozen.

    With u_t = (L + M) u for a wave, see `FrozenRates`, a step multiplies it by a matrix R. Explicit methods need
    dt |M| <= 2.8; here L damps waves too, and may make the limit a hundred times as long. A step is too long where a
    wave grows by more than a fifth in it beside what it should, or should grow by more than e^1.25.

    Args:
        rates: of the equation on a grid.
        step: what a step of the method is for N(u) = M u.
        method: its name.

    Example:
        >>> from opforge.core import Grid
        >>> from opforge.pdes import KortewegDeVries
        >>> from opforge.solvers.stepping.exponential import step_of_waves
        >>> grid, equation = Grid((64,), (32.0,), "periodic"), KortewegDeVries()
        >>> limit = FrozenLimit(FrozenRates(equation.form(grid), equation.paired(grid)), step_of_waves, "ETDRK4")
        >>> limit.check(equation.soliton(grid, [0.0], 1.0)["u"][None], dt=0.02)
    """

    def __init__(self, rates: FrozenRates, step: StepOf, method: str):
        self._rates, self._linear, self._step, self._method = rates, rates.linear, step, method

    def check(self, state: Any, dt: float) -> None:
        """Refuse a step that is too long for a state (samples, components, *space).

        Raises:
            StepTooLong: such a step, with the limit.
        """
        rates = self._rates(state)
        if not np.isfinite(rates).all() or self._bears(rates, dt):
            return
        low, high = dt / _APART, dt
        while not self._bears(rates, low):
            low, high = low / _APART, low
        for _ in range(_HALVINGS):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if self._bears(rates, middle) else (low, middle)
        raise StepTooLong(low, f"where {self._method} is stable from this state on this grid", dt)

    def _bears(self, rates: np.ndarray, dt: float) -> bool:
        """Whether no wave grows too much in a step; where N matters, at the end of a step at least."""
        growth = min(_MOST, dt * max(0.0, float(self._linear.real.max())))
        if dt * float(np.abs(rates).sum(2).max()) * math.exp(growth) <= _HARMLESS:
            return True
        one = np.eye(len(self._linear))[..., None]
        whole = one * self._linear[:, None] + rates
        exponent = dt * max(float(self._linear.real.max()), float(_eigenvalues(whole).real.max()))
        if exponent > _EXPONENT:
            return False
        with np.errstate(over="ignore", invalid="ignore"):
            step = self._step(self._linear, rates, dt)
        if not np.isfinite(step).all():
            return False
        return float(np.abs(_eigenvalues(step)).max()) <= _GROWTH * math.exp(max(0.0, exponent))


def product(m: np.ndarray, x: np.ndarray) -> np.ndarray:
    """M X of matrices (points, components, components, modes)."""
    return np.einsum("xijm,xjkm->xikm", m, x)


def _eigenvalues(matrices: np.ndarray) -> Any:
    """Of matrices (points, n, n, modes)."""
    if matrices.shape[1] == 1:
        return matrices[:, 0, 0]
    return np.linalg.eigvals(np.moveaxis(matrices, -1, 1))
