"""Incompressible flow in a box, past obstacles, driven by lids, forces and buoyant smoke."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.full_transforms.transforms import is_torch
from opforge.core.grid import Points
from opforge.errors import InputError
from opforge.pdes import _staggered as staggered
from opforge.pdes._arrays import along, concatenate, detached, flip, stack, unstack
from opforge.pdes._momentum import momentum_rate
from opforge.pdes._numbers import axes_of_space, finite, not_negative, positive
from opforge.pdes._pressure import EachPressure
from opforge.pdes.equation import Field
from opforge.pdes.evolution import EvolutionEquation
from opforge.pdes.invariant import Invariant, drift, relative
from opforge.pdes.symmetry import Symmetry, Transposition, shifts, with_signs

BOUNDARIES = ("walls", "free slip", "channel", "stream", "periodic")
CONVECTION = ("limited", "central")

# Parameters that a sample may have of its own, and fields that do not change with time.
_OWN, _STILL = ("viscosity", "force", "buoyancy", "diffusivity"), ("solid", "q")


@dataclass(frozen=True)
class IncompressibleFlow(EvolutionEquation):
    """u_t + ∇·(u uᵀ) + ∇p = ν Δu + β s e_up + F e_x,  ∇·u = 0,  s_t + ∇·(u s) = κ Δs + q for smoke or heat s.

    All quantities are without dimension; up is the last axis. The grid is staggered: the entry of a velocity for a cell
    is that through the cell's upper face along its axis; pressure and smoke are at cell centres. Central differences of
    order 2 that conserve momentum, limited where cells are too large for the viscosity; smoke by limited slopes.

    A field ``"solid"`` is 1 in obstacles, to which the flow sticks, and 0 elsewhere; a field ``"q"`` >= 0 is a source
    of smoke. Neither changes with time.

    Args:
        ndim: axes of space: 2 or 3.
        viscosity: ν >= 0.
        boundary: ``"walls"``, a closed box to which the flow sticks; ``"free slip"``, one along which it slides;
            ``"channel"``, periodic along x, walls elsewhere; ``"stream"``, which enters at the lower end of x with the
            speed ``inflow``, without smoke, slides along the sides, and leaves at the upper end, where p = 0;
            ``"periodic"``.
        lid: speed along x of the upper wall of the last axis; with walls it sticks to.
        force: F, a constant force along x; for channels.
        buoyancy: β, with which there is smoke; none unless given.
        inflow: speed of a stream, greater than 0; only of a stream.
        diffusivity: κ >= 0 of the smoke.
        convection: ``"limited"``, fluxes of momentum without stripes ahead of bodies and lids, which never add to the
            energy: central ones where the velocity is smooth from cell to cell or cells resolve the viscosity,
            |u| Δx <= 2ν, and upwind ones at extremes; ``"central"``, which conserve the energy without viscosity.

    Raises:
        InputError: numbers out of range, an unknown boundary, a lid without walls, a stream without speed.

    Example:
        >>> grid = Grid((16, 16))
        >>> rest = np.zeros((2, 16, 16))
        >>> rate = IncompressibleFlow(lid=1.0).tendency(rest, grid)
        >>> bool(abs(rate).max() > 0)  # the lid sets the flow in motion
        True

    Source:
        Harlow and Welch, "Numerical calculation of time-dependent viscous incompressible flow of fluid with free
        surface"; Chorin, "Numerical solution of the Navier–Stokes equations"; Sweby, "High resolution schemes using
        flux limiters for hyperbolic conservation laws".
    """

    ndim: int = 2
    viscosity: float = 0.01
    boundary: Literal["walls", "free slip", "channel", "stream", "periodic"] = "walls"
    lid: float = 0.0
    force: float = 0.0
    buoyancy: float | None = None
    inflow: float = 0.0
    diffusivity: float = 0.0
    convection: Literal["limited", "central"] = "limited"

    name: ClassVar[str] = "incompressible_flow"
    points: ClassVar[Points] = "cells"
    dimensions: ClassVar[tuple[int, ...]] = (2, 3)
    method: ClassVar[str] = (
        "staggered finite volumes, limited central fluxes; projection by transforms, factors or CG; SSP-RK3"
    )
    central_method: ClassVar[str] = method.replace("limited central", "central")
    order: ClassVar[str] = "2 in space, 3 in time; 1 at obstacles; lower where fluxes are limited"

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        for name in ("viscosity", "diffusivity"):
            object.__setattr__(self, name, not_negative(name, getattr(self, name)))
        if self.boundary not in BOUNDARIES:
            raise InputError(f"boundary must be one of {', '.join(BOUNDARIES)}, got {self.boundary!r}")
        if self.convection not in CONVECTION:
            raise InputError(f"convection must be one of {', '.join(CONVECTION)}, got {self.convection!r}")
        for name in ("lid", "force", "inflow"):
            object.__setattr__(self, name, finite(name, getattr(self, name)))
        if self.lid and self.boundary not in ("walls", "channel"):
            raise InputError(
                f"lid must be 0 where the flow does not stick to walls ({self.boundary!r}), got {self.lid}"
            )
        if self.boundary == "stream":
            positive("inflow", self.inflow, "of a stream")
        elif self.inflow:
            raise InputError(f"inflow must be 0 unless boundary='stream', got {self.inflow} with {self.boundary!r}")
        if self.buoyancy is not None:
            object.__setattr__(self, "buoyancy", finite("buoyancy", self.buoyancy))
        elif self.diffusivity:
            raise InputError(f"diffusivity must be 0 without smoke, got {self.diffusivity}; set buoyancy")

    @property
    def fields(self) -> tuple[Field, ...]:
        axes = "xyz"[: self.ndim]
        velocities = (Field("uvw"[i], f"velocity along {axis}, on upper faces") for i, axis in enumerate(axes))
        smoke = () if self.buoyancy is None else (Field("s", "density of the smoke"),)
        return (*velocities, Field("p", "pressure"), *smoke)

    @property
    def unknowns(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields if field.name != "p")

    @property
    def box(self) -> staggered.Box:
        """Periodic axes, walls, a stream."""
        around = {"periodic": (True,) * self.ndim, "channel": (True, *(False,) * (self.ndim - 1))}
        stream = self.boundary == "stream"
        slip, inflow = self.boundary == "free slip" or stream, self.inflow if stream else None
        return staggered.Box(around.get(self.boundary, (False,) * self.ndim), slip, self.lid, inflow)

    @property
    def invariants(self) -> tuple[Invariant, ...]:
        kept = self.buoyancy is not None and self.boundary != "stream"
        smoke = Invariant("mass of the smoke", "the mean of s grows by that of the source", _smoke_lost, 1e-12)
        still = Invariant("incompressibility", "∇·u = 0", _divergence, 1e-6)
        return (still, smoke) if kept else (still,)

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Mirror images along axes in whose direction nothing drives the flow, transpositions of those, shifts."""
        x, up = 0, self.ndim - 1
        driven = {x} if self.lid or self.force or self.boundary == "stream" else set()
        driven |= {up} if self.lid or self.buoyancy is not None else set()
        free, around = [i for i in range(self.ndim) if i not in driven], self.box.periodic
        return (
            *(FaceReflection(i, around[i]) for i in free),
            *(
                Transposition(i, j, swapped=(("uvw"[i], "uvw"[j]),))
                for i in free
                for j in free
                if i < j and around[i] == around[j]
            ),
            *(shift for shift in shifts(self.ndim, "cells") if around[shift.axis]),
        )

    def tendency(
        self, state: Any, grid: Grid, *, solve: Any = None, bodies: Any = None, own: Mapping[str, Any] | None = None
    ) -> Any:
        """How fast velocities and smoke (..., components, *space) change, without divergence.

        Args:
            state: velocities without divergence, and smoke.
            grid: cells.
            solve: gives the potential of a divergence; by fast transforms unless given.
            bodies: obstacles, `_staggered.Bodies`; none unless given, else ``solve`` must know them.
            own: what samples have of their own: numbers in place of members, the source ``"q"`` of smoke; arrays that
                broadcast against (..., *space).

        Raises:
            InputError: a state or a grid that do not fit.
        """
        rates, smoke = self._rates(state, grid, bodies, own or {})
        rates, _ = staggered.projected(rates, grid, self.box.at_rest(), solve, bodies)
        return stack([*rates, *smoke], -grid.ndim - 1)

    def pressure(
        self, state: Any, grid: Grid, *, solve: Any = None, bodies: Any = None, own: Mapping[str, Any] | None = None
    ) -> Any:
        """p (..., *space) of states without divergence, of mean 0 where it floats; arguments as of `tendency`.

        Example:
            >>> equation, grid = IncompressibleFlow(boundary="periodic"), Grid((64, 64))
            >>> fields = equation.exact(grid, [0.0])
            >>> p = equation.pressure(np.stack([fields["u"], fields["v"]], 1), grid)
            >>> bool(abs(p - fields["p"]).max() < 2e-3)
            True
        """
        rates, _ = self._rates(state, grid, bodies, own or {})
        return staggered.projected(rates, grid, self.box.at_rest(), solve, bodies)[1]

    def _rates(self, state: Any, grid: Grid, bodies: Any, own: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
        """Rates of velocities, with their divergence, and of the smoke."""
        self.check_state(state, grid)
        parts, box = unstack(state, grid.ndim), self.box
        number = {name: own.get(name, getattr(self, name)) for name in _OWN}
        velocity = [staggered.without_wall(u, i - grid.ndim, box) for i, u in enumerate(parts[: grid.ndim])]
        limited = self.convection == "limited"
        rates = momentum_rate(velocity, number["viscosity"], grid, box, bodies, limited=limited)
        if "force" in own or self.force:
            rates[0] = rates[0] + staggered.without_wall(number["force"] + 0 * rates[0], -grid.ndim, box)
        if self.buoyancy is None:
            return rates, []
        s = parts[-1]
        lifted = number["buoyancy"] * (s + box.above(s, -1)) / 2
        rates[-1] = rates[-1] + staggered.without_wall(lifted, -1, box)
        smoke = staggered.carried_rate(s, velocity, grid, box, number["diffusivity"], bodies)
        return rates, [smoke + own["q"] if "q" in own else smoke]

    def residual(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """What the trapezoidal rule leaves over from each frame to the next, of velocities and smoke.

        With the pressure given it is that of the momentum equations, −∇p on open faces; without it the pressure is that
        which keeps the divergence away: by fast transforms, around obstacles by sparse factors (in memory that grows
        with the cells, and not differentiable in ``solid``).

        Args:
            fields: velocities and smoke (..., frames, *space), ``"time"``; optionally ``"p"`` (..., frames, *space),
                ``"solid"`` and ``"q"`` (..., *space), and numbers of their own for samples (...), in place of
                ``viscosity``, ``force``, ``buoyancy`` or ``diffusivity``.
            grid: cells.

        Returns:
            An array (..., components, frames − 1, *space); differentiable in torch.
        """
        still = {name: _all_frames(fields[name], grid) for name in _STILL if name in fields}
        own = {name: _all_points(fields[name], grid) for name in _OWN if name in fields}
        box, solid = self.box, still.pop("solid", None)
        bodies = None if solid is None else staggered.Bodies.of(solid, box)
        if "p" not in fields:
            solve = None if solid is None else EachPressure(detached(solid), grid, box)
            return self.trapezoidal(
                fields,
                grid,
                lambda states: self.tendency(states, grid, solve=solve, bodies=bodies, own={**own, **still}),
            )
        slopes = staggered.gradient(fields["p"], grid, box)

        def tendency(states: Any) -> Any:
            rates, smoke = self._rates(states, grid, bodies, {**own, **still})
            pushed = [rate - slope for rate, slope in zip(rates, slopes, strict=True)]
            if bodies is not None:
                pushed = [rate * faces for rate, faces in zip(pushed, bodies.open, strict=True)]
            return stack([*pushed, *smoke], -grid.ndim - 1)

        return self.trapezoidal(fields, grid, tendency)

    def divergence(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """∇·u at the cells, (..., *space)."""
        return staggered.divergence([fields[name] for name in "uvw"[: grid.ndim]], grid, self.box)

    def courant(self, state: Any, grid: Grid, own: Mapping[str, Any] | None = None) -> np.ndarray:
        """The inverse of the longest time step of every state, (...).

        The greatest Σ (|u| + 4ν/Δx)/Δx of all cells, where SSP-RK3 is stable, and with smoke Σ (2|u| + 4κ/Δx)/Δx, where
        no smoke becomes negative.
        """
        own = own or {}
        viscosity, diffusivity = (detached(own.get(name, getattr(self, name))) for name in ("viscosity", "diffusivity"))
        flow: Any = 0.0
        smoke: Any = 0.0
        for i, (u, h) in enumerate(zip(unstack(state, grid.ndim)[: grid.ndim], grid.spacing, strict=True)):
            speed = np.maximum(np.abs(detached(u)), self.inflow if i == 0 else 0.0)
            flow = flow + (speed + 4 * viscosity / h) / h
            smoke = smoke + (2 * speed + 4 * diffusivity / h) / h
        space = tuple(range(-grid.ndim, 0))
        return flow.max(space) if self.buoyancy is None else np.maximum(flow, smoke).max(space)

    def exact(self, grid: Grid, times: Sequence[float] | None = None) -> dict[str, np.ndarray]:
        """Taylor and Green's vortices, periodic or between walls along which the flow slides, in two dimensions.

        u = sin κx cos κ'y, v = −(κ/κ') cos κx sin κ'y, times e^{−ν(κ² + κ'²)t}, with half waves (periodic: waves) in
        the box, p = (cos 2κx + (κ/κ')² cos 2κ'y)/4 times its square; without smoke.

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
        p = decay**2 * (np.cos(2 * a * x) + (a / b) ** 2 * np.cos(2 * b * y)) / 4
        return {"u": decay * u, "v": decay * v, "p": p, "time": t[:, 0, 0]}


def _divergence(equation: Any, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
    """The greatest |∇·u| h over the greatest speed, of all frames."""
    space = tuple(range(-grid.ndim - 1, 0))
    off = np.abs(equation.divergence(fields, grid)).max(space) * min(grid.spacing)
    speed = np.max([np.abs(fields[name]).max(space) for name in "uvw"[: grid.ndim]], axis=0)
    return relative(off, speed)


def _smoke_lost(equation: Any, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
    """How far the mean of the smoke is from its first one and what the source brought, relative to the greatest."""
    space = tuple(range(-grid.ndim, 0))
    mean = fields["s"].mean(space)
    size = np.abs(mean).max(-1)
    if "q" in fields:
        mean = mean - (fields["time"] - fields["time"][0]) * fields["q"].mean(space)[..., None]
    return drift(mean, size)


def _all_frames(x: Any, grid: Grid) -> Any:
    """(..., *space) as (..., 1, *space)."""
    return x[(..., None, *(slice(None),) * grid.ndim)]


def _all_points(x: Any, grid: Grid) -> Any:
    """Numbers (...) as (..., 1, *1), for frames and space."""
    return (x if is_torch(x) else np.asarray(x))[(..., *(None,) * (grid.ndim + 1))]


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
