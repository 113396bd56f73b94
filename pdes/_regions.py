"""The regions of fluid around obstacles that hang together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def fluid_regions(solid: np.ndarray, wrapped: Sequence[bool]) -> tuple[np.ndarray, int]:
    """Numbers, from 1, of the regions of fluid that hang together, 0 in obstacles; and how many there are.

    Args:
        solid: truth values.
        wrapped: which axes are periodic.

    Example:
        >>> regions, count = fluid_regions(np.array([False, True, False, True, False]), [True])
        >>> regions.tolist(), count
        ([1, 0, 2, 0, 1], 2)
    """
    from scipy.ndimage import label
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    found: Any = label(~solid)
    parts, count = found
    if count == 0 or not any(wrapped):
        return parts, count
    ends = [(np.take(parts, 0, axis), np.take(parts, -1, axis)) for axis, around in enumerate(wrapped) if around]
    first, last = (np.concatenate([end[i].ravel() for end in ends]) for i in (0, 1))
    meet = (first > 0) & (last > 0)
    links = coo_array((np.ones(int(meet.sum())), (first[meet] - 1, last[meet] - 1)), shape=(count, count))
    regions, numbers = connected_components(links, directed=False)
    return np.concatenate([[0], numbers + 1])[parts], int(regions)


def without_pockets(solid: np.ndarray, boundary: Sequence[tuple[str, str]]) -> np.ndarray:
    """Obstacles with all fluid filled that touches no end where u = 0; where none does, all but the largest region.

    There u floats, and an operator is singular in every such region.

    Args:
        solid: truth values.
        boundary: ``"dirichlet"``, ``"neumann"`` or ``"periodic"`` at the lower and upper end of every axis.

    Example:
        >>> ring = np.ones((3, 3), bool)
        >>> ring[1, 1] = False
        >>> bool(without_pockets(np.pad(ring, 2), (("neumann", "neumann"),) * 2)[3, 3])
        True
    """
    regions, count = fluid_regions(solid, [ends[0] == "periodic" for ends in boundary])
    kept: set[int] = set()
    for axis, ends in enumerate(boundary):
        for end, place in zip(ends, (0, -1), strict=True):
            if end == "dirichlet":
                kept |= set(np.unique(regions.take(place, axis)).tolist()) - {0}
    return ~np.isin(regions, sorted(kept)) if kept else _all_but_largest(regions, count)


def with_one_region(solid: np.ndarray, wrapped: Sequence[bool]) -> np.ndarray:
    """Obstacles with all fluid filled but for the largest region.

    Args:
        solid: truth values.
        wrapped: which axes are periodic.

    Example:
        >>> with_one_region(np.array([False, True, False, False]), [False]).tolist()
        [True, True, False, False]
    """
    return _all_but_largest(*fluid_regions(solid, wrapped))


def _all_but_largest(regions: np.ndarray, count: int) -> np.ndarray:
    sizes = np.bincount(regions.ravel(), minlength=count + 1)
    return regions != 1 + int(sizes[1:].argmax()) if count else np.ones(regions.shape, bool)
