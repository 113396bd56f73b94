"""Waves: leapfrog in any medium, and the exact solution in a homogeneous one."""

from __future__ import annotations

from typing import Any

import numpy as np

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes._arrays import along, check_array, concatenate, full_like, like
from opforge.pdes._constants import Constant
from opforge.pdes._eigenmodes import eigenvalues, from_modes, to_modes
from opforge.pdes._finite_volumes import divergence
from opforge.pdes._numbers import time_step
from opforge.pdes.wave import Wave
from opforge.solvers.stepping._timed import Timed, start_of
from opforge.solvers.stepping.limits import StepTooLong
from opforge.solvers.stepping.stepper import Stepper


class Leapfrog(Stepper):
    """Velocity Verlet for the wave equation: v + dt/2 (L u + f), then u + dt v, then v + dt/2 (L u + f); of order 2.

    Half steps of damping are exact, e^(−d dt/2). Without damping and source the method is symplectic: ½|v|² − ½ u·Lu −
    (dt²/8)|Lu|² is kept to rounding. A source that changes with time is that at the ends of a step; such steps are not
    `recordable`.

    Args:
        equation: what is solved.
        grid: cell centres.
        dt: the time step, at most `Wave.longest_step`.
        speed: c of every sample and cell, (samples or 1, *space), instead of the equation's.
        source: f of v_t = ∇·(c²∇u) − d v + f, numpy or torch, (samples or 1, *space), or a function of time that gives
            such arrays; none unless given.
        start: the time of states that steps are begun from; what a function of time is given is counted from there.

    Raises:
        InputError: a time step that is not positive or not stable, a speed that is not positive or of another shape, a
            start that is not finite; when it is given a state: a speed or a source of another number of samples.

    Example:
        >>> step = Leapfrog(Wave(ndim=1), Grid((32,)), dt=0.03)
        >>> step(np.ones((1, 2, 32))).shape
        (1, 2, 32)
        >>> Wave(ndim=1).longest_step(Grid((32,)))
        0.03125
        >>> pushed = Leapfrog(Wave(1, boundary="neumann"), Grid((4,)), 0.1, source=lambda t: np.full((1, 4), t))
        >>> float(pushed(np.zeros((1, 2, 4)))[0, 1, 0].round(12))  # ∫ t dt
        0.005
    """

    recordable = True

    def __init__(
        self,
        equation: Wave,
        grid: Grid,
        dt: float,
        speed: Any = None,
        *,
        source: Any = None,
        start: float = 0.0,
    ):
        dt = time_step(dt)
        equation.check_grid(grid)
        if speed is not None:
            _check_speed(speed, grid)
        limit = equation.longest_step(grid, speed)
        if dt > limit * (1 + 1e-12):
            raise StepTooLong(limit, "where leapfrog is stable on this grid", dt)
        self.equation, self.grid, self.dt = equation, grid, dt
        self._speed = None if speed is None else speed[:, None]
        self._constant = Constant(self._speed) if isinstance(self._speed, np.ndarray) else None
        self._damped = float(np.exp(-equation.damping * dt / 2))
        self.source, self.start, self.recordable = source, start_of(start), not callable(source)
        self._steady = Constant(source) if isinstance(source, np.ndarray) else None

    def prepare(self, state: Any) -> Any:
        self.equation.check_state(state, self.grid)
        if self._speed is not None and len(self._speed) not in (1, len(state)):
            raise InputError(f"speed must be that of each of {len(state)} samples, or of one, got {len(self._speed)}")
        return Timed(state, 0) if callable(self.source) else state

    def advance(self, inner: Any) -> Any:
        if not isinstance(inner, Timed):
            return self._step(inner, self.start)
        return inner.after(self._step(inner.state, self.start + inner.steps * self.dt))

    def finish(self, inner: Any) -> Any:
        return inner.state if isinstance(inner, Timed) else inner

    def _step(self, state: Any, time: float) -> Any:
        axis = -self.grid.ndim - 1
        u, v = along(state, axis, 0, 1), along(state, axis, 1, 2)
        v = self._damped * v + self.dt / 2 * self._push(u, time)
        u = u + self.dt * v
        v = self._damped * (v + self.dt / 2 * self._push(u, time + self.dt))
        return concatenate([u, v], axis)

    def _push(self, u: Any, time: float) -> Any:
        """∇·(c²∇u) + f at a time."""
        c = full_like(u, self.equation.speed) if self._speed is None else self._of(u)
        pull = divergence(c * c, u, self.grid.spacing, self.equation.boundary)
        return pull if self.source is None else pull + self._force(u, time)

    def _force(self, u: Any, time: float) -> Any:
        """f at a time, (samples or 1, 1, *space) of the kind of u."""
        found: Any = self.source(time) if callable(self.source) else self.source
        if tuple(found.shape) not in {(count, *self.grid.shape) for count in (1, len(u))}:
            raise InputError(
                f"source must be an array (samples or 1, *space) for {len(u)} samples on "
                f"{'x'.join(map(str, self.grid.shape))} cells, got shape {tuple(found.shape)} at time {time:g}"
            )
        if self._steady is not None:
            return self._steady.like(u)[:, None]
        return (like(u, found) if isinstance(found, np.ndarray) else found.to(u))[:, None]

    def _of(self, u: Any) -> Any:
        if self._constant is not None:
            return self._constant.like(u)
        assert self._speed is not None
        return self._speed.to(u)


