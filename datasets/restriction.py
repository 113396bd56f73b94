"""Fields of a fine grid on a coarser one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from opforge.core import Grid


def restricted(u: np.ndarray, grid: Grid, factor: int = 2) -> np.ndarray:
    """A field of a grid on the grid with fewer spacings.

    Args:
        u: (…, *space).
        grid: its grid; ``factor`` divides the number of spacings of every axis.
        factor: how many times fewer.

    Returns:
        Means over the factor^d children of each cell; every factor-th node or periodic point.

    Example:
        >>> restricted(np.arange(6.0), Grid((6,), points="cells")).tolist()
        [0.5, 2.5, 4.5]
        >>> restricted(np.arange(5.0), Grid((5,), points="nodes")).tolist()
        [0.0, 2.0, 4.0]
    """
    for axis in range(-grid.ndim, 0):
        u = np.moveaxis(u, axis, -1)
        parts = (u[..., first::factor] for first in range(factor))
        u = sum(parts, start=np.zeros(())) / factor if grid.points == "cells" else u[..., ::factor]
        u = np.moveaxis(u, -1, axis)
    return u


def restricted_faces(u: np.ndarray, axis: int, grid: Grid, factor: int = 2) -> np.ndarray:
    """A velocity along an axis through the upper faces of cells: the means over the faces of greater cells.

    What flows into a greater cell flows out of it, if that is so for those it is made of.

    Args:
        u: (…, *space).
        axis: of space, 0 for x.
        grid, factor: see `restricted`; cells.

    Example:
        >>> restricted_faces(np.arange(6.0), 0, Grid((6,))).tolist()
        [1.0, 3.0, 5.0]
    """
    own = axis - grid.ndim
    last = u[(..., slice(factor - 1, None, factor), *(slice(None),) * (-own - 1))]
    return restricted(np.repeat(last, factor, own), grid, factor)


def restricted_halves(u: np.ndarray, axes: Sequence[int], grid: Grid, factor: int = 2) -> np.ndarray:
    """A field that lies half a spacing above nodes or periodic points along some axes.

    Args:
        u: (…, *space); of nodes the last entries along these axes are 0, they are beyond the box.
        axes: of space, 0 for x.
        grid, factor: see `restricted`.

    Returns:
        The values at the middles of the greater spacings, an even ``factor``: the means of the two beside them.

    Example:
        >>> grid = Grid((5,), (4.0,), "nodes")
        >>> restricted_halves(np.array([0.5, 1.5, 2.5, 3.5, 0.0]), (0,), grid).tolist()
        [1.0, 3.0, 0.0]
    """
    for axis in range(-grid.ndim, 0):
        u = np.moveaxis(u, axis, -1)
        if axis + grid.ndim in axes:
            low, high = u[..., (factor - 1) // 2 :: factor], u[..., factor // 2 :: factor]
            spacings = (u.shape[-1] - (grid.points == "nodes")) // factor
            beyond = np.zeros((*u.shape[:-1], int(grid.points == "nodes")))
            u = np.concatenate([(low[..., :spacings] + high[..., :spacings]) / 2, beyond], -1)
        else:
            u = u[..., ::factor]
        u = np.moveaxis(u, -1, axis)
    return u
