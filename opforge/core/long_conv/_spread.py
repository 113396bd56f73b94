"""Kernels that are periodic, or of which few modes are kept, as kernels with taps at all lags of a signal that ends."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from opforge.core.long_conv._chunks import chunk, levels
from opforge.core.long_conv._problem import Problem
from opforge.core.long_conv._turn import Turn


class Spread:
    """From the taps of a `Problem` of one axis to those at lags 1 − points … points − 1, and the transposed way."""

    def __init__(self, problem: Problem, dtype: np.dtype):
        (self.points,), (self.period,) = problem.points, problem.period
        self.turn = Turn(problem, dtype)
        self.ahead = slice(self.period - self.points + 1, self.period)  # where taps of negative lags stand
        self.modes = None if problem.modes is None else problem.modes[0]
        self.real, self.complex = dtype, np.result_type(dtype, np.complex64)

    def forward(self, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """From (rows, taps) to those at lags from 0 on, (rows, points), and to the others, (rows, points − 1)."""
        turn = self.turn.placed(k)
        self._cut(turn)
        return turn[:, : self.points], turn[:, self.ahead]

    def transposed(self, behind: np.ndarray, minus_ahead: np.ndarray, out: np.ndarray) -> None:
        """The other way, to (rows, taps); those at negative lags come with the sign turned."""
        turn = self.turn.empty(len(out))
        turn[:, : self.points] = behind
        turn[:, self.ahead] -= minus_ahead
        self._cut(turn)
        self.turn.take(turn, out)

    def _cut(self, turn: np.ndarray) -> None:
        """Drop modes, which is its own transpose."""
        if self.modes is None:
            return
        c = chunk("modes", len(turn), self.period, self.complex, False)
        points = c.points.reshape(turn.shape)
        points[...] = turn
        c.forward()
        np.multiply(c.modes, _kept(self.period, self.modes, self.complex), out=c.modes)
        c.backward()
        turn[...] = points.real


@lru_cache(maxsize=64)
def _kept(period: int, modes: int, dtype: np.dtype) -> np.ndarray:
    """1 / period where modes are kept and 0 elsewhere, in the order of a chunk."""
    first, second = levels(period)
    mode = np.arange(first)[:, None] + first * np.arange(second)
    return ((np.minimum(mode, period - mode) <= modes) / period).astype(dtype)
