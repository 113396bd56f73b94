"""Incompressible flow: SSP-RK3 of rates without divergence, with fast or preconditioned pressure solves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from functools import partial
from typing import Any

import numpy as np

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import _staggered as staggered
from opforge.pdes._arrays import detached, like, stack, unstack
from opforge.pdes._numbers import time_step
from opforge.pdes._pressure import FactoredPressure, checked_solid, floating_regions
from opforge.pdes.incompressible_flow import IncompressibleFlow
from opforge.solvers.pressure import PressureSolver
from opforge.solvers.stepping.limits import StepTooLong
from opforge.solvers.stepping.runge_kutta import SSPRK3
from opforge.solvers.stepping.stepper import Stepper

# Cells in three dimensions up to which sparse factors are faster than conjugate gradients: measured, 24³ and 32³.
_FACTORED = 2**14

# Parts of a step beyond which the flow is not one any more: whole steps make the run end at once.
_MOST_PARTS = 100

# Of |∇·u| h in parts of the speed, beyond which a state around obstacles is projected again.
_LEAK = 1e-8


class ProjectionStepper(Stepper):
    """SSP-RK3 of the part of the rates that has no divergence; states (samples, components, *space).

    The pressure is solved to rounding: in boxes without obstacles by fast transforms, around obstacles by sparse
    factors that are made once; in three dimensions beyond 2¹⁴ cells by conjugate gradients, to a relative residual of
    1e-9; or as ``pressure`` says. Around obstacles that is done on the CPU. Gradients flow through all of them.

    A step needs dt Σ (|u| + 4ν/Δx)/Δx <= 1, and with smoke dt Σ (2|u| + 4κ/Δx)/Δx <= 1. What is longer is refused
    before the start; where the flow of a sample grows faster on the way, its step is taken in as many parts as it
    needs.

    Args:
        equation: what is solved.
        grid: cells.
        dt: the time step, greater than 0.
        solid: obstacles, a truth value for every cell, or 0 and 1.
        pressure: the solver of the pressure around these obstacles, or what makes it from (solid, grid, boundary=…),
            such as ``functools.partial(PressureSolver, preconditioner=opforge.precond.load("multigrid_2d"))``.
        strict: whether a state that needs shorter steps is refused at the start; else steps are taken in parts from the
            start on.
        own: what samples have of their own, float64: numbers (samples,) in place of the equation's ``viscosity``,
            ``force``, ``buoyancy`` or ``diffusivity``, a source of smoke ``"q"`` (samples, *space).

    Raises:
        InputError: a time step that is not positive or beyond the limit of viscosity and stream, a viscosity that is
            negative, obstacles that are not 0 and 1, leave no fluid, or stop a stream; when it is given a state: a time
            step beyond the limit.

    Example:
        >>> step = ProjectionStepper(IncompressibleFlow(lid=1.0), Grid((16, 16)), dt=0.01)
        >>> step(np.zeros((1, 2, 16, 16))).shape
        (1, 2, 16, 16)
    """

    def __init__(
        self,
        equation: IncompressibleFlow,
        grid: Grid,
        dt: float,
        *,
        solid: np.ndarray | None = None,
        pressure: PressureSolver | Callable[..., PressureSolver] | None = None,
        strict: bool = True,
        own: Mapping[str, np.ndarray] | None = None,
    ):
        dt = time_step(dt)
        equation.check_grid(grid)
        self.equation, self.grid, self.dt = equation, grid, dt
        self._solve: Callable[[Any], Any] | None = None
        self._bodies: staggered.Bodies | None = None
        if solid is not None and np.any(solid := self._checked_solid(solid)):
            self._solve = self._solver(solid, pressure)
            self._bodies = staggered.Bodies.of(solid.astype(np.float64), equation.box)
        self._own = {name: self._checked(name, values) for name, values in (own or {}).items()}
        self._strict, self._times = strict, 1
        # the smoke's slopes are, and so may be the momentum's fluxes
        self.limited = equation.buoyancy is not None or equation.convection == "limited"
        self._check_step(self._speeds(np.zeros((1, len(equation.unknowns), *(1,) * grid.ndim))), "the viscosity")

    def halved(self) -> ProjectionStepper:
        finer = copy(self)
        finer._times = 2 * self._times
        return finer

    def _solver(
        self, solid: np.ndarray, pressure: PressureSolver | Callable[..., PressureSolver] | None
    ) -> Callable[[Any], Any]:
        boundary, grid = self.equation.boundary, self.grid
        if pressure is None and (grid.ndim == 2 or grid.size <= _FACTORED):
            return FactoredPressure(solid, grid, self.equation.box)
        given: Any = pressure or PressureSolver
        solver = given if isinstance(given, PressureSolver) else given(solid, grid, boundary=boundary)
        if not solver.solves(solid, grid, boundary):
            raise InputError("pressure must be that around the flow's obstacles, in its box, got another one's")
        return solver.of_divergence

    def _checked_solid(self, solid: Any) -> np.ndarray:
        solid = checked_solid(solid, self.grid)
        if self.equation.boundary == "stream":
            if solid[0].any():
                raise InputError("solid must leave the cells open at which the stream enters, the first ones along x")
            if floating_regions(solid, self.grid, self.equation.box)[0].any():
                raise InputError(
                    "solid must leave the stream a way to where it leaves, the last cells along x, got obstacles "
                    "across it; use fewer or smaller ones"
                )
        return solid

    def _checked(self, name: str, values: Any) -> np.ndarray:
        known = ("viscosity", "force", *(() if self.equation.buoyancy is None else ("buoyancy", "diffusivity", "q")))
        if name not in known:
            raise InputError(f"own must name {', '.join(known)} of {self.equation}, got {name!r}")
        values = np.asarray(values, dtype=np.float64)
        if not np.all(np.isfinite(values)):
            raise InputError(f"{name} must be finite for every sample, got NaN or infinity; correct it")
        if name in ("viscosity", "diffusivity", "q") and not np.all(values >= 0):
            raise InputError(f"{name} must be at least 0 for every sample, got {values.min()}")
        if name == "q" and values.shape[1:] != self.grid.shape:
            raise InputError(f"q must be an array (samples or 1, *{self.grid.shape}), got shape {values.shape}")
        return values if name == "q" else values.reshape(-1, *(1,) * self.grid.ndim)

    def prepare(self, state: Any) -> Any:
        self.equation.check_state(state, self.grid)
        if state.ndim != self.grid.ndim + 2:
            raise InputError(f"state must be an array (samples, components, *space), got shape {tuple(state.shape)}")
        for name, values in self._own.items():
            if len(values) not in (1, len(state)):
                raise InputError(f"{name} must have one value for each of {len(state)} samples, got {len(values)}")
        if self._strict:
            self._check_step(self._speeds(state), "the flow and the viscosity")
        return self._without_divergence(state)

    def _check_step(self, speeds: np.ndarray, why: str) -> None:
        fastest = float(speeds.max(initial=0.0))
        if self.dt * fastest > 1 + 1e-12:
            raise StepTooLong(1 / fastest, f"for {why} on this grid", self.dt)

    def advance(self, inner: Any) -> Any:
        speeds = self._speeds(inner)
        with np.errstate(invalid="ignore", over="ignore"):
            wanted = np.maximum(1, np.ceil(self.dt * speeds))
            parts = self._times * np.where(wanted <= _MOST_PARTS, wanted, 1).astype(int)  # of NaN 1 too
        counts = np.unique(parts)
        if len(counts) == 1:
            return self._in_parts(inner, int(counts[0]), slice(None))
        moved = {int(n): iter(self._in_parts(inner[parts == n], int(n), parts == n)) for n in counts}
        return stack([next(moved[int(n)]) for n in parts], 0)

    def pressure(self, state: Any) -> Any:
        """p (samples, *space) of states without divergence, such as this stepper's."""
        own, bodies = self._of(state, slice(None))
        return self.equation.pressure(state, self.grid, solve=self._solve, bodies=bodies, own=own)

    def _speeds(self, state: Any) -> np.ndarray:
        return self.equation.courant(state, self.grid, self._own)

    def _in_parts(self, inner: Any, parts: int, rows: Any) -> Any:
        own, bodies = self._of(inner, rows)

        def rate(state: Any) -> Any:
            return self.equation.tendency(state, self.grid, solve=self._solve, bodies=bodies, own=own)

        step = SSPRK3(rate, self.dt / parts)
        for _ in range(parts):
            inner = step.advance(inner)
        return inner if self._solve is None or self._tight(inner) else self._without_divergence(inner)

    def _tight(self, state: Any) -> bool:
        """Whether the tolerances of the pressure have not added up to a divergence yet."""
        velocity = [detached(u) for u in unstack(state, self.grid.ndim)[: self.grid.ndim]]
        off = np.abs(staggered.divergence(velocity, self.grid, self.equation.box)).max() * min(self.grid.spacing)
        return bool(off <= _LEAK * max(np.abs(u).max() for u in velocity)) or not np.isfinite(off)

    def _of(self, state: Any, rows: Any) -> tuple[dict[str, Any], staggered.Bodies | None]:
        """What these samples have of their own, and the obstacles, as arrays of the state's kind."""
        own = {name: like(state, values[rows] if len(values) > 1 else values) for name, values in self._own.items()}
        return own, None if self._bodies is None else self._bodies.like(state)

    def _without_divergence(self, state: Any) -> Any:
        ndim, box = self.grid.ndim, self.equation.box
        parts = unstack(state, ndim)
        bodies = None if self._bodies is None else self._bodies.like(state)
        velocity = [staggered.without_wall(u, i - ndim, box) for i, u in enumerate(parts[:ndim])]
        velocity, _ = staggered.projected(velocity, self.grid, box, self._solve, bodies)
        return stack([*velocity, *parts[ndim:]], -ndim - 1)


def pressure_systems(stepper: Callable[..., ProjectionStepper], state: np.ndarray, steps: int) -> Iterator[np.ndarray]:
    """The right-hand sides b (cells,) of all pressure systems A x = b of a run around obstacles, as it goes on.

    A step solves three, one for each stage, and one more where the tolerances of those before have added up.

    Args:
        stepper: makes the stepper, given ``pressure``; such as ``functools.partial(ProjectionStepper, equation, grid,
            dt, solid=solid)``.
        state: to start from, (samples, components, *space).
        steps: how many.

    Example:
        >>> from functools import partial
        >>> solid = np.zeros((8, 8))
        >>> solid[3:5, 3:5] = 1
        >>> make = partial(ProjectionStepper, IncompressibleFlow(lid=1.0), Grid((8, 8)), 0.01, solid=solid)
        >>> len(list(pressure_systems(make, np.zeros((1, 2, 8, 8)), steps=3)))
        9
    """
    seen: list[np.ndarray] = []
    one = stepper(pressure=partial(PressureSolver, on_system=lambda b, x: seen.append(b)))
    inner = one.prepare(state)
    for _ in range(steps):
        inner = one.advance(inner)
        yield from seen
        seen.clear()