def _check_speed(speed: Any, grid: Grid) -> None:
    check_array("speed", speed)
    if tuple(speed.shape[1:]) != grid.shape:
        shape = ", ".join(map(str, grid.shape))
        raise InputError(f"speed must be an array (samples or 1, {shape}), got shape {tuple(speed.shape)}")
    if not bool(((speed > 0) & (speed < np.inf)).all()):
        raise InputError(
            f"speed must be finite and greater than 0 everywhere, got values from {float(speed.min()):.3g}; correct it"
        )


class ExactWave(Stepper):
    """Waves in a homogeneous medium without damping, exact for the sum of eigenfunctions that a state is.

    Args:
        equation: what is solved.
        grid: cell centres.
        dt: the time step, greater than 0, as long as you like.
        speed: c of every sample (samples,), instead of the equation's.

    Raises:
        InputError: damping, a time step or a speed that is not positive.

    Example:
        >>> grid, equation = Grid((16,)), Wave(ndim=1)
        >>> fields = equation.exact(grid, [0.0, 0.7])
        >>> state = np.stack([fields["u"][0], fields["v"][0]])[None]
        >>> np.allclose(ExactWave(equation, grid, 0.7)(state)[0, 0], fields["u"][1])
        True
    """

    def __init__(self, equation: Wave, grid: Grid, dt: float, speed: np.ndarray | None = None):
        if equation.damping:
            raise InputError(f"damping must be 0 for the exact solution, got {equation.damping}; use Leapfrog")
        dt = time_step(dt)
        self.equation, self.grid, self.dt = equation, grid, dt
        equation.check_grid(grid)
        self._samples = 1 if speed is None else np.size(speed)
        c = np.asarray(equation.speed if speed is None else speed, dtype=np.float64)
        if not np.all((c > 0) & (c < np.inf)):
            raise InputError(f"speed must be greater than 0, got {speed!r}")
        if c.ndim:
            c = c.reshape(-1, *(1,) * (grid.ndim + 1))  # samples, components, space
        omega = c * np.sqrt(eigenvalues(grid, equation.boundary))
        self._cos = Constant(np.cos(omega * dt))
        self._sin = Constant(dt * np.sinc(omega * dt / np.pi))  # sin ωt/ω
        self._back = Constant(-omega * np.sin(omega * dt))

    def prepare(self, state: Any) -> Any:
        self.equation.check_state(state, self.grid)
        if self._samples not in (1, len(state)):
            raise InputError(f"speed must have one value for each of {len(state)} samples, got {self._samples}")
        return state

    def advance(self, inner: Any) -> Any:
        axis, boundary = -self.grid.ndim - 1, self.equation.boundary
        modes = to_modes(inner, self.grid, boundary)
        u, v = along(modes, axis, 0, 1), along(modes, axis, 1, 2)
        cos, sin, back = (x.like(modes) for x in (self._cos, self._sin, self._back))
        moved = concatenate([cos * u + sin * v, back * u + cos * v], axis)
        return from_modes(moved, self.grid, boundary)
