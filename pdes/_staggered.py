"""Incompressible flow on a staggered grid: velocities on faces, everything else at cell centres.

Component i of the velocity is stored as an array of the grid's shape: its entry for a cell is the velocity through the
cell's upper face along axis i. Where a box has walls the lower ones need no entry, nothing flows through them, and the
entries of the upper ones are 0. Arrays are (..., *space), numpy or torch; axes are counted from the end (negative).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opforge.core import Grid, dctn, fftn, ifftn
from opforge.pdes._arrays import along, concatenate, like, maximum, minimum
from opforge.pdes._godunov import faces, padded


@dataclass(frozen=True)
class Box:
    """Which axes are periodic, and what walls do to the flow along them.

    Args:
        periodic: of every axis.
        slip: whether walls let the flow along them go; else it sticks.
        lid: speed of the upper wall of the last axis, along the first one.
    """

    periodic: tuple[bool, ...]
    slip: bool = False
    lid: float = 0.0

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
        sign = 1.0 if self.slip else -1.0
        speed = 2 * self.lid if (axis == -1 and component == 0) else 0.0
        return self.below(q, axis, sign * first), self.above(q, axis, sign * last + speed)


def divergence(velocity: Sequence[Any], grid: Grid, box: Box) -> Any:
    """∇·u at the cells."""
    total = 0.0
    for i, (u, h) in enumerate(zip(velocity, grid.spacing, strict=True)):
        total = total + (u - box.below(u, i - grid.ndim)) / h
    return total


def gradient(p: Any, grid: Grid, box: Box) -> list[Any]:
    """∇p on upper faces; 0 on walls."""
    found = []
    for i, h in enumerate(grid.spacing):
        axis = i - grid.ndim
        found.append((box.above(p, axis, along(p, axis, -1, None)) - p) / h)
    return found


def momentum_rate(velocity: Sequence[Any], viscosity: float, grid: Grid, box: Box) -> list[Any]:
    """−∇·(u uᵀ) + ν Δu on faces, by central differences that conserve momentum and, without ν, energy; 0 on walls."""
    rates = []
    for i, u in enumerate(velocity):
        rate = 0.0
        for j, h in enumerate(grid.spacing):
            axis = j - grid.ndim
            if i == j:
                low, high = box.below(u, axis), box.above(u, axis)
                square = ((u + low) / 2) ** 2
                flux = (box.above(square, axis) - square) / h
            else:
                low, high = box.beside(u, i, axis)
                other = velocity[j]
                _, side = box.beside(other, j, i - grid.ndim)
                edge = (u + high) / 2 * (other + side) / 2
                flux = (edge - box.below(edge, axis)) / h
            rate = rate - flux + viscosity * (high - 2 * u + low) / h**2
        rates.append(without_wall(rate, i - grid.ndim, box))
    return rates


def carried_rate(s: Any, velocity: Sequence[Any], grid: Grid, box: Box) -> Any:
    """−∇·(u s) at the cells: limited slopes, upwind; nothing is lost and no new extreme appears."""
    rate = 0.0
    for i, (u, h) in enumerate(zip(velocity, grid.spacing, strict=True)):
        axis = i - grid.ndim
        left, right = faces(padded(s, axis, "periodic" if box.periodic[axis] else "walls"), axis)
        left, right = along(left, axis, 1, None), along(right, axis, 1, None)
        flux = maximum(u, 0.0) * left + minimum(u, 0.0) * right
        rate = rate - (flux - box.below(flux, axis)) / h
    return rate


def without_wall(u: Any, axis: int, box: Box) -> Any:
    """A velocity along an axis, with nothing through the upper wall."""
    if box.periodic[axis]:
        return u
    return concatenate([along(u, axis, None, -1), 0 * along(u, axis, -1, None)], axis)


def potential(source: Any, grid: Grid, box: Box) -> Any:
    """φ with Δ_h φ = source and the mean 0, exactly: cosine transforms between walls, Fourier's along periodic axes."""
    values: Any = 0.0
    around, walls = [], []
    for i, (n, h) in enumerate(zip(grid.shape, grid.spacing, strict=True)):
        (around if box.periodic[i] else walls).append(i - grid.ndim)
        angle = np.pi * np.arange(n) / n * (2 if box.periodic[i] else 1)
        values = values - ((2 - 2 * np.cos(angle)) / h**2).reshape([-1 if j == i else 1 for j in range(grid.ndim)])
    values[(0,) * grid.ndim] = np.inf
    modes = dctn(source, 2, tuple(walls)) if walls else source
    modes = fftn(modes, tuple(around)) if around else modes
    modes = modes * like(modes, 1 / values)
    modes = ifftn(modes, tuple(around)).real if around else modes
    return dctn(modes, 3, tuple(walls), norm="forward") if walls else modes


def projected(velocity: Sequence[Any], grid: Grid, box: Box, solve: Any = None) -> tuple[list[Any], Any]:
    """The part of a velocity without divergence, and the potential that was taken off; walls stay closed.

    ``solve`` takes the divergence and gives the potential; `potential` unless given.
    """
    source = divergence(velocity, grid, box)
    p = potential(source, grid, box) if solve is None else solve(source)
    return [u - g for u, g in zip(velocity, gradient(p, grid, box), strict=True)], p
