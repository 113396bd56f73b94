"""Conservation laws by finite volumes: steps of SSP-RK3 that the fastest wave limits."""

from __future__ import annotations

import math
from copy import copy
from typing import Any, Protocol

import numpy as np

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes._arrays import stack
from opforge.solvers.stepping.runge_kutta import SSPRK3
from opforge.solvers.stepping.stepper import Stepper


class ConservationLaw(Protocol):
    """What an equation has that is solved by finite volumes; its states are primitive variables."""

    def check_state(self, state: Any, grid: Grid) -> None: ...
    def check_physical(self, state: Any, ndim: int) -> None: ...
    def courant(self, state: Any, grid: Grid) -> float: ...
    def conserved(self, state: Any, ndim: int) -> Any: ...
    def primitive(self, conserved: Any, ndim: int) -> Any: ...
    def conserved_rate(self, state: Any, grid: Grid, *media: Any) -> list[Any]: ...


class FiniteVolumes(Stepper):
    """Finite volumes in space, SSP-RK3 in time, for states of primitive variables (samples, components, *space).

    A step needs dt Σ (|u| + c)/Δx <= 1. What is longer is refused before the start; where waves grow faster on the way,
    a step is taken in as many parts as it needs.

    Args:
        equation: `opforge.pdes.ShallowWater` or `CompressibleFlow`.
        grid: cell centres.
        dt: the time step, greater than 0.
        medium: what the equation's rate takes beside the state, (samples or 1, *space): the bottom of shallow water.

    Raises:
        InputError: a time step that is not positive; when it is given a state: one that is not physical, a time step
            beyond the limit, with the limit.

    Example:
        >>> from opforge.pdes import ShallowWater
        >>> grid, equation = Grid((32,)), ShallowWater(ndim=1)
        >>> state = np.stack([1 + (grid.coordinates()[0] < 0.5), np.zeros(32)])[None]
        >>> FiniteVolumes(equation, grid, dt=0.01)(state).shape
        (1, 2, 32)
    """

    limited = True

    def __init__(self, equation: ConservationLaw, grid: Grid, dt: float, medium: Any = None):
        if not 0 < dt < np.inf:
            raise InputError(f"dt must be a time greater than 0, got {dt!r}")
        self.equation, self.grid, self.dt = equation, grid, float(dt)
        self._medium = () if medium is None else (medium,)
        self._times = 1

    def halved(self) -> FiniteVolumes:
        finer = copy(self)
        finer._times = 2 * self._times
        return finer

    def prepare(self, state: Any) -> Any:
        self.equation.check_state(state, self.grid)
        self.equation.check_physical(state, self.grid.ndim)
        limit = 1 / self.equation.courant(state, self.grid)
        if self.dt > limit:
            raise InputError(
                f"dt must be at most {limit:.4g}, the time in which the fastest wave crosses a cell, "
                f"got {self.dt:.4g}; take more steps"
            )
        return self.equation.conserved(state, self.grid.ndim)

    def advance(self, inner: Any) -> Any:
        speed = self.equation.courant(self.equation.primitive(inner, self.grid.ndim), self.grid)
        parts = self._times * (max(1, math.ceil(self.dt * speed)) if math.isfinite(speed) else 1)
        step = SSPRK3(self._rate, self.dt / parts)
        for _ in range(parts):
            inner = step.advance(inner)
        return inner

    def finish(self, inner: Any) -> Any:
        return self.equation.primitive(inner, self.grid.ndim)

    def _rate(self, conserved: Any) -> Any:
        state = self.equation.primitive(conserved, self.grid.ndim)
        return stack(self.equation.conserved_rate(state, self.grid, *self._medium), -self.grid.ndim - 1)
