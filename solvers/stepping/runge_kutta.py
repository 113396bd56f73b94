"""Explicit Runge–Kutta methods for u_t = F(u)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from opforge.errors import InputError
from opforge.pdes._numbers import time_step
from opforge.solvers.stepping.limits import StepTooLong
from opforge.solvers.stepping.stepper import Stepper


class SSPRK3(Stepper):
    """The third-order strong-stability-preserving Runge–Kutta method: convex sums of explicit Euler steps.

    Args:
        tendency: F, of a state (samples, components, *space), numpy or torch.
        dt: the time step, greater than 0.

    Raises:
        InputError: a time step that is not positive.

    Example:
        >>> import numpy as np
        >>> step = SSPRK3(lambda u: -u, 0.1)
        >>> bool(abs(step(np.ones((1, 1, 1)))[0, 0, 0] - np.exp(-0.1)) < 1e-5)
        True

    Source:
        Shu and Osher, "Efficient implementation of essentially non-oscillatory shock-capturing schemes", equation 2.18.
    """

    def __init__(self, tendency: Callable[[Any], Any], dt: float):
        self.tendency, self.dt = tendency, time_step(dt)

    def advance(self, inner: Any) -> Any:
        first = inner + self.dt * self.tendency(inner)
        second = 0.75 * inner + 0.25 * (first + self.dt * self.tendency(first))
        return inner / 3 + 2 / 3 * (second + self.dt * self.tendency(second))


class RK4(SSPRK3):
    """The classical Runge–Kutta method of order 4.

    Args:
        tendency, dt: see `SSPRK3`.
        limit: gives the longest step that a state bears; runs from it with a longer one are refused.

    Raises:
        InputError: a time step that is not positive.

    Example:
        >>> import numpy as np
        >>> step = RK4(lambda u: -u, 0.1)
        >>> bool(abs(step(np.ones((1, 1, 1)))[0, 0, 0] - np.exp(-0.1)) < 1e-7)
        True
    """

    def __init__(self, tendency: Callable[[Any], Any], dt: float, *, limit: Callable[[Any], float] | None = None):
        super().__init__(tendency, dt)
        self._limit = limit

    def check_start(self, state: Any) -> None:
        longest = math.inf if self._limit is None else self._limit(state)
        if self.dt > longest:
            raise StepTooLong(longest, "where the Runge–Kutta method of order 4 is stable from this state", self.dt)

    def advance(self, inner: Any) -> Any:
        h, f = self.dt, self.tendency
        k1 = f(inner)
        k2 = f(inner + h / 2 * k1)
        k3 = f(inner + h / 2 * k2)
        return inner + h / 6 * (k1 + 2 * k2 + 2 * k3 + f(inner + h * k3))


class StrangSplitting(Stepper):
    """u_t = A(u) + B(u) by half a step of A, one of B, half a step of A: of order 2.

    Args:
        outer: takes half a step of A: its ``dt`` is half of the whole step.
        inner: takes a whole step of B.

    Raises:
        InputError: time steps that do not fit.

    Example:
        >>> halves, whole = RK4(lambda u: -u, 0.05), RK4(lambda u: -u * u, 0.1)
        >>> StrangSplitting(halves, whole).dt
        0.1
    """

    def __init__(self, outer: Stepper, inner: Stepper):
        if abs(2 * outer.dt - inner.dt) > 1e-12 * inner.dt:
            raise InputError(f"outer must have half of inner's time step {inner.dt}, got {outer.dt}")
        self.outer, self.inner, self.dt = outer, inner, inner.dt

    def check_start(self, state: Any) -> None:
        self.outer.check_start(state)
        self.inner.check_start(state)

    def advance(self, inner: Any) -> Any:
        return self.outer(self.inner(self.outer(inner)))
