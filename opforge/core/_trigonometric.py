"""What the numpy and the torch cosine and sine transforms have in common: `scipy.fft`'s normalisation."""

from __future__ import annotations

import math

INVERSE_TYPE = {1: 1, 2: 3, 3: 2, 4: 4}

_SINGLE_ENDS = {("cos", 1): (0, -1), ("cos", 2): (0,), ("cos", 3): (0,), ("sin", 2): (-1,), ("sin", 3): (-1,)}


def logical_size(kind: str, type: int, n: int) -> int:
    """Length of the periodic extension that the transform stands for."""
    if type > 1:
        return 2 * n
    return 2 * (n - 1) if kind == "cos" else 2 * (n + 1)


def singled_out(kind: str, type: int, *, before: bool) -> list[tuple[int, float]]:
    """Entries, with their factor, to scale before or after the plain transform to make it an orthogonal matrix.

    They are those that the periodic extension holds once where it holds all others twice.
    """
    if type == (2 if before else 3):
        return []
    factor = math.sqrt(2) if before else math.sqrt(0.5)
    return [(end, factor) for end in _SINGLE_ENDS.get((kind, type), ())]
