"""−∇·(a∇u) on cell centres with u = 0 on the boundary: two-point fluxes with harmonic means of a at the faces.

The flux through the face between cells i and i+1 is that of two half cells in series,
F = −k (u_{i+1} − u_i) with k = 2 a_i a_{i+1} / (a_i + a_{i+1}) / h; a boundary face lies half a cell away from the
centre, where u = 0: k = 2 a_0 / h. In one dimension these fluxes are exact for any a that is constant in every cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from opforge.pdes._arrays import along, concatenate, difference

if TYPE_CHECKING:
    import scipy.sparse


def conductances(a: Any, axis: int, h: float) -> Any:
    """k/h of the n + 1 faces along ``axis`` (negative), boundary faces included; numpy or torch, (..., *space)."""
    left, right = along(a, axis, None, -1), along(a, axis, 1, None)
    first, last = along(a, axis, None, 1), along(a, axis, -1, None)
    inner = 2 * left * right / (left + right)
    return concatenate([2 * first, inner, 2 * last], axis) / h**2


def divergence(a: Any, u: Any, spacing: Sequence[float]) -> Any:
    """∇·(a∇u) at the cell centres; numpy or torch, (..., *space)."""
    total = 0.0
    for axis, h in enumerate(spacing, start=-len(spacing)):
        jumps = concatenate([along(u, axis, None, 1), difference(u, axis), -along(u, axis, -1, None)], axis)
        total = total + difference(conductances(a, axis, h) * jumps, axis)
    return total


def assemble(a: np.ndarray, spacing: Sequence[float]) -> scipy.sparse.csr_matrix:
    """The matrix of u ↦ −∇·(a∇u), symmetric positive definite; rows in C order.

    The entries are laid out per cell as they stand in a row, [−x, −y, …, diagonal, …, +y, +x], and the neighbours
    that do not exist are cut out by a mask that depends on the shape alone: no sorting, no conversion between formats.
    """
    import scipy.sparse  # only the solver needs it, not those who import an equation for its residual

    ndim = a.ndim
    stencil = np.zeros((*a.shape, 2 * ndim + 1))
    for axis, h in enumerate(spacing):
        faces = np.moveaxis(conductances(a, axis - ndim, h), axis, 0)
        rows = np.moveaxis(stencil, axis, 0)
        rows[1:, ..., axis] = -faces[1:-1]
        rows[:-1, ..., 2 * ndim - axis] = -faces[1:-1]
        rows[..., ndim] += faces[1:] + faces[:-1]
    present, columns, starts = _pattern(a.shape)
    matrix = scipy.sparse.csr_matrix((stencil[present], columns, starts), shape=(a.size, a.size))
    matrix.has_canonical_format = True
    return matrix


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
