"""The shallow water equations: waves on water that is shallow compared with their length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.errors import InputError
from opforge.pdes._arrays import along, detached, least, maximum, minimum, rounding, stack, unstack, where
from opforge.pdes._godunov import WALLS, balance, crossings, faces, greatest, hll, padded
from opforge.pdes._numbers import axes_of_space, positive
from opforge.pdes.equation import Field
from opforge.pdes.evolution import EvolutionEquation
from opforge.pdes.invariant import Invariant, conserved_mean
from opforge.pdes.symmetry import Reflection, Symmetry, Transposition, shifts

_FIELDS = (Field("h", "depth of the water"), Field("u", "velocity along x"), Field("v", "velocity along y"))


@dataclass(frozen=True)
class ShallowWater(EvolutionEquation):
    """h_t + ∇·(h u) = 0,  (h u)_t + ∇·(h u uᵀ + g h²/2 I) = −g h ∇b over a bottom b, for h >= 0.

    All quantities are without dimension. The discretisation is that of finite volumes on cell centres: limited slopes
    (MUSCL, van Leer), the HLLC flux, and hydrostatic reconstruction, with which a lake at rest stays at rest to
    rounding, whatever its bottom, and beside dry ground. Of order 2 in smooth flow. Walls let no water through and do
    not hold it along them. Where the bed is dry, up to rounding, the velocity is 0.

    Args:
        ndim: axes of space: 1 or 2.
        gravity: g > 0.
        boundary: ``"outflow"``, ``"walls"`` or ``"periodic"``.

    Raises:
        InputError: numbers out of range, an unknown boundary.

    Example:
        >>> grid = Grid((16,))
        >>> b = 0.3 * np.sin(3 * grid.coordinates()[0])
        >>> lake = np.stack([1.0 - b, np.zeros(16)])
        >>> rate = ShallowWater(ndim=1, boundary="walls").tendency(lake, grid, b)
        >>> bool(abs(rate).max() < 1e-13)
        True

    Source:
        Audusse et al., "A fast and stable well-balanced scheme with hydrostatic reconstruction for shallow water
        flows"; Toro, "Shock-Capturing Methods for Free-Surface Shallow Flows".
    """

    ndim: int = 2
    gravity: float = 1.0
    boundary: Literal["outflow", "walls", "periodic"] = "outflow"

    name: ClassVar[str] = "shallow_water"
    points: ClassVar[Points] = "cells"
    dimensions: ClassVar[tuple[int, ...]] = (1, 2)
    method: ClassVar[str] = "finite volumes: MUSCL, HLLC, hydrostatic reconstruction (well balanced); SSP-RK3"
    order: ClassVar[str] = "2 in space, 3 in time; 1 at shocks"

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        object.__setattr__(self, "gravity", positive("gravity", self.gravity))
        if self.boundary not in WALLS:
            raise InputError(f"boundary must be one of {', '.join(WALLS)}, got {self.boundary!r}")

    @property
    def fields(self) -> tuple[Field, ...]:
        return _FIELDS[: self.ndim + 1]

    @property
    def unknowns(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def invariants(self) -> tuple[Invariant, ...]:
        return () if self.boundary == "outflow" else (conserved_mean("h", "mass", 1e-12),)

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Reflections that turn the velocity along their axis round, the transposition, shifts of a periodic box."""
        mirrors = (Reflection(axis, odd=("uv"[axis],)) for axis in range(self.ndim))
        swap = (Transposition(0, 1, swapped=(("u", "v"),)),) if self.ndim == 2 else ()
        return (*mirrors, *swap, *(shifts(self.ndim, "cells") if self.boundary == "periodic" else ()))

    def tendency(self, state: Any, grid: Grid, bottom: Any = None) -> Any:
        """How fast depth and velocities (..., 1 + ndim, *space) change over a ``bottom`` (..., *space), flat if none.

        Raises:
            InputError: a state or a grid that do not fit.
        """
        self.check_state(state, grid)
        h, *velocity = unstack(state, grid.ndim)
        rate_h, *rates = self.conserved_rate(state, grid, bottom)
        wet = h > _dry(h)
        deep = where(wet, h, 1 + 0 * h)
        changes = [where(wet, (rate - u * rate_h) / deep, 0 * h) for u, rate in zip(velocity, rates, strict=True)]
        return stack([rate_h, *changes], -grid.ndim - 1)

    def conserved_rate(self, state: Any, grid: Grid, bottom: Any = None, keep: Any = None) -> list[Any]:
        """How fast h, h u and h v change, of depth and velocities (..., 1 + ndim, *space).

        ``keep`` (..., *space) is 1, or 0 in cells that are taken without slopes.
        """
        h, *velocity = unstack(state, grid.ndim)
        b = 0 * h if bottom is None else bottom + 0 * h
        total: list[Any] = [0.0] * (1 + grid.ndim)
        for number, spacing in enumerate(grid.spacing):
            axis = number - grid.ndim
            slopes = None if keep is None else padded(keep, axis, self.boundary)
            rates = self._along(h, velocity, b, number, spacing, slopes)
            total = [one + rate for one, rate in zip(total, rates, strict=True)]
        return total

    def _along(
        self, h: Any, velocity: Sequence[Any], b: Any, normal: int, spacing: float, keep: Any = None
    ) -> list[Any]:
        """The part of the rates that one axis has."""
        g, axis = self.gravity, normal - len(velocity)
        depth = faces(padded(h, axis, self.boundary), axis, keep)
        surface = faces(padded(h + b, axis, self.boundary), axis, keep)
        flow = [faces(padded(u, axis, self.boundary, odd=i == normal), axis, keep) for i, u in enumerate(velocity)]
        beds = [level - deep for level, deep in zip(surface, depth, strict=True)]
        top = maximum(beds[0], beds[1])
        over = [maximum(level - top, 0.0) for level in surface]  # what of the depth is above the higher bed
        fluxes = self._hllc(over, flow, normal)
        # the pressure on the step between the beds, which is not the same on its two sides
        low, high = (g / 2 * (deep * deep - rest * rest) for deep, rest in zip(depth, over, strict=True))
        rates = balance(fluxes, axis, spacing)
        right_low, left_high = along(low, axis, 1, None), along(high, axis, None, -1)
        slope = along(depth[0], axis, 1, None) + along(depth[1], axis, None, -1)
        rise = along(beds[0], axis, 1, None) - along(beds[1], axis, None, -1)
        rates[1 + normal] = rates[1 + normal] - (right_low - left_high + g / 2 * slope * rise) / spacing
        return rates

    def _hllc(self, depth: Sequence[Any], flow: Sequence[tuple[Any, Any]], normal: int) -> list[Any]:
        """The fluxes of h and h u between the states on both sides of faces."""
        g = self.gravity
        (h_l, h_r), (u_l, u_r) = depth, flow[normal]
        c_l, c_r = self._celerity(h_l), self._celerity(h_r)
        u_star, c_star = (u_l + u_r) / 2 + c_l - c_r, (c_l + c_r) / 2 + (u_l - u_r) / 4
        slow, fast = minimum(u_l - c_l, u_star - c_star), maximum(u_r + c_r, u_star + c_star)
        # over a dry bed runs the front of a rarefaction
        dry = _dry(h_l)
        slow, fast = where(h_l > dry, slow, u_r - 2 * c_r), where(h_r > dry, fast, u_l + 2 * c_l)
        fast = where(fast > slow, fast, slow + 1)
        mass, push = hll(
            [h_l, h_l * u_l],
            [h_r, h_r * u_r],
            [h_l * u_l, h_l * u_l * u_l + g / 2 * h_l * h_l],
            [h_r * u_r, h_r * u_r * u_r + g / 2 * h_r * h_r],
            slow,
            fast,
        )
        carried = [where(mass >= 0, mass * left, mass * right) for left, right in flow]
        carried[normal] = push
        return [mass, *carried]

    def _celerity(self, h: Any) -> Any:
        """√(gh), whose derivative is finite where the bed is dry too."""
        return (self.gravity * maximum(h, _dry(h) ** 2)) ** 0.5

    def crossings(self, state: Any, grid: Grid, bottom: Any = None) -> Any:
        """Σ (|u| + √(gh))/Δx of every cell: a step needs dt times it to be at most 1."""
        h, *velocity = unstack(state, grid.ndim)
        wave = self._celerity(h)
        return crossings(lambda axis: abs(velocity[axis]) + wave, grid.spacing)

    def courant(self, state: Any, grid: Grid) -> float:
        """The greatest of `crossings`."""
        return greatest(self.crossings(state, grid))

    def conserved(self, state: Any, ndim: int) -> Any:
        """h, h u, h v of depth and velocities."""
        h, *velocity = unstack(state, ndim)
        return stack([h, *(h * u for u in velocity)], -ndim - 1)

    def primitive(self, conserved: Any, ndim: int) -> Any:
        """Depth and velocities of h, h u, h v; no velocity where the bed is dry up to rounding."""
        h, *momentum = unstack(conserved, ndim)
        wet = h > _dry(h)
        deep = where(wet, h, 1 + 0 * h)
        depth = where(abs(h) > _dry(h), h, maximum(h, 0.0))
        return stack([depth, *(where(wet, m / deep, 0 * m) for m in momentum)], -ndim - 1)

    def physical(self, conserved: Any, ndim: int) -> Any:
        """Where (..., *space) the depth is not negative but for rounding."""
        h = unstack(conserved, ndim)[0]
        return h >= -_dry(h)

    def check_physical(self, state: Any, ndim: int) -> None:
        """Refuse a negative depth.

        Raises:
            InputError: such a depth.
        """
        deep = least(unstack(state, ndim)[0])
        if not deep >= 0:
            raise InputError(f"depth h must be at least 0 everywhere (0 is a dry bed), got {deep:.3g}")

    def check_medium(self, bottom: Any, samples: int, grid: Grid) -> None:
        """Refuse a bottom that is not one for each of the samples, or for all, or is not finite.

        Raises:
            InputError: such a bottom.
        """
        shapes = {(count, *grid.shape) for count in (samples, 1)}
        if tuple(bottom.shape) not in shapes or not np.isfinite(detached(bottom)).all():
            raise InputError(
                f"bottom must be finite and of shape {' or '.join(map(str, sorted(shapes)))}, (samples or 1, *space), "
                f"got shape {tuple(bottom.shape)}{', not finite' * (tuple(bottom.shape) in shapes)}"
            )

    def dam_break(
        self, grid: Grid, times: Sequence[float], left: float = 2.0, right: float = 1.0
    ) -> dict[str, np.ndarray]:
        """Stoker's solution of a dam in the middle that breaks at time 0, over a flat bottom, along x.

        A rarefaction runs to the left, a shock to the right; between them h and u are constant, and the solution of one
        equation. Over a dry bed there is the rarefaction alone (Ritter's solution).

        Args:
            grid: cell centres.
            times: > 0, before a wave meets the boundary.
            left, right: depths, left > right >= 0.

        Returns:
            ``"h"``, ``"u"`` [, ``"v"``] (frames, *space) and ``"time"``.
        """
        self.check_grid(grid)
        g, t = self.gravity, np.asarray(times, dtype=np.float64).reshape(-1, *(1,) * grid.ndim)
        c = np.sqrt(g * left)
        middle, speed, shock = stoker(left, right, g) if right > 0 else (0.0, 2 * c, 2 * c)
        x = (grid.mesh()[0] - grid.origin[0] - grid.lengths[0] / 2) / np.maximum(t, 1e-300)
        fan_u, fan_c = 2 * (c + x) / 3, (2 * c - x) / 3
        head, tail = -c, speed - np.sqrt(g * middle)
        choose = [x < head, x < tail, x < shock]
        h = np.select(choose, [left + 0 * x, fan_c**2 / g, middle + 0 * x], right)
        u = np.select(choose, [0 * x, fan_u, speed + 0 * x], 0.0)
        return {"h": h, "u": u, **({"v": 0 * u} if grid.ndim == 2 else {}), "time": t.ravel()}

    def residual(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """What the trapezoidal rule leaves over from each frame to the next, over the field ``"b"`` if there is one.

        Args:
            fields: ``"h"``, ``"u"`` [, ``"v"``] (..., frames, *space), ``"time"``, optionally ``"b"`` (..., *space).
            grid: cell centres.

        Returns:
            An array (..., 1 + ndim, frames − 1, *space); differentiable in torch.
        """
        if "b" not in fields:
            return super().residual(fields, grid)
        b = fields["b"]
        bottom = b.reshape(*b.shape[: -grid.ndim], 1, *grid.shape)
        return self.trapezoidal(fields, grid, lambda states: self.tendency(states, grid, bottom))


def _dry(h: Any) -> float:
    """The depth below which there is rounding only."""
    return 100 * rounding(h)


def stoker(left: float, right: float, gravity: float) -> tuple[float, float, float]:
    """Depth and velocity between the waves of a broken dam, and the shock's speed.

    Example:
        >>> [round(x, 5) for x in stoker(2.0, 1.0, 1.0)]
        [1.45384, 0.41692, 1.33557]
    """
    from scipy.optimize import root_scalar

    def jump(h: float) -> float:
        behind = 2 * (np.sqrt(gravity * left) - np.sqrt(gravity * h))
        return float(behind - (h - right) * np.sqrt(gravity / 2 * (1 / h + 1 / right)))

    h = float(root_scalar(jump, bracket=(right, left), xtol=1e-14).root)
    u = float(2 * (np.sqrt(gravity * left) - np.sqrt(gravity * h)))
    return h, u, h * u / (h - right)
