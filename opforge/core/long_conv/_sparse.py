"""Long convolutions with kernels of few modes, by real transforms of which few modes are looked at.

With P the period, even, samples 2n and 2n + 1 are real and imaginary part of z[n], P/2 complex numbers that are there
without being moved. From their transform Z come the modes of the real signal, and only those that are kept are made:

    X_κ = a_κ Z_κ + b_κ conj(Z_−κ),  a_κ = (1 − i w^κ)/2,  b_κ = (1 + i w^κ)/2,  w = exp(−2πi/P).

On the way back Z_κ = conj(a_κ) Y_κ and Z_−κ = b_κ conj(Y_κ), all others being zero: modes beyond P/4 stay out of it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from opforge.core.long_conv._chunks import Chunk, array, levels, turns
from opforge.core.long_conv._passage import Passage
from opforge.core.long_conv._problem import Problem
from opforge.core.long_conv._turn import Turn


@lru_cache(maxsize=64)
def _mixing(period: int, modes: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """a and b for κ = 0 … modes."""
    w = turns(-np.arange(modes + 1), period)
    return ((1 - 1j * w) / 2).astype(dtype), ((1 + 1j * w) / 2).astype(dtype)


class Sparse(Passage):
    """For one `Problem`."""

    @staticmethod
    def why_not(problem: Problem) -> str:
        if problem.ndim > 1:
            return "it works along one axis"
        if problem.modes is None:
            return "it needs keep_modes"
        if problem.period[0] % 2:
            return "the number of points is odd"
        return "" if 4 * problem.modes[0] < problem.period[0] else "more than half of the modes are kept"

    def __init__(self, problem: Problem, dtype: np.dtype):
        assert problem.modes is not None  # see why_not
        (self.period,), (self.kept,) = problem.period, problem.modes
        super().__init__(problem, dtype, self.period // 2)
        self.turn = Turn(problem, dtype)
        self.like_signal = self.first == 0 and self.taps == self.points  # the kernel stands where signals do
        self.a, self.b = _mixing(self.period, self.kept, self.complex)
        self.back_a, self.back_b = self.a.conj(), self.b[:0:-1].copy()
        first, second = levels(self.length)
        # a signal fills the front half of the period, or all of it: so many rows of so many numbers
        self.filled = (1, self.points) if first == 1 else (first * self.points // self.period, 2 * second)
        self.columns = self.kept // first + 1, -(-self.kept // first)  # of modes from 0 on, of negative ones

    def modes(self, c: Chunk) -> np.ndarray:
        x = array(f"modes {c.use}", (len(c.modes), self.kept + 1), self.complex)
        positive = self._in_order(c.modes[:, :, : self.columns[0]])[:, : self.kept + 1]
        np.multiply(positive, self.a, out=x)
        np.add(positive[:, 0].real, positive[:, 0].imag, out=x[:, 0])
        if self.kept:
            negative = self._in_order(c.modes[:, :, -self.columns[1] :])[:, : -self.kept - 1 : -1]
            conjugate = np.conjugate(negative, out=array("conjugate modes", negative.shape, self.complex))
            np.multiply(conjugate, self.b[1:], out=conjugate)
            np.add(x[:, 1:], conjugate, out=x[:, 1:])
        return x

    def put(self, modes: np.ndarray, c: Chunk) -> None:
        ahead, behind = self.columns
        x = modes.reshape(len(c.modes), -1)
        numbers = c.modes.view(self.real)  # numpy fills complex arrays at half the speed
        numbers[:, :, 2 * ahead : numbers.shape[2] - 2 * behind] = 0
        columns = c.modes[:, :, :ahead]
        positive = self._room(columns)
        np.multiply(x, self.back_a, out=positive[:, : self.kept + 1])
        positive[:, self.kept + 1 :] = 0
        self._spread(positive, columns)
        if self.kept:
            columns = c.modes[:, :, -behind:]
            negative = self._room(columns)
            np.conjugate(x[:, :0:-1], out=negative[:, -self.kept :])
            np.multiply(negative[:, -self.kept :], self.back_b, out=negative[:, -self.kept :])
            negative[:, : -self.kept] = 0
            self._spread(negative, columns)

    @staticmethod
    def _in_order(columns: np.ndarray) -> Any:
        """Modes (rows, L₁, columns) as (rows, modes), in the order of their frequencies."""
        rows, first, count = columns.shape
        if first == 1:
            return columns[:, 0]
        ordered = array("ordered modes", (rows, count, first), columns.dtype)
        ordered[...] = columns.transpose(0, 2, 1)
        return ordered.reshape(rows, -1)

    @staticmethod
    def _room(columns: np.ndarray) -> np.ndarray:
        """Where to put what `_spread` shall take: ``columns`` themselves if they are in order."""
        rows, first, count = columns.shape
        return columns[:, 0] if first == 1 else array("ordered modes", (rows, count * first), columns.dtype)

    @staticmethod
    def _spread(ordered: np.ndarray, columns: np.ndarray) -> None:
        """The inverse of `_in_order`."""
        rows, first, count = columns.shape
        if first > 1:
            columns[...] = ordered.reshape(rows, count, first).transpose(0, 2, 1)

    def load(self, x: np.ndarray, c: Chunk) -> None:
        whole = self._reals(c, x.shape[:-1])
        filled, rest = self._parts(whole)
        filled[...] = x.reshape(filled.shape)
        rest[...] = 0

    def store(self, c: Chunk, out: np.ndarray) -> None:
        filled, _ = self._parts(self._reals(c, out.shape[:-1]))
        out.reshape(filled.shape)[...] = filled

    def load_kernel(self, k: np.ndarray, c: Chunk) -> None:
        if self.like_signal:
            filled, rest = self._parts(self._reals(c, k.shape[:-1]))
            np.multiply(k.reshape(filled.shape), self.real.type(1 / self.length), out=filled)
            rest[...] = 0
            return
        turn = self.turn.placed(k)
        whole = self._reals(c, turn.shape[:-1])
        np.multiply(turn.reshape(whole.shape), self.real.type(1 / self.length), out=whole)

    def store_kernel(self, c: Chunk, out: np.ndarray) -> None:
        if self.like_signal:
            self.store(c, out)
            np.multiply(out, self.real.type(1 / self.length), out=out)
            return
        turn = self.turn.empty(len(out))
        whole = self._reals(c, turn.shape[:-1])
        np.multiply(whole, self.real.type(1 / self.length), out=turn.reshape(whole.shape))
        self.turn.take(turn, out)

    def _reals(self, c: Chunk, shape: tuple[int, ...]) -> np.ndarray:
        """``c.points`` as the real numbers that they are, (*shape, L₁, 2 L₂)."""
        reals = c.points.view(self.real)
        return reals.reshape(*shape, *reals.shape[1:])

    def _parts(self, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where a signal stands, and where nothing does."""
        rows, numbers = self.filled
        if whole.shape[-2] == 1:
            return whole[..., :numbers], whole[..., numbers:]
        return whole[..., :rows, :], whole[..., rows:, :]
