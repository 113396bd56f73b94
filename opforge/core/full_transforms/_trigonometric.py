"""What the implementations of cosine and sine transforms have in common: `scipy.fft`'s normalisation, and transposes.

The periodic extension that such a transform stands for holds some entries once where it holds all others twice. To
scale them before and after the plain transform makes it an orthogonal matrix, or turns the transform of the inverse
type into the transpose.
"""

from __future__ import annotations

import math
from typing import NamedTuple

INVERSE_TYPE = {1: 1, 2: 3, 3: 2, 4: 4}

_SINGLE_ENDS = {("cos", 1): (0, -1), ("cos", 2): (0,), ("cos", 3): (0,), ("sin", 2): (-1,), ("sin", 3): (-1,)}


class Ends(NamedTuple):
    """Entries of an axis, and by what to multiply them before and after a transform."""

    entries: tuple[int, ...]
    before: float
    after: float


def logical_size(kind: str, type: int, n: int) -> int:
    """Length of the periodic extension that the transform stands for."""
    if type > 1:
        return 2 * n
    return 2 * (n - 1) if kind == "cos" else 2 * (n + 1)


def ortho_ends(kind: str, type: int) -> Ends:
    """What makes the transform, besides a common factor, an orthogonal matrix."""
    return Ends(
        _SINGLE_ENDS.get((kind, type), ()),
        1.0 if type == 2 else math.sqrt(2),
        1.0 if type == 3 else math.sqrt(0.5),
    )


def transpose_ends(kind: str, type: int) -> Ends:
    """What makes the unnormalised transform of the *inverse* type the transpose of the one of ``type``."""
    return Ends(
        _SINGLE_ENDS.get((kind, type), ()),
        2.0 if type in (1, 2) else 1.0,
        0.5 if type in (1, 3) else 1.0,
    )
