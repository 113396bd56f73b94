"""Complex transforms between values at all points and the lowest modes, on arrays that are used again and again.

Two things make them faster than whole transforms in several dimensions. Along an axis only what is kept of the later
axes is transformed. And rows are a little longer than they need to be: columns of 256 or 512 rows of as many numbers
fall on the same lines of the processor's caches, which makes transforms of columns up to ten times as slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from opforge.core.full_transforms import _fftw
from opforge.core.full_transforms._pyfftw import pyfftw


class PrunedTransforms:
    """FFTW's plans for one shape, and the arrays between which they work; it serves one thread at a time.

    Args:
        leading: axes that are not transformed.
        shape: points per axis.
        highest: K for every axis; of −K … K at least, the modes are computed, and what is put elsewhere may be ignored.
        dtype: complex64 or complex128.

    Attributes:
        padded: where all modes (*leading, *space) are put to become values at points; 0 at first, and nothing but the
            caller writes to it.
        values: where real values (*leading, *space, 2) are put to become modes.
        points: where `to_points` leaves values (*leading, *space, 2).
        modes: where `to_modes` leaves modes (*leading, *space); finite numbers without meaning where none are kept.
        padded_rows, modes_rows: the contiguous arrays whose rows those of ``padded`` and ``modes`` begin.

    Example:
        >>> transforms = PrunedTransforms((), (8,), (2,), np.dtype(complex))
        >>> transforms.padded[1] = 0.5
        >>> x = np.arange(8) / 8
        >>> np.allclose(transforms.to_points()[:, 0], np.cos(2 * np.pi * x) / 2)
        True
    """

    def __init__(self, leading: Sequence[int], shape: Sequence[int], highest: Sequence[int], dtype: Any):
        whole, ndim = (*leading, *shape), len(shape)
        split = _worth_splitting(shape)
        groups = [(axis,) for axis in range(-ndim, 0)] if split else [tuple(range(-ndim, 0))]
        n, row = shape[-1], _row(shape[-1]) if split else shape[-1]
        rooms = [pyfftw.zeros_aligned((*whole[:-1], row), dtype) for _ in range(2 * len(groups) + 2)]
        forth, back = ([room[..., :n] for room in half] for half in (rooms[::2], rooms[1::2]))
        self._inverse, self._forward = [], []
        for i, axes in enumerate(groups):
            slabs = _slabs(shape, highest, after=axes[-1])
            self._inverse += _plans(forth[i], forth[i + 1], axes, slabs, inverse=True)
            self._forward = _plans(back[-i - 2], back[-i - 1], axes, slabs, inverse=False) + self._forward
        self.padded, self.points, self.padded_rows = forth[0], parts(forth[-1]), rooms[0]
        self.values, self.modes, self.modes_rows = parts(back[0]), back[-1], rooms[-1]

    def to_points(self) -> np.ndarray:
        """Σ_k û_k e^{ikx} of ``padded``: values at the points, in ``points``."""
        for plan in self._inverse:
            plan.execute()
        return self.points

    def to_modes(self) -> np.ndarray:
        """Σ_x u e^{−ikx} of ``values``: modes, in ``modes``."""
        for plan in self._forward:
            plan.execute()
        return self.modes


def parts(z: Any) -> np.ndarray:
    """A complex array as a real one with an axis for both parts, in the same memory."""
    return z.view(z.real.dtype).reshape(*z.shape, 2)


def _worth_splitting(shape: Sequence[int]) -> bool:
    """Whether axes are transformed one after the other, and not in one plan.

    In single precision on 2 cores of an EPYC processor, FFTW 3.3.5, one plan takes 1.4 times as long at 48², 12 at
    512², 1.7 at 32³ and 7 at 96³; it is as fast at 16² and 32² and 2 to 5 % faster at 64².
    """
    short = all(n <= 64 and n & (n - 1) == 0 for n in shape)
    return len(shape) == 3 or (len(shape) == 2 and not short)


def _row(n: int) -> int:
    """A few numbers more than n: an even number, so that all rows are aligned."""
    return n + 2 + n % 2


def _slabs(shape: Sequence[int], highest: Sequence[int], after: int) -> list[tuple[slice, ...]]:
    """Parts of the axes after one, counted from the end, that hold all modes that are kept.

    They start at even numbers, for FFTW is slow at what isn't aligned.
    """
    kept = []
    for n, k in list(zip(shape, highest, strict=True))[len(shape) + after + 1 :]:
        low, high = min(n, (k + 2) // 2 * 2), (n - k) // 2 * 2
        kept.append([slice(0, n)] if low >= high else [slice(0, low), *([slice(high, n)] if k else [])])
    return list(product(*kept))


def _plans(
    source: np.ndarray, target: np.ndarray, axes: tuple[int, ...], slabs: list[tuple[slice, ...]], *, inverse: bool
) -> list[Any]:
    return [_fftw.estimated_c2c(source[(..., *slab)], target[(..., *slab)], axes, inverse=inverse) for slab in slabs]
