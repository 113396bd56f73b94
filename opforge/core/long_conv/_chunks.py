"""Complex Fourier transforms of a few rows at a time through FFTW, in scratch memory that stays in a core's cache.

FFTW runs complex transforms of up to a few thousand points at two to three times the rate of real ones. Longer ones
are split in two levels, L = L₁·L₂ with n = n₁·L₂ + n₂ and f = f₁ + L₁·f₂, whose short transforms are again of that
kind:

    X[f₁ + L₁ f₂] = Σ_n₂ exp(−2πi n₂ f₂/L₂) · exp(−2πi n₂ f₁/L) · Σ_n₁ exp(−2πi n₁ f₁/L₁) x[n₁ L₂ + n₂].

The frequencies stay in the order (f₁, f₂): a convolution multiplies spectra in equal order, and goes back from it.

Plans are made with FFTW_ESTIMATE, so that the bits of a result do not depend on what was measured.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from functools import lru_cache
from typing import Any

import numpy as np

from opforge.core.full_transforms import _fftw
from opforge.core.full_transforms._pyfftw import pyfftw

_LONGEST = 4096  # that is transformed at once
_MOST = 128  # first level; beyond, strides defeat the cache
# By the odd part of a length: up to where FFTW has its fast plans, and the second level of long transforms.
_FAST = {1: 2048, 3: 384, 5: 1280, 15: 0}
_SECOND = {1: 2048, 3: 384, 5: 1280, 15: 1920}
_TRAFFIC = 1.7  # nanoseconds per number to load, multiply and store
_GAP = 8  # numbers between rows of the first level: rows at multiples of 2048 bytes share places in the cache
_KEPT_BYTES = 2**26  # scratch memory per thread, beyond which the chunks used least recently are dropped


@lru_cache(maxsize=4096)
def good_length(n: int) -> int:
    """The length from ``n`` on that costs least to go through: a power of two times 1, 3, 5 or 15."""
    return min((odd << max(0, (-(-n // odd) - 1).bit_length()) for odd in _SECOND), key=cost)


def cost(length: int) -> float:
    """Nanoseconds, on one core, to load a row of ``length`` numbers, go there and back, and store it."""
    first, second = levels(length)
    if second <= _FAST.get(_odd_part(length), 0):
        transform = 0.9
    elif _odd_part(length) not in _FAST:
        transform = 6.0
    else:
        transform = 1.45 + 0.8 * max(0.0, math.log2(second / _LONGEST))
    if first > 1:
        transform += 0.6 + 0.03 * max(0.0, math.log2(length / 8192)) ** 2
    return 80 + length * (2 * transform + _TRAFFIC)


@lru_cache(maxsize=4096)
def levels(length: int) -> tuple[int, int]:
    """(L₁, L₂) for a transform of ``length``; L₁ = 1 where it is done at once."""
    second = _SECOND.get(_odd_part(length))
    if length <= _LONGEST or second is None:
        return 1, length
    first = min(length // second, _MOST)
    return first, length // first


def _odd_part(n: int) -> int:
    return n // (n & -n)


def turns(numerators: np.ndarray, denominator: int) -> np.ndarray:
    """exp(2πi · numerators / denominator), with angles reduced exactly before they are rounded."""
    return np.exp(2j * np.pi * ((numerators % denominator) / denominator))


@lru_cache(maxsize=32)
def _twiddles(first: int, second: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    forward = turns(-np.arange(first)[:, None] * np.arange(second)[None, :], first * second)
    return forward.astype(dtype), forward.conj().astype(dtype)


class Chunk:
    """Scratch memory for ``rows`` transforms of one length, and their plans.

    Args:
        use: what for; chunks for different uses are different.
        rows: how many.
        length: of each.
        dtype: complex.
        gap: whether ``points`` may have gaps between the rows of the first level.

    ``points`` (rows, L₁, L₂) holds values in natural order, ``modes`` (rows, L₁, L₂) their transforms.
    """

    def __init__(self, use: str, rows: int, length: int, dtype: np.dtype, gap: bool):
        self.use = use
        first, second = levels(length)
        wide = _GAP if gap and first > 1 and second * dtype.itemsize % 2048 == 0 else 0
        self.points = pyfftw.empty_aligned((rows, first, second + wide), dtype)[..., :second]
        self.modes = pyfftw.empty_aligned((rows, first, second), dtype)
        self.nbytes = 2 * self.modes.nbytes
        self._second = self._plan(self.points, self.modes, 2, "FFTW_FORWARD")
        self._second_back = self._plan(self.modes, self.points, 2, "FFTW_BACKWARD")
        self._first = self._first_back = None
        if first > 1:
            self._first = self._plan(self.points, self.points, 1, "FFTW_FORWARD")
            self._first_back = self._plan(self.points, self.points, 1, "FFTW_BACKWARD")
            self._twiddles, self._twiddles_back = _twiddles(first, second, dtype)

    @staticmethod
    def _plan(source: np.ndarray, target: np.ndarray, axis: int, direction: str) -> pyfftw.FFTW:
        def make(*flags: str) -> pyfftw.FFTW:
            return pyfftw.FFTW(source, target, axes=(axis,), direction=direction, flags=flags, threads=1)

        with _fftw._planner:
            return _fftw._estimated(make)

    def forward(self) -> None:
        """Transform ``points`` to ``modes``, destroying ``points``."""
        if self._first is not None:
            self._first.execute()
            np.multiply(self.points, self._twiddles, out=self.points)
        self._second.execute()

    def backward(self) -> None:
        """Transform ``modes`` back to ``points``, times the length; ``modes`` are left as they are."""
        self._second_back.execute()
        if self._first_back is not None:
            np.multiply(self.points, self._twiddles_back, out=self.points)
            self._first_back.execute()


class _Scratch(threading.local):
    """A thread's memory; its end frees it."""

    def __init__(self) -> None:
        self.chunks: OrderedDict[tuple[Any, ...], Chunk] = OrderedDict()
        self.arrays: dict[tuple[str, np.dtype], np.ndarray] = {}


_scratch = _Scratch()


def chunk(use: str, rows: int, length: int, dtype: np.dtype, gap: bool) -> Chunk:
    """This thread's chunk of that size for that use."""
    chunks, key = _scratch.chunks, (use, rows, length, dtype, gap)
    if key not in chunks:
        chunks[key] = Chunk(*key)
        kept = sum(c.nbytes for c in chunks.values())
        while kept > _KEPT_BYTES and len(chunks) > 6:  # as many as one piece of work may use in turn
            kept -= chunks.popitem(last=False)[1].nbytes
    chunks.move_to_end(key)
    return chunks[key]


def array(use: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """This thread's array for that use, with whatever it held before."""
    size = math.prod(shape)
    kept = _scratch.arrays.get((use, dtype))
    if kept is None or kept.size < size:
        kept = _scratch.arrays[use, dtype] = np.empty(size, dtype)
    return kept[:size].reshape(shape)
