"""The conductances of a matrix that couples neighbouring cells of a grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from opforge.errors import InputError
from opforge.solvers.preconditioners._matrices import sparse_matrix

# What rounding leaves of row sums and differences, to the diagonal.
_ROUNDING = 1e-12


def stencil_of_matrix(
    A: Any, shape: tuple[int, ...]
) -> tuple[list[np.ndarray], np.ndarray, list[bool], list[tuple[bool, bool]]]:
    """Conductances of the faces along every axis, the rest of the diagonal, which axes are periodic, which ends hold.

    Raises:
        InputError: a matrix of another size, not symmetric, with other entries.
    """
    matrix = sparse_matrix(A)
    if matrix.shape[0] != np.prod(shape):
        raise InputError(f"A must have the grid's {np.prod(shape)} cells as rows, got {matrix.shape[0]}")
    scale = abs(matrix.diagonal()).max()
    if abs(matrix - matrix.T).max() > _ROUNDING * scale:
        raise InputError("A must be symmetric")
    entries = matrix.tocoo()
    upper = (entries.row < entries.col) & (abs(entries.data) > _ROUNDING * scale)
    rows, values = np.array(np.unravel_index(entries.row[upper], shape)), -entries.data[upper]
    steps = np.array(np.unravel_index(entries.col[upper], shape)) - rows
    if np.any(values < 0):
        raise InputError(f"A must have entries <= 0 beside its diagonal, got {-values.min():.3g}")
    faces, periodic, known = [], [], np.zeros(len(values), bool)
    for axis, n in enumerate(shape):
        straight = np.all(np.delete(steps, axis, 0) == 0, axis=0)
        near, around = straight & (steps[axis] == 1), straight & (steps[axis] == n - 1) & (n > 2)
        k = np.zeros([size + (other == axis) for other, size in enumerate(shape)])
        place = rows[:, near].copy()
        place[axis] += 1
        k[tuple(place)] = values[near]
        for end in (0, n):
            place = rows[:, around].copy()
            place[axis] = end
            k[tuple(place)] = values[around]
        faces.append(k)
        periodic.append(bool(around.any()))
        known |= near | around
    if not known.all():
        row = int(entries.row[upper][~known][0])
        raise InputError(f"A must couple neighbouring cells of the grid alone, got another entry in row {row}")
    extra, held = _walls(faces, matrix.diagonal().reshape(shape), periodic, scale)
    return faces, extra, periodic, held


def _walls(
    faces: list[np.ndarray], diagonal: np.ndarray, periodic: list[bool], scale: float
) -> tuple[np.ndarray, list[tuple[bool, bool]]]:
    """Move what the diagonal has besides, in coupled cells at ends of axes, to the faces there, in equal parts."""
    total: Any = sum(
        np.take(k, range(1, k.shape[axis]), axis) + np.take(k, range(k.shape[axis] - 1), axis)
        for axis, k in enumerate(faces)
    )
    extra = np.where(abs(diagonal - total) > _ROUNDING * scale, diagonal - total, 0.0)
    if np.any(extra < 0):
        raise InputError("A must have row sums of at least 0: it is no stencil of diffusion and reaction")
    ends, held = np.zeros(diagonal.shape), []
    walls = [axis for axis, around in enumerate(periodic) if not around]
    for axis in walls:
        for end in (0, -1):
            np.moveaxis(ends, axis, 0)[end] += np.moveaxis(total, axis, 0)[end] > 0
    share = np.where(ends > 0, extra / np.maximum(ends, 1), 0.0)
    for axis, k in enumerate(faces):
        pair = []
        for end in (0, -1):
            if axis in walls:
                part = np.moveaxis(share, axis, 0)[end]
                np.moveaxis(k, axis, 0)[end] = part
                pair.append(bool((part > 0).mean() > 0.5))
            else:
                pair.append(False)
        held.append((pair[0], pair[1]))
    return np.where(ends > 0, 0.0, extra), held
