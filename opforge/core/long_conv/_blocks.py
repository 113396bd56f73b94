"""Long convolutions by overlapping blocks (overlap-save), for kernels shorter than the signal.

A block of H results needs H + taps − 1 samples, the window; a circular convolution of the window with the kernel has
them at the places that nothing comes round to. Two windows of the same row are the real and the imaginary part of one
complex transform: the kernel being real, they stay apart.

The transposed operator puts windows of zeros with H samples in them through the conjugate spectrum, and adds up what
comes out where windows overlap.

Source: overlap-save as in Oppenheim and Schafer, Discrete-Time Signal Processing; FlashFFTConv calls it a partial
convolution.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from opforge.core.long_conv._chunks import Chunk, array, cost, good_length
from opforge.core.long_conv._passage import Passage
from opforge.core.long_conv._problem import Problem


@lru_cache(maxsize=4096)
def plan(points: int, taps: int) -> tuple[int, int]:
    """The length of windows and half the number of blocks that cost least."""
    found = []
    halves = 1
    while True:
        hop = -(-points // (2 * halves))
        length = good_length(hop + taps - 1)
        found.append((halves * cost(length), length))
        if hop < 2 * taps or 32 * halves > points:
            break
        halves *= 2
    length = min(found)[1]
    return length, -(-points // (2 * (length - taps + 1)))


class Blocks(Passage):
    """For one `Problem`."""

    gap = False

    @staticmethod
    def why_not(problem: Problem) -> str:
        if problem.ndim > 1:
            return "it works along one axis"
        if problem.modes is not None:
            return "a kernel of few modes is as long as the signal"
        if 2 * problem.taps[0] > problem.points[0]:
            return "the kernel is longer than half the signal"
        return ""

    def __init__(self, problem: Problem, dtype: np.dtype):
        super().__init__(problem, dtype, *plan(problem.points[0], problem.taps[0]))
        self.periodic = problem.periodic
        self.over = self.taps - 1  # samples of a window that yield no result
        self.hop = self.length - self.over
        self.last = self.first + self.over  # the first window starts so many samples before the signal

    def load(self, x: np.ndarray, c: Chunk) -> None:
        row, end = self._row(x), 0
        for into, source in self._segments():
            row[..., end : into.start] = 0
            row[..., into] = x[..., source]
            end = into.stop
        row[..., end:] = 0
        windows = self._windows(row, 0, self.length)
        for half, part in enumerate(self._halves(c, x)):
            part[...] = windows[..., half, :, :]

    def load_result(self, x: np.ndarray, c: Chunk) -> None:
        for half, part in enumerate(self._halves(c, x)):
            inside = part[..., self.over :]
            part[..., : self.over] = 0
            inside[..., self._count(half) :, :] = 0
            for place, block in self._cut(x, half):
                inside[place] = block

    def store(self, c: Chunk, out: np.ndarray) -> None:
        for half, part in enumerate(self._halves(c, out)):
            inside = part[..., self.over :]
            for place, block in self._cut(out, half):
                block[...] = inside[place]

    def store_adjoint(self, c: Chunk, out: np.ndarray) -> None:
        row, halves = self._row(out), self._halves(c, out)
        heads, tails = self._windows(row, 0, self.hop), self._windows(row, self.hop, self.over)
        row[..., 2 * self.rows * self.hop :] = 0
        for half, part in enumerate(halves):
            heads[..., half, :, :] = part[..., : self.hop]
        for half, part in enumerate(halves):  # no tail is longer than a hop: they do not overlap each other
            tails[..., half, :, :] += part[..., self.hop :]
        segments = list(self._segments())
        if len(segments) > 1 or segments[0][1] != slice(0, self.points):
            out[...] = 0
            for into, source in segments:
                out[..., source] += row[..., into]
        else:
            out[...] = row[..., segments[0][0]]

    def load_kernel(self, k: np.ndarray, c: Chunk) -> None:
        z = c.points.reshape(len(k), self.length)
        z[...] = 0
        np.multiply(k, self.real.type(1 / self.length), out=z.real[:, : self.taps])

    def store_kernel(self, c: Chunk, out: np.ndarray) -> None:
        taken = c.points.reshape(len(out), self.length).real[:, : self.taps]
        np.multiply(taken, self.real.type(1 / self.length), out=out)

    def _row(self, x: np.ndarray) -> np.ndarray:
        """Room for rows of a signal with what lies beyond its ends, from the first window's start to the last's end."""
        return array("row", (*x.shape[:-1], 2 * self.rows * self.hop + self.over), self.real)

    def _segments(self) -> Iterator[tuple[slice, slice]]:
        """Pieces of `_row` in their order, each with the piece of the signal that stands there; between them is 0."""
        end = self.points + self.over
        place = self.last
        if self.periodic:
            place -= self.points * max(0, -(-self.last // self.points))
        while place < end:
            start, stop = max(place, 0), min(place + self.points, end)
            if start < stop:
                yield slice(start, stop), slice(start - place, stop - place)
            if not self.periodic:
                break
            place += self.points

    def _windows(self, row: np.ndarray, start: int, length: int) -> np.ndarray:
        """A view (…, 2, windows / 2, length) of `_row`, from ``start`` on, windows one hop apart."""
        step = row.itemsize
        shape = (*row.shape[:-1], 2, self.rows, length)
        strides = (*row.strides[:-1], self.rows * self.hop * step, self.hop * step, step)
        return np.ndarray(shape, row.dtype, row, start * step, strides)  # as_strided takes 20 times as long

    def _halves(self, c: Chunk, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The windows (…, windows / 2, length) in the real and in the imaginary parts of ``c.points``."""
        z = c.points.reshape(*x.shape[:-1], self.rows, self.length)
        return z.real, z.imag

    def _count(self, half: int) -> int:
        """How many blocks of a half are whole."""
        return min(max(self.points // self.hop - half * self.rows, 0), self.rows)

    def _cut(self, x: np.ndarray, half: int) -> Iterator[tuple[Any, np.ndarray]]:
        """The blocks of a half, as places among its windows' results and views of ``x``: whole ones, and the last."""
        count, start = self._count(half), half * self.rows * self.hop
        whole = x[..., start : start + count * self.hop]
        if count:
            yield (..., slice(0, count), slice(None)), whole.reshape(*x.shape[:-1], count, self.hop)
        rest = x[..., start + count * self.hop :]
        if count < self.rows and rest.shape[-1]:
            yield (..., count, slice(0, rest.shape[-1])), rest
