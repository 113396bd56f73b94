"""Passes over rows that threads share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

# Cells of a pass that threads share: smaller ones are done before another thread has woken up.
_SHARED = 60_000


class Threads:
    """Calls ``work(*arguments, start, stop)`` with ranges that make up 0 to count.

    Args:
        number: of threads, the caller's included.

    Example:
        >>> found = []
        >>> Threads(2).share(lambda start, stop: found.append((start, stop)), 10, 100_000)
        >>> sorted(found)
        [(0, 5), (5, 10)]
    """

    def __init__(self, number: int):
        self.number = number
        self._pool = ThreadPoolExecutor(number - 1) if number > 1 else None

    def share(self, work: Callable[..., Any], count: int, cells: int, *arguments: Any) -> None:
        """Do the work, of so many ``cells``; work must let go of the interpreter's lock to gain from it."""
        if self._pool is None or cells < _SHARED or count < self.number:
            work(*arguments, 0, count)
            return
        ends = [count * i // self.number for i in range(self.number + 1)]
        others = [self._pool.submit(work, *arguments, start, stop) for start, stop in pairwise(ends[1:])]
        work(*arguments, ends[0], ends[1])
        for other in others:
            other.result()
