"""Runs of neighbours in a sequence of whole numbers: what is read, made or copied in one go."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def spans(numbers: np.ndarray) -> list[tuple[int, int]]:
    """Positions (start, stop) of the runs in which each number is the one before it plus 1.

    Example:
        >>> spans(np.array([2, 3, 4, 7]))
        [(0, 3), (3, 4)]
    """
    breaks = (np.flatnonzero(np.diff(numbers) != 1) + 1).tolist()
    return [(start, stop) for start, stop in zip([0, *breaks], [*breaks, len(numbers)], strict=True) if start < stop]


def runs(numbers: np.ndarray) -> list[range]:
    """The runs themselves.

    Example:
        >>> runs(np.array([2, 3, 4, 7]))
        [range(2, 5), range(7, 8)]
    """
    return [range(int(numbers[start]), int(numbers[stop - 1]) + 1) for start, stop in spans(numbers)]


def aligned(start: int, stop: int, size: int, first: int = 0) -> list[range]:
    """Cut start … stop into ranges that end where ``first`` plus the end is a multiple of ``size``, and at ``stop``.

    Example:
        >>> aligned(2, 9, 4), aligned(0, 5, 4, first=3)
        ([range(2, 4), range(4, 8), range(8, 9)], [range(0, 1), range(1, 5)])
    """
    ends = [*range(start + size - (first + start) % size, stop, size), stop]
    return [range(a, b) for a, b in zip([start, *ends], ends, strict=False) if a < b]


def equal_runs(values: np.ndarray) -> Iterator[tuple[int, int]]:
    """Where neighbours are equal: the first position of each run and the one after its last.

    Example:
        >>> list(equal_runs(np.array([4, 4, 1, 4])))
        [(0, 2), (2, 3), (3, 4)]
    """
    breaks = (np.flatnonzero(np.diff(values)) + 1).tolist()
    return ((start, stop) for start, stop in zip([0, *breaks], [*breaks, len(values)], strict=True) if start < stop)
