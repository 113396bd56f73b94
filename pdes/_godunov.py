"""Finite volumes for conservation laws: ghost cells, limited slopes, and the balance of fluxes.

Everything is done with lists of arrays (..., *space), one for each component, numpy or torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError
from opforge.pdes._arrays import along, concatenate, difference, flip, maximum, where

Walls = Literal["periodic", "outflow", "walls", "no-slip"]
WALLS: tuple[str, ...] = ("periodic", "outflow", "walls")

# Ghost cells on either side: what a face's limited slopes look at.
GHOSTS = 2


def padded(u: Any, axis: int, walls: Walls, *, odd: bool = False) -> Any:
    """A field with two ghost cells on either side of an axis (negative): around, constant, or mirrored.

    ``odd`` fields change their sign in a wall's mirror: the velocity along the axis.

    Raises:
        InputError: fewer cells on the axis than ghosts.

    Example:
        >>> padded(np.array([1.0, 2.0, 3.0]), -1, "walls", odd=True).tolist()
        [-2.0, -1.0, 1.0, 2.0, 3.0, -3.0, -2.0]
    """
    if u.shape[axis] < GHOSTS:
        raise InputError(f"grid must have at least {GHOSTS} cells per axis for finite volumes, got {u.shape[axis]}")
    if walls == "periodic":
        return concatenate([along(u, axis, -GHOSTS, None), u, along(u, axis, None, GHOSTS)], axis)
    if walls == "outflow":
        first, last = along(u, axis, None, 1), along(u, axis, -1, None)
        return concatenate([first, first, u, last, last], axis)
    sign = -1.0 if odd else 1.0
    first, last = flip(along(u, axis, None, GHOSTS), axis), flip(along(u, axis, -GHOSTS, None), axis)
    return concatenate([sign * first, u, sign * last], axis)


def faces(u: Any, axis: int, keep: Any = None) -> tuple[Any, Any]:
    """The values on both sides of the n + 1 faces of n cells, from cells with ghosts (n + 4 on the axis).

    Van Leer's slope, the harmonic mean of the differences to both neighbours, 0 at extremes: of order 2 in smooth
    fields, and no new extremes. ``keep`` is what the slopes are multiplied with, of the cells with ghosts too: 1, or 0
    where a field is taken for constant.
    """
    jump = difference(u, axis)
    before, after = along(jump, axis, None, -1), along(jump, axis, 1, None)
    same = before * after > 0
    one = 1 + 0 * before
    slope = where(same, 2 * before * after / where(same, before + after, one), 0 * before)
    if keep is not None:
        slope = slope * along(keep, axis, 1, -1)
    inner = along(u, axis, 1, -1)  # cells −1 … n
    low, high = inner - slope / 2, inner + slope / 2
    return along(high, axis, None, -1), along(low, axis, 1, None)


def balance(fluxes: Sequence[Any], axis: int, h: float) -> list[Any]:
    """−∂F/∂x of every component, from fluxes at the n + 1 faces."""
    return [-difference(flux, axis) / h for flux in fluxes]


def hll(
    left: Sequence[Any], right: Sequence[Any], f_left: Sequence[Any], f_right: Sequence[Any], slow: Any, fast: Any
) -> list[Any]:
    """The flux of Harten, Lax and van Leer between two states, for waves between the speeds ``slow`` and ``fast``."""
    found = []
    width = fast - slow
    for q_l, q_r, f_l, f_r in zip(left, right, f_left, f_right, strict=True):
        middle = (fast * f_l - slow * f_r + slow * fast * (q_r - q_l)) / width
        found.append(where(slow >= 0, f_l, where(fast <= 0, f_r, middle)))
    return found


def fastest(speed: Callable[[int], Any], spacing: Sequence[float]) -> float:
    """The greatest Σ_axes s/h over all cells: a step of dt needs dt times it to be at most 1."""
    return greatest(crossings(speed, spacing))


def crossings(speed: Callable[[int], Any], spacing: Sequence[float]) -> Any:
    """Σ_axes s/h of every cell: how many cells the fastest wave crosses in a unit of time."""
    total: Any = 0.0
    for axis, h in enumerate(spacing):
        total = total + speed(axis) / h
    return total


def greatest(x: Any) -> float:
    """The greatest value of an array."""
    return float(x.detach().max()) if is_torch(x) else float(np.max(x))


def around(marked: Any, ndim: int, walls: Walls) -> Any:
    """Numbers (..., *space), 1 in marked cells and those that share a face with one, 0 elsewhere.

    Example:
        >>> around(np.array([0.0, 0.0, 0.0, 1.0]), 1, "periodic").tolist()
        [1.0, 0.0, 1.0, 1.0]
    """
    found = marked
    for axis in range(-ndim, 0):
        wide = padded(marked, axis, walls)
        found = maximum(found, maximum(along(wide, axis, 1, -3), along(wide, axis, 3, -1)))
    return found
