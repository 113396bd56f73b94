"""Kernels laid out around one turn of a period."""

from __future__ import annotations

import numpy as np

from opforge.core.long_conv._chunks import array
from opforge.core.long_conv._problem import Problem


class Turn:
    """From the taps of a `Problem` of one axis to places around its period, lag m at m mod period, and back."""

    def __init__(self, problem: Problem, dtype: np.dtype):
        (self.period,), (first,), (taps,) = problem.period, problem.first, problem.taps
        self.real = dtype
        start = first % self.period
        until_end = min(taps, self.period - start)  # the other taps come round
        self._places = (
            (slice(start, start + until_end), slice(0, until_end)),
            (slice(0, taps - until_end), slice(until_end, taps)),
        )

    def empty(self, rows: int) -> np.ndarray:
        """This thread's array (rows, period), of zeros."""
        turn = array("turn", (rows, self.period), self.real)
        turn[...] = 0
        return turn

    def placed(self, k: np.ndarray) -> np.ndarray:
        """(rows, taps) as (rows, period), in this thread's array."""
        turn = self.empty(len(k))
        for there, here in self._places:
            turn[:, there] = k[:, here]
        return turn

    def take(self, turn: np.ndarray, out: np.ndarray) -> None:
        """(rows, period) to (rows, taps)."""
        for there, here in self._places:
            out[:, here] = turn[:, there]
