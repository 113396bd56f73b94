"""Incompressible flow in a box, past obstacles, driven by lids, forces and buoyant smoke."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.errors import InputError
from opforge.pdes import _staggered as staggered
from opforge.pdes._arrays import along, concatenate, flip, stack, unstack
from opforge.pdes._godunov import fastest
from opforge.pdes._numbers import axes_of_space, finite, not_negative
from opforge.pdes.equation import Field
from opforge.pdes.evolution import EvolutionEquation
from opforge.pdes.invariant import Invariant, conserved_mean
from opforge.pdes.symmetry import Symmetry, with_signs

BOUNDARIES = ("walls", "free slip", "channel", "periodic")


@dataclass(frozen=True)
class IncompressibleFlow(EvolutionEquation):
    """u_t + ∇·(u uᵀ) + ∇p = ν Δu + β s e_up + F e_x,  ∇·u = 0,  s_t + ∇·(u s) = 0 for smoke s, if there is any.

    All quantities are without dimension; up is the last axis. The grid is staggered: the entry of a velocity for a cell
    is that through the cell's upper face along its axis; smoke is at cell centres. Central differences of order 2 that
    conserve momentum and, without viscosity and in space, energy; smoke by limited slopes.

    Args:
        ndim: axes of space: 2 or 3.
        viscosity: ν >= 0.
        boundary: ``"walls"``, a closed box to which the flow sticks; ``"free slip"``, one along which it slides;
            ``"channel"``, periodic along x, walls elsewhere; ``"periodic"``.
        lid: speed along x of the upper wall of the last axis; with walls it sticks to.
        force: F, a constant force along x; for channels.
        buoyancy: β, with which there is smoke; none unless given.

    Raises:
        InputError: numbers out of range, an unknown boundary, a lid without walls.

    Example:
        >>> grid = Grid((16, 16))
        >>> rest = np.zeros((2, 16, 16))
        >>> rate = IncompressibleFlow(lid=1.0).tendency(rest, grid)
        >>> bool(abs(rate).max() > 0)  # the lid sets the flow in motion
        True

    Source:
        Harlow and Welch, "Numerical calculation of time-dependent viscous incompressible flow of fluid with free
        surface"; Chorin, "Numerical solution of the Navier–Stokes equations".
    """

    ndim: int = 2
    viscosity: float = 0.01
    boundary: Literal["walls", "free slip", "channel", "periodic"] = "walls"  # type: ignore[misc]
    lid: float = 0.0
    force: float = 0.0
    buoyancy: float | None = None

    name: ClassVar[str] = "incompressible_flow"
    points: ClassVar[Points] = "cells"
    dimensions: ClassVar[tuple[int, ...]] = (2, 3)
    method: ClassVar[str] = "staggered finite volumes, projection by cosine transforms or AMG-CG; SSP-RK3"
    order: ClassVar[str] = "2 in space, 3 in time; 1 at obstacles"

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        object.__setattr__(self, "viscosity", not_negative("viscosity", self.viscosity))
        if self.boundary not in BOUNDARIES:
            raise InputError(f"boundary must be one of {', '.join(BOUNDARIES)}, got {self.boundary!r}")
        for name in ("lid", "force"):
            object.__setattr__(self, name, finite(name, getattr(self, name)))
        if self.lid and self.boundary not in ("walls", "channel"):
            raise InputError(
                f"lid must be 0 where the flow does not stick to walls ({self.boundary!r}), got {self.lid}"
            )
        if self.buoyancy is not None:
            object.__setattr__(self, "buoyancy", finite("buoyancy", self.buoyancy))

    @property
    def fields(self) -> tuple[Field, ...]:
        axes = "xyz"[: self.ndim]
        velocities = (Field("uvw"[i], f"velocity along {axis}, on upper faces") for i, axis in enumerate(axes))
        return (*velocities, *(() if self.buoyancy is None else (Field("s", "density of the smoke"),)))

    @property
    def unknowns(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def box(self) -> staggered.Box:
        """Periodic axes and walls."""
        around = {"periodic": (True,) * self.ndim, "channel": (True, *(False,) * (self.ndim - 1))}
        return staggered.Box(around.get(self.boundary, (False,) * self.ndim), self.boundary == "free slip", self.lid)

    @property
    def invariants(self) -> tuple[Invariant, ...]:
        smoke = () if self.buoyancy is None else (conserved_mean("s", "mass of the smoke", 1e-12),)
        still = Invariant("incompressibility", "∇·u = 0", _divergence, 1e-6)
        return (still, *smoke)

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """The mirror image along x, in boxes without lid or force."""
        return () if self.lid or self.force else (FaceReflection(0, self.boundary in ("channel", "periodic")),)

    def tendency(self, state: Any, grid: Grid, solve: Any = None, fluid: Any = None) -> Any:
        """How fast velocities and smoke (..., components, *space) change, without divergence.

        Args:
            state: velocities without divergence, and smoke.
            grid: cells.
            solve: gives the potential of a divergence; by fast transforms unless given.
            fluid: 1 on faces that are open, 0 on others, (..., ndim, *space); all are open unless given.

        Raises:
            InputError: a state or a grid that do not fit.
        """
        self.check_state(state, grid)
        parts, box = unstack(state, grid.ndim), self.box
        velocity = [staggered.without_wall(u, i - grid.ndim, box) for i, u in enumerate(parts[: grid.ndim])]
        rates = staggered.momentum_rate(velocity, self.viscosity, grid, box)
        if self.force:
            rates[0] = rates[0] + self.force
        if self.buoyancy is not None:
            s = parts[-1]
            lifted = self.buoyancy * (s + box.above(s, -1)) / 2
            rates[-1] = rates[-1] + staggered.without_wall(lifted, -1, box)
        if fluid is not None:
            rates = [rate * open_ for rate, open_ in zip(rates, unstack(fluid, grid.ndim), strict=True)]
        rates, _ = staggered.projected(rates, grid, box, solve)
        if fluid is not None:
            rates = [rate * open_ for rate, open_ in zip(rates, unstack(fluid, grid.ndim), strict=True)]
        smoke = [] if self.buoyancy is None else [staggered.carried_rate(parts[-1], velocity, grid, box)]
        return stack([*rates, *smoke], -grid.ndim - 1)

    def divergence(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """∇·u at the cells, (..., *space)."""
        return staggered.divergence([fields[name] for name in "uvw"[: grid.ndim]], grid, self.box)

    def courant(self, state: Any, grid: Grid) -> float:
        """The greatest Σ |u|/Δx + 4ν/Δx²: a step needs dt times it to be at most 1."""
        velocity = unstack(state, grid.ndim)[: grid.ndim]
        return fastest(lambda axis: abs(velocity[axis]) + 4 * self.viscosity / grid.spacing[axis], grid.spacing)

    def exact(self, grid: Grid, times: Sequence[float] | None = None) -> dict[str, np.ndarray]:
        """Taylor and Green's vortices, periodic or between walls along which the flow slides, in two dimensions.

        u = sin κx cos κ'y, v = −(κ/κ') cos κx sin κ'y, times e^{−ν(κ² + κ'²)t}, with half waves (periodic: waves) in
        the box; without smoke.

        Raises:
            InputError: other boxes.
        """
        self.check_grid(grid)
        if self.boundary not in ("periodic", "free slip") or self.ndim != 2 or self.force or self.buoyancy is not None:
            return super().exact(grid)
        t = (np.linspace(0.0, 0.5, 6) if times is None else np.asarray(times, dtype=np.float64)).reshape(-1, 1, 1)
        x, y = (c - start for c, start in zip(grid.mesh(), grid.origin, strict=True))
        (hx, hy), waves = grid.spacing, 2 if self.boundary == "periodic" else 1
        a, b = (waves * np.pi / length for length in grid.lengths)
        decay = np.exp(-self.viscosity * (a**2 + b**2) * t)
        # of the discrete divergence: the ratio of central differences
        ratio = (np.sin(a * hx / 2) / hx) / (np.sin(b * hy / 2) / hy)
        u = np.sin(a * (x + hx / 2)) * np.cos(b * y)
        v = -ratio * np.cos(a * x) * np.sin(b * (y + hy / 2))
        if waves == 1:
            u[-1], v[:, -1] = 0.0, 0.0
        return {"u": decay * u, "v": decay * v, "time": t[:, 0, 0]}


def _divergence(equation: Any, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
    """The greatest |∇·u| h over the greatest speed, of all frames."""
    space = tuple(range(-grid.ndim - 1, 0))
    off = np.abs(equation.divergence(fields, grid)).max(space) * min(grid.spacing)
    speed = np.max([np.abs(fields[name]).max(space) for name in "uvw"[: grid.ndim]], axis=0)
    return off / np.where(speed > 0, speed, 1.0)


@dataclass(frozen=True)
class FaceReflection:
    """The mirror image along an axis of a staggered grid: the velocity along it turns round, its faces change sides.

    Args:
        axis: axis of space.
        periodic: whether the axis is.

    Example:
        >>> moved = FaceReflection(0)({"u": np.array([1.0, 2.0, 0.0]), "s": np.array([1.0, 2.0, 3.0])}, 1)
        >>> moved["u"].tolist(), moved["s"].tolist()
        ([-2.0, -1.0, -0.0], [3.0, 2.0, 1.0])
    """

    axis: int
    periodic: bool = False

    @property
    def name(self) -> str:
        return f"reflection {'xyz'[self.axis]}"

    def applies_to(self, grid: Grid) -> bool:
        return self.axis < grid.ndim and grid.points == "cells"

    def __call__(self, fields: Mapping[str, Any], ndim: int) -> dict[str, Any]:
        axis, along_it = self.axis - ndim, "uvw"[self.axis]
        moved = {}
        for name, values in fields.items():
            if name.partition("[")[0] == along_it:
                inner, last = along(values, axis, None, -1), along(values, axis, -1, None)
                moved[name] = concatenate([flip(inner, axis), last], axis)
            else:
                moved[name] = flip(values, axis)
        return with_signs(moved, (along_it,))
