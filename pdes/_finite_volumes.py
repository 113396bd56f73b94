"""−∇·(a∇u) on cell centres: two-point fluxes with harmonic means of a at the faces.

The flux through the face between cells i and i+1 is that of two half cells in series,
F = −k (u_{i+1} − u_i) with k = 2 a_i a_{i+1} / (a_i + a_{i+1}) / h; nothing flows to cells where a = 0. A boundary face
lies half a cell away from the centre: where u = 0 there (Dirichlet) k = 2 a_0 / h, where nothing flows (Neumann) k = 0;
on a periodic box it is the face to the cell at the other end. In one dimension these fluxes are exact for any a that is
constant in every cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes._arrays import along, concatenate, difference

if TYPE_CHECKING:
    import scipy.sparse

Boundary = Literal["dirichlet", "neumann", "periodic"]
BOUNDARIES: tuple[str, ...] = ("dirichlet", "neumann", "periodic")


def check_cells(grid: Grid) -> None:
    """Refuse points that are not cell centres.

    Raises:
        InputError: such a grid.
    """
    if grid.points != "cells":
        raise InputError(f"grid must have points='cells', got {grid.points!r}")


def checked_boundary(boundary: Any) -> None:
    """Refuse what is no boundary condition.

    Raises:
        InputError: something else than one of `BOUNDARIES`.
    """
    if not isinstance(boundary, str) or boundary not in BOUNDARIES:
        raise InputError(f"boundary must be one of {', '.join(BOUNDARIES)}, got {boundary!r}")


def conductances(a: Any, axis: int, h: float, boundary: Boundary = "dirichlet") -> Any:
    """k/h of the n + 1 faces along ``axis`` (negative), boundary faces included; numpy or torch, (..., *space)."""
    left, right = along(a, axis, None, -1), along(a, axis, 1, None)
    first, last = along(a, axis, None, 1), along(a, axis, -1, None)
    inner = _series(left, right)
    if boundary == "periodic":
        around = _series(last, first)
        return concatenate([around, inner, around], axis) / h**2
    if boundary == "neumann":
        return concatenate([0 * first, inner, 0 * last], axis) / h**2
    return concatenate([2 * first, inner, 2 * last], axis) / h**2


def _series(a: Any, b: Any) -> Any:
    """The harmonic mean of two coefficients that are not negative, 0 where both are."""
    total = a + b
    return 2 * a * b / (total + (total == 0))


def divergence(a: Any, u: Any, spacing: Sequence[float], boundary: Boundary = "dirichlet") -> Any:
    """∇·(a∇u) at the cell centres; numpy or torch, (..., *space)."""
    total = 0.0
    for axis, h in enumerate(spacing, start=-len(spacing)):
        first, last = along(u, axis, None, 1), along(u, axis, -1, None)
        around = first - last
        ends = (around, around) if boundary == "periodic" else (first, -last)
        jumps = concatenate([ends[0], difference(u, axis), ends[1]], axis)
        total = total + difference(conductances(a, axis, h, boundary) * jumps, axis)
    return total


def assemble(a: np.ndarray, spacing: Sequence[float], boundary: Boundary = "dirichlet") -> scipy.sparse.csr_matrix:
    """The matrix of u ↦ −∇·(a∇u), symmetric, positive definite with Dirichlet conditions; rows in C order.

    The entries are laid out per cell as they stand in a row, [−x, −y, …, diagonal, …, +y, +x], and the neighbours
    that do not exist are cut out by a mask that depends on the shape alone: no sorting, no conversion between formats.
    """
    import scipy.sparse  # only the solver needs it, not those who import an equation for its residual

    ndim = a.ndim
    stencil = np.zeros((*a.shape, 2 * ndim + 1))
    for axis, h in enumerate(spacing):
        faces = np.moveaxis(conductances(a, axis - ndim, h, boundary), axis, 0)
        rows = np.moveaxis(stencil, axis, 0)
        rows[1:, ..., axis] = -faces[1:-1]
        rows[:-1, ..., 2 * ndim - axis] = -faces[1:-1]
        rows[..., ndim] += faces[1:] + faces[:-1]
    present, columns, starts = _pattern(a.shape)
    matrix = scipy.sparse.csr_matrix((stencil[present], columns, starts), shape=(a.size, a.size))
    matrix.has_canonical_format = True
    return matrix if boundary != "periodic" else matrix + _around(a, spacing)


def _around(a: np.ndarray, spacing: Sequence[float]) -> scipy.sparse.csr_matrix:
    """What the faces between the ends of a periodic box add beside the diagonal."""
    import scipy.sparse

    numbers, rows, columns, values = np.arange(a.size).reshape(a.shape), [], [], []
    for axis, h in enumerate(spacing):
        faces = np.moveaxis(conductances(a, axis - a.ndim, h, "periodic"), axis, 0)[0].ravel()
        ends = np.moveaxis(numbers, axis, 0)
        for one, other in ((0, -1), (-1, 0)):
            rows.append(ends[one].ravel())
            columns.append(ends[other].ravel())
            values.append(-faces)
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return scipy.sparse.csr_matrix(entries, shape=(a.size, a.size))


@lru_cache(maxsize=8)
def _pattern(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which stencil entries exist (*shape, 2d + 1), and the column indices and row starts of the matrix."""
    ndim, size = len(shape), int(np.prod(shape))
    present = np.ones((*shape, 2 * ndim + 1), dtype=bool)
    offsets = np.zeros(2 * ndim + 1, dtype=np.int32)
    for axis in range(ndim):
        cells = np.moveaxis(present, axis, 0)
        cells[0, ..., axis] = False
        cells[-1, ..., 2 * ndim - axis] = False
        stride = int(np.prod(shape[axis + 1 :]))
        offsets[axis], offsets[2 * ndim - axis] = -stride, stride
    columns = np.arange(size, dtype=np.int32).reshape(*shape, 1) + offsets
    starts = np.concatenate([[0], np.cumsum(present.reshape(size, -1).sum(axis=1))]).astype(np.int32)
    pattern = present, columns[present], starts
    for array in pattern:
        array.flags.writeable = False  # every matrix of this shape shares them
    return pattern
