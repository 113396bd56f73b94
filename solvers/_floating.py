"""Regions of cells in which nothing holds the solution of an elliptic equation: it is determined up to a constant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from opforge.core.full_transforms.transforms import is_torch
from opforge.pdes._arrays import along
from opforge.pdes._regions import fluid_regions


def floating_regions(
    faces: Sequence[np.ndarray], extra: np.ndarray, fluid: np.ndarray, wrapped: Sequence[bool]
) -> np.ndarray | None:
    """Numbers, from 1, of the regions of fluid that neither a boundary nor a reaction holds, 0 elsewhere.

    Args:
        faces: conductances of the n + 1 faces along every axis.
        extra: what the diagonal has besides, (*space).
        fluid: truth values, (*space).
        wrapped: which axes are periodic.

    Returns:
        Whole numbers (*space); None where everything is held.

    Example:
        >>> floating_regions([np.array([0.0, 1.0, 0.0, 1.0])], np.zeros(3), np.ones(3, bool), [False]).tolist()
        [1, 1, 0]
    """
    ndim = len(faces)
    held = (extra > 0) & fluid
    for axis, k in zip(range(-ndim, 0), faces, strict=True):
        if not wrapped[axis]:
            along(held, axis, None, 1)[...] |= along(k, axis, None, 1) > 0
            along(held, axis, -1, None)[...] |= along(k, axis, -1, None) > 0
    regions, count = _regions(faces, fluid, wrapped)
    if count == 1 and held.any():
        return None
    floats = np.bincount(regions.ravel(), held.ravel(), minlength=count + 1) == 0
    floats[0] = False
    return np.where(floats, np.cumsum(floats), 0)[regions] if floats.any() else None


def _regions(faces: Sequence[np.ndarray], fluid: np.ndarray, wrapped: Sequence[bool]) -> tuple[np.ndarray, int]:
    """The regions of fluid that hang together by faces, see `fluid_regions`."""
    closed = any(
        bool((fluid & _next(fluid, axis, around) & (_upper(k, axis, around) == 0)).any())
        for axis, k, around in zip(range(-len(faces), 0), faces, wrapped, strict=True)
    )
    if not closed:
        return (fluid.astype(int), 1) if fluid.all() else fluid_regions(~fluid, wrapped)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number, links = np.arange(fluid.size).reshape(fluid.shape), []
    for axis, k, around in zip(range(-len(faces), 0), faces, wrapped, strict=True):
        open_ = _upper(k, axis, around) > 0
        links.append((number[open_], np.roll(number, -1, axis)[open_]))
    lower, upper = (np.concatenate(ends) for ends in zip(*links, strict=True))
    graph = coo_array((np.ones(len(lower)), (lower, upper)), shape=(fluid.size, fluid.size))
    found = connected_components(graph, directed=False)[1].reshape(fluid.shape)
    inside, numbers = np.unique(found[fluid], return_inverse=True)
    regions = np.zeros(fluid.shape, int)
    regions[fluid] = numbers + 1
    return regions, len(inside)


def _next(x: np.ndarray, axis: int, wrapped: bool) -> np.ndarray:
    """What the next cell along an axis has, False behind the last one."""
    moved = np.roll(x, -1, axis)
    if not wrapped:
        along(moved, axis, -1, None)[...] = False
    return moved


def _upper(k: np.ndarray, axis: int, wrapped: bool) -> np.ndarray:
    """Conductances of the upper faces of cells, 0 at the end of an axis that is not periodic."""
    upper = along(k, axis, 1, None).copy()
    if not wrapped:
        along(upper, axis, -1, None)[...] = 0.0
    return upper


class RegionMeans:
    """The means of fields over regions, as fields: 0 outside of them.

    Args:
        regions: numbers, from 1, of regions, 0 outside; (1 or batch, *space).
        like: an array of the kind, precision and device of the fields.

    Attributes:
        sizes: cells of every region, (1 or batch, regions).

    Example:
        >>> means = RegionMeans(np.array([[1, 1, 0, 2]]), np.zeros(1))
        >>> means(np.array([[1.0, 3.0, 5.0, 7.0]])).tolist()
        [[2.0, 2.0, 0.0, 7.0]]
    """

    def __init__(self, regions: np.ndarray, like: Any):
        import torch

        flat = regions.reshape(len(regions), -1)
        count = int(flat.max())
        self.sizes = np.stack([np.bincount(row, minlength=count + 1)[1:] for row in flat])
        device = like.device if is_torch(like) else "cpu"
        self._regions = torch.from_numpy(flat.astype(np.int64)).to(device)
        dtype = like.dtype if is_torch(like) else torch.from_numpy(np.zeros(0, like.dtype)).dtype
        self._weights = torch.from_numpy(1.0 / np.maximum(self.sizes, 1)).to(device, dtype)
        self._only = (self._regions > 0).to(dtype) if count == 1 else None

    def of_regions(self, x: Any) -> Any:
        """The means of fields (batch, *space) as a tensor (batch, regions)."""
        import torch

        rows = (x if is_torch(x) else torch.from_numpy(x)).reshape(len(x), -1)
        if self._only is not None:
            sums = rows @ self._only[0] if len(self._only) == 1 else torch.linalg.vecdot(rows, self._only)
            return sums[:, None] * self._weights
        sums = rows.new_zeros(len(rows), self._weights.shape[1] + 1)
        return sums.scatter_add(1, self._regions.expand(len(rows), -1), rows)[:, 1:] * self._weights

    def taken_out(self, x: Any) -> Any:
        """Fields (batch, *space) less their means."""
        if self._only is None or not is_torch(x):
            return x - self(x)
        rows = x.reshape(len(x), -1)
        return rows.addcmul(self._only, self.of_regions(x), value=-1).reshape(x.shape)

    def __call__(self, x: Any) -> Any:
        """Of fields (batch, *space), numpy or torch."""
        import torch

        means = self.of_regions(x)
        if self._only is not None:
            found = means * self._only
        else:
            padded = torch.cat([torch.zeros_like(means[:, :1]), means], 1)
            found = padded.gather(1, self._regions.expand(len(means), -1))
        found = found.reshape(x.shape)
        return found if is_torch(x) else found.numpy()
