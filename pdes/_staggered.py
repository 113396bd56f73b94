"""Incompressible flow on a staggered grid: velocities on faces, everything else at cell centres.

Component i of the velocity is stored as an array of the grid's shape: its entry for a cell is the velocity through the
cell's upper face along axis i. Where a box has walls the lower ones need no entry, nothing flows through them, and the
entries of the upper ones are 0. Where a stream enters through the lower faces of the first axis, their velocity is
known, and the entries of the upper ones are what leaves. Arrays are (..., *space), numpy or torch; axes are counted
from the end (negative).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from opforge.core import Grid, dctn, irfftn, rfftn
from opforge.pdes._arrays import along, concatenate, like, maximum, minimum
from opforge.pdes._godunov import faces, padded


@dataclass(frozen=True)
class Box:
    """Which axes are periodic, and what walls do to the flow along them.

    Args:
        periodic: of every axis.
        slip: whether walls let the flow along them go; else it sticks.
        lid: speed of the upper wall of the last axis, along the first one.
        inflow: speed at which a stream enters at the lower end of the first axis; it leaves at the upper end, where the
            pressure is 0. None where that axis has walls or is periodic.
    """

    periodic: tuple[bool, ...]
    slip: bool = False
    lid: float = 0.0
    inflow: float | None = None

    def open(self, axis: int) -> bool:
        """Whether a stream enters and leaves along an axis."""
        return self.inflow is not None and axis == -len(self.periodic)

    def at_rest(self) -> Box:
        """The same box with lid and stream at rest: that of differences and rates of velocities."""
        return replace(self, lid=0.0, inflow=None if self.inflow is None else 0.0)

    def lower(self, u: Any, axis: int) -> Any:
        """The velocity along an axis through the lower faces of cells."""
        return self.below(u, axis, 0 * along(u, axis, None, 1) + self.inflow if self.open(axis) else None)

    def below(self, q: Any, axis: int, ghost: Any = None) -> Any:
        """What lies one cell lower: around, or ``ghost`` in the first place, 0 unless given."""
        if self.periodic[axis]:
            return concatenate([along(q, axis, -1, None), along(q, axis, None, -1)], axis)
        first = 0 * along(q, axis, None, 1) if ghost is None else ghost
        return concatenate([first, along(q, axis, None, -1)], axis)

    def above(self, q: Any, axis: int, ghost: Any = None) -> Any:
        """What lies one cell higher."""
        if self.periodic[axis]:
            return concatenate([along(q, axis, 1, None), along(q, axis, None, 1)], axis)
        last = 0 * along(q, axis, -1, None) if ghost is None else ghost
        return concatenate([along(q, axis, 1, None), last], axis)

    def beside(self, q: Any, component: int, axis: int) -> tuple[Any, Any]:
        """What lies lower and higher of a component along an axis that is not its own: walls mirror it."""
        first, last = along(q, axis, None, 1), along(q, axis, -1, None)
        if self.open(axis):  # it enters straight, and leaves as it is
            return self.below(q, axis, -first), self.above(q, axis, last)
        sign = 1.0 if self.slip else -1.0
        speed = 2 * self.lid if (axis == -1 and component == 0) else 0.0
        return self.below(q, axis, sign * first), self.above(q, axis, sign * last + speed)


def divergence(velocity: Sequence[Any], grid: Grid, box: Box) -> Any:
    """∇·u at the cells."""
    total = 0.0
    for i, (u, h) in enumerate(zip(velocity, grid.spacing, strict=True)):
        total = total + (u - box.lower(u, i - grid.ndim)) / h
    return total


def gradient(p: Any, grid: Grid, box: Box) -> list[Any]:
    """∇p on upper faces; 0 on walls. Where a stream leaves, p = 0 on the faces themselves."""
    found = []
    for i, h in enumerate(grid.spacing):
        axis = i - grid.ndim
        last = along(p, axis, -1, None)
        found.append((box.above(p, axis, -last if box.open(axis) else last) - p) / h)
    return found


@dataclass(frozen=True)
class Bodies:
    """Obstacles to which the flow sticks, as numbers at the upper faces along every axis.

    Args:
        open: 1 on faces between two cells of fluid, 0 on others.
        buried: 1 on faces between two cells of solid: half a cell behind the wall of a neighbouring open face.
    """

    open: tuple[Any, ...]
    buried: tuple[Any, ...]

    @classmethod
    def of(cls, solid: Any, box: Box) -> Bodies:
        """Those of ``solid``, 1 in obstacles and 0 elsewhere, (..., *space)."""
        faces_open, buried, fluid = [], [], 1 - solid
        for axis in range(-len(box.periodic), 0):
            last = along(fluid, axis, -1, None) if box.open(axis) else None
            faces_open.append(fluid * box.above(fluid, axis, last))
            buried.append(solid * box.above(solid, axis, along(solid, axis, -1, None)))
        return cls(tuple(faces_open), tuple(buried))

    def like(self, x: Any) -> Bodies:
        """As arrays of the kind and precision of ``x``."""
        return Bodies(tuple(like(x, a) for a in self.open), tuple(like(x, a) for a in self.buried))


def outwards(u: Any, axis: int) -> Any:
    """A velocity along an axis, nothing of which comes back through the last faces."""
    return concatenate([along(u, axis, None, -1), maximum(along(u, axis, -1, None), 0.0)], axis)


def carried_rate(
    s: Any, velocity: Sequence[Any], grid: Grid, box: Box, diffusivity: Any = 0.0, bodies: Bodies | None = None
) -> Any:
    """−∇·(u s − κ∇s) at the cells: limited slopes, upwind; nothing is lost and no new extreme appears.

    Nothing goes through walls or surfaces of bodies; a stream brings nothing along, and takes away what reaches its
    end.
    """
    rate = 0.0
    for i, (u, h) in enumerate(zip(velocity, grid.spacing, strict=True)):
        axis = i - grid.ndim
        left, right = faces(padded(s, axis, "periodic" if box.periodic[axis] else "walls"), axis)
        left, right = along(left, axis, 1, None), along(right, axis, 1, None)
        u = outwards(u, axis) if box.open(axis) else u
        flux = maximum(u, 0.0) * left + minimum(u, 0.0) * right
        if not isinstance(diffusivity, float) or diffusivity:
            spread = diffusivity * (box.above(s, axis, along(s, axis, -1, None)) - s) / h
            flux = flux - (spread if bodies is None else spread * bodies.open[i])
        rate = rate - (flux - box.below(flux, axis)) / h
    return rate


def without_wall(u: Any, axis: int, box: Box) -> Any:
    """A velocity along an axis, with nothing through the upper wall."""
    if box.periodic[axis] or box.open(axis):
        return u
    return concatenate([along(u, axis, None, -1), 0 * along(u, axis, -1, None)], axis)


def potential(source: Any, grid: Grid, box: Box) -> Any:
    """φ with Δ_h φ = source, exactly, and the mean 0 where it floats.

    Cosine transforms of type 2 between walls, of type 4 along a stream, Fourier's along periodic axes.
    """
    walls, through, around = _axes(grid, box)
    modes = dctn(source, 2, walls) if walls else source
    modes = dctn(modes, 4, through) if through else modes
    modes = rfftn(modes, around) if around else modes
    modes = modes * like(modes, _inverse_eigenvalues(grid, box))
    modes = irfftn(modes, tuple(grid.shape[axis] for axis in around), around) if around else modes
    modes = dctn(modes, 4, through, inverse=True) if through else modes
    return dctn(modes, 2, walls, inverse=True) if walls else modes


def eigenvalues(grid: Grid, box: Box) -> np.ndarray:
    """Those of −Δ_h, for the modes of `potential`."""
    _, _, around = _axes(grid, box)
    total: Any = 0.0
    for axis, n, h in zip(range(-grid.ndim, 0), grid.shape, grid.spacing, strict=True):
        k = np.arange(n) + (0.5 if box.open(axis) else 0.0)
        angle = np.pi * k / n * (2 if box.periodic[axis] else 1)
        if around and axis == around[-1]:
            angle = angle[: n // 2 + 1]
        total = total + ((2 - 2 * np.cos(angle)) / h**2).reshape([-1 if a == axis else 1 for a in range(-grid.ndim, 0)])
    return total


@lru_cache(maxsize=16)
def _inverse_eigenvalues(grid: Grid, box: Box) -> np.ndarray:
    values = eigenvalues(grid, box)
    if not box.open(-grid.ndim):
        values[(0,) * grid.ndim] = np.inf
    return -1 / values


def _axes(grid: Grid, box: Box) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Axes between walls, along a stream, periodic ones."""
    axes = range(-grid.ndim, 0)
    around = tuple(axis for axis in axes if box.periodic[axis])
    through = tuple(axis for axis in axes if box.open(axis))
    return tuple(axis for axis in axes if axis not in (*around, *through)), through, around


def projected(
    velocity: Sequence[Any], grid: Grid, box: Box, solve: Any = None, bodies: Bodies | None = None
) -> tuple[list[Any], Any]:
    """The part of a velocity without divergence, and the potential that was taken off; walls and bodies stay closed.

    ``solve`` takes the divergence and gives the potential; `potential` unless given.
    """
    if bodies is not None:
        velocity = [u * faces_open for u, faces_open in zip(velocity, bodies.open, strict=True)]
    source = divergence(velocity, grid, box)
    p = potential(source, grid, box) if solve is None else solve(source)
    slopes = gradient(p, grid, box)
    if bodies is not None:
        slopes = [g * faces_open for g, faces_open in zip(slopes, bodies.open, strict=True)]
    return [u - g for u, g in zip(velocity, slopes, strict=True)], p
