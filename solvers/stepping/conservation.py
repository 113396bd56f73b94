"""Conservation laws by finite volumes: steps of SSP-RK3 that the fastest wave limits, and that stay physical."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, Protocol

import numpy as np

from opforge.core import Grid
from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError
from opforge.pdes._arrays import check_array, concatenate, detached, like, stack
from opforge.pdes._godunov import Walls
from opforge.pdes._numbers import time_step
from opforge.solvers.stepping._positive import positive_euler, samples_that_fail
from opforge.solvers.stepping.limits import StepTooLong
from opforge.solvers.stepping.stepper import Stepper

# How often a step is halved that leaves what is physical even without slopes.
_HALVED = 4


class ConservationLaw(Protocol):
    """What an equation has that is solved by finite volumes; its states are primitive variables."""

    @property
    def boundary(self) -> Walls: ...
    def check_state(self, state: Any, grid: Grid) -> None: ...
    def check_physical(self, state: Any, ndim: int) -> None: ...
    def check_medium(self, medium: Any, samples: int, grid: Grid, /) -> None: ...
    def physical(self, conserved: Any, ndim: int) -> Any: ...
    def crossings(self, state: Any, grid: Grid, medium: Any = None, /) -> Any: ...
    def conserved(self, state: Any, ndim: int) -> Any: ...
    def primitive(self, conserved: Any, ndim: int) -> Any: ...
    def conserved_rate(self, state: Any, grid: Grid, medium: Any = None, keep: Any = None, /) -> list[Any]: ...


class FiniteVolumes(Stepper):
    """Finite volumes in space, SSP-RK3 in time, for states of primitive variables (samples, components, *space).

    A step needs dt Σ (|u| + c)/Δx <= 1. What is longer is refused before the start; where waves grow faster on the way,
    a sample's step is taken in as many parts as it needs.

    Depths, densities and pressures stay positive: SSP-RK3 is made of Euler steps, and where one of them would leave a
    cell that is not physical, it is taken again without slopes in that cell and its neighbours, of order 1 there. Where
    that does not help the step is halved.

    Args:
        equation: `opforge.pdes.ShallowWater` or `CompressibleFlow`.
        grid: cell centres.
        dt: the time step, greater than 0.
        medium: what the equation's rate takes beside the state: the bottom of shallow water (samples or 1, *space), the
            viscosities η and ζ of a gas (samples, 2).
        strict: whether a state that needs shorter steps is refused at the start; else steps are taken in parts from the
            start.

    Raises:
        InputError: a time step that is not positive; when it is given a state: one that is not physical, a medium that
            does not fit it, a time step beyond the limit, with the limit.

    Example:
        >>> from opforge.pdes import ShallowWater
        >>> grid, equation = Grid((32,)), ShallowWater(ndim=1)
        >>> state = np.stack([1 + (grid.coordinates()[0] < 0.5), np.zeros(32)])[None]
        >>> FiniteVolumes(equation, grid, dt=0.01)(state).shape
        (1, 2, 32)
    """

    limited = True

    def __init__(self, equation: ConservationLaw, grid: Grid, dt: float, medium: Any = None, *, strict: bool = True):
        dt = time_step(dt)
        self.equation, self.grid, self.dt = equation, grid, dt
        if medium is not None:
            check_array("medium", medium)
        self._medium, self._strict = medium, strict
        self._times = 1

    def halved(self) -> FiniteVolumes:
        finer = copy(self)
        finer._times = 2 * self._times
        return finer

    def prepare(self, state: Any) -> Any:
        self.equation.check_state(state, self.grid)
        if str(state.dtype).removeprefix("torch.") not in ("float32", "float64"):
            raise InputError(f"state must hold float32 or float64, got {state.dtype}; convert it")
        self.equation.check_physical(state, self.grid.ndim)
        if self._medium is not None:
            if is_torch(self._medium) and not is_torch(state):
                raise InputError("medium must be an array of numpy, as the state is, got a tensor; convert one of them")
            self.equation.check_medium(self._medium, len(state), self.grid)
        limit = 1 / float(self._speeds(state, self._medium_like(state)).max())
        if self._strict and self.dt > limit:
            raise StepTooLong(limit, "the time in which the fastest wave crosses a cell", self.dt)
        return self.equation.conserved(state, self.grid.ndim)

    def advance(self, inner: Any) -> Any:
        with np.errstate(invalid="ignore", divide="ignore"):  # what leaves the numbers is looked for, and told
            medium = self._medium_like(inner)
            speeds = self._speeds(self.equation.primitive(inner, self.grid.ndim), medium)
            parts = np.where(np.isfinite(speeds), np.maximum(1, np.ceil(self.dt * speeds)), 1) * self._times
            return _by_key(parts, inner, medium, self._in_parts)

    def finish(self, inner: Any) -> Any:
        return self.equation.primitive(inner, self.grid.ndim)

    def _in_parts(self, parts: float, inner: Any, medium: Any) -> Any:
        for _ in range(int(parts)):
            inner = self._step(inner, medium, self.dt / parts, _HALVED)
        return inner

    def _step(self, inner: Any, medium: Any, dt: float, halvings: int) -> Any:
        """SSP-RK3 by convex sums of Euler steps; where a sample needs it in steps of half the length."""
        first, bad_1 = self._euler(inner, medium, dt)
        second, bad_2 = self._euler(first, medium, dt)
        third, bad_3 = self._euler(0.75 * inner + 0.25 * second, medium, dt)
        found, again = inner / 3 + 2 / 3 * third, bad_1 | bad_2 | bad_3
        if again.any():  # unless the step began outside of the numbers
            again &= ~samples_that_fail(self.equation.physical(inner, self.grid.ndim))
        if not again.any():
            return found
        if not halvings:  # the run ends: what is not physical is no number
            lost = like(inner, np.where(again, np.nan, 0.0))
            return found + lost.reshape(-1, *(1,) * (self.grid.ndim + 1))

        def halved(needed: bool, start: Any, of_these: Any) -> Any:
            if not needed:
                return found[np.flatnonzero(~again)]
            half = self._step(start, of_these, dt / 2, halvings - 1)
            return self._step(half, of_these, dt / 2, halvings - 1)

        return _by_key(again, inner, medium, halved)

    def _euler(self, inner: Any, medium: Any, dt: float) -> tuple[Any, np.ndarray]:
        ndim = self.grid.ndim
        state = self.equation.primitive(inner, ndim)

        def rate(keep: Any) -> Any:
            return stack(self.equation.conserved_rate(state, self.grid, medium, keep), -ndim - 1)

        def physical(conserved: Any) -> Any:
            return self.equation.physical(conserved, ndim)

        return positive_euler(inner, dt, rate, physical=physical, ndim=ndim, boundary=self.equation.boundary)

    def _speeds(self, state: Any, medium: Any) -> np.ndarray:
        """How many cells a sample's fastest wave crosses in a unit of time: (samples,)."""
        found = detached(self.equation.crossings(state, self.grid, medium))
        return found.reshape(len(found), -1).max(1)

    def _medium_like(self, inner: Any) -> Any:
        return like(inner, self._medium) if isinstance(self._medium, np.ndarray) else self._medium


def _by_key(keys: np.ndarray, inner: Any, medium: Any, function: Callable[[Any, Any, Any], Any]) -> Any:
    """``function(key, inner, medium)`` of the samples with each key, in the samples' order."""
    found = np.unique(keys)
    if len(found) == 1:
        return function(found[0], inner, medium)
    rows = [np.flatnonzero(keys == key) for key in found]
    results = []
    for key, some in zip(found, rows, strict=True):
        of_these = medium if medium is None or len(medium) != len(keys) else medium[some]
        results.append(function(key, inner[some], of_these))
    return concatenate(results, 0)[np.argsort(np.concatenate(rows))]
