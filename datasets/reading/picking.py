"""Which samples or pairs users mean: by numbers, by masks, by sizes of parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from opforge.errors import InputError


def positions(indices: Any, count: int, things: str) -> np.ndarray:
    """Integers from 0 to ``count`` − 1.

    Args:
        indices: integers, negative ones count from the end; or a mask with a truth value for each.
        count: how many there are.
        things: what they are, for the text.

    Raises:
        InputError: an index out of range, a mask of another length, anything else.

    Example:
        >>> positions([-1, 0], 3, "samples").tolist(), positions([True, False, True], 3, "samples").tolist()
        ([2, 0], [0, 2])
    """
    found = np.asarray(indices)
    if found.dtype == bool:
        if found.shape != (count,):
            raise InputError(
                f"indices that are a mask must have a truth value for each of the {count} {things}, "
                f"got shape {found.shape}"
            )
        return np.flatnonzero(found)
    if found.ndim != 1 or not (found.size == 0 or found.dtype.kind in "iu"):
        raise InputError(f"indices must be a sequence of integers or a mask, got {indices!r:.80}")
    outside = found[(found < -count) | (found >= count)]
    if outside.size:
        raise InputError(
            f"indices must lie between 0 and {count - 1}, got {outside[0]}; the dataset has {count} "
            f"{things}, negative indices count from the end"
        )
    found = found.astype(np.intp)
    return np.where(found < 0, found + count, found)


def ends_of_parts(sizes: Sequence[int | float], samples: int) -> np.ndarray:
    """Where consecutive parts of these sizes end.

    Args:
        sizes: numbers of samples, or fractions of all between 0 and 1 (floats).
        samples: how many there are.

    Raises:
        InputError: sizes that are no such thing, or more samples than there are.

    Example:
        >>> ends_of_parts((3, 2), 10).tolist(), ends_of_parts((0.7, 0.2, 0.1), 10).tolist()
        ([3, 5], [7, 9, 10])
    """
    counts = all(isinstance(size, Integral) for size in sizes)
    fractions = not counts and all(isinstance(size, Real) and not isinstance(size, Integral) for size in sizes)
    if not sizes or not (counts or fractions) or not all(0 <= size < math.inf for size in sizes):
        raise InputError(f"sizes must all be numbers of samples or all be fractions such as 0.8, got {sizes}")
    ends = np.cumsum(sizes)
    if fractions:
        ends = np.round(ends * samples, 6).astype(int)  # 0.7 + 0.2 + 0.1 is a little less than 1
    if ends[-1] > samples:
        raise InputError(f"sizes must add up to at most the {samples} samples, got {sizes}")
    return ends
