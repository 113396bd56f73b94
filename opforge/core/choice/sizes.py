"""Sizes in questions about back ends: how they are rounded, worded and judged."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache


def rounded_batch(batch: int) -> int:
    """Batches of similar size share an answer: the last one of an epoch is smaller, and must not be asked about.

    Example:
        >>> rounded_batch(16), rounded_batch(13)
        (16, 16)
    """
    return 2 ** round(math.log2(max(batch, 1)))


def by(sizes: Iterable[object]) -> str:
    """Sizes in words.

    Example:
        >>> by((64, 32))
        '64x32'
    """
    return "x".join(map(str, sizes))


@lru_cache(maxsize=4096)
def largest_prime(n: int) -> int:
    """The largest prime factor, on which the speed of Fourier transforms depends.

    Example:
        >>> largest_prime(96), largest_prime(97), largest_prime(1)
        (3, 97, 1)
    """
    largest, factor = 1, 2
    while factor * factor <= n:
        while n % factor == 0:
            largest, n = factor, n // factor
        factor += 1
    return max(largest, n)
