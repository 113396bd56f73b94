"""Passes over modes that numba compiles: each reads and writes what a stage of ETDRK4 needs once.

Imported only by those who ask for compiled steps: numba takes half a second to import, and a second to compile what its
cache does not hold. All arrays are complex (pairs, modes) with the components among the modes; factors are real or
complex, (1, modes) where pairs share them, or (pairs, modes).
"""

from __future__ import annotations

from typing import Any

import numpy as np

try:
    import numba
except ImportError as error:  # the extra is not installed
    raise ImportError("compiled steps need numba: pip install 'opforge[compiled]'") from error

_compiled: Any = numba.njit(nogil=True, fastmath={"contract", "reassoc", "nsz"}, cache=True)


@_compiled
def first(u, n, half, whole, q, q_later, f1, halved, stage, last):
    """E₂ u, the stage E₂ u + Q n, what c starts from, E u + Q (E₂ − 1) n, and u ← E u + f₁ n."""
    for p in range(u.shape[0]):
        s = p if half.shape[0] > 1 else 0
        for k in range(u.shape[1]):
            x, m = u[p, k], n[p, k]
            h, w = half[s, k] * x, whole[s, k] * x
            halved[p, k] = h
            stage[p, k] = h + q[s, k] * m
            last[p, k] = w + q_later[s, k] * m
            u[p, k] = w + f1[s, k] * m


@_compiled
def second(n, q, halved, stage, kept):
    """The stage E₂ u + Q n; n is kept."""
    for p in range(n.shape[0]):
        s = p if q.shape[0] > 1 else 0
        for k in range(n.shape[1]):
            m = n[p, k]
            kept[p, k] = m
            stage[p, k] = halved[p, k] + q[s, k] * m


@_compiled
def third(n, twice_q, f2, last, kept, stage, u):
    """The stage c = … + 2 Q n, and u ← u + 2 f₂ (n + what was kept)."""
    for p in range(n.shape[0]):
        s = p if twice_q.shape[0] > 1 else 0
        for k in range(n.shape[1]):
            m = n[p, k]
            stage[p, k] = last[p, k] + twice_q[s, k] * m
            u[p, k] += f2[s, k] * (m + kept[p, k])


@_compiled
def fourth(n, f3, u):
    """u ← u + f₃ n."""
    for p in range(n.shape[0]):
        s = p if f3.shape[0] > 1 else 0
        for k in range(n.shape[1]):
            u[p, k] += f3[s, k] * n[p, k]


@_compiled
def combine(symbols, source, target, source_rows, target_rows):
    """Fields of ``target`` (pairs, fields, rows, n) that are sums of those of ``source`` times symbols.

    ``symbols`` is (fields, columns, rows, n), for the rows that both have: number i is row ``source_rows[i]`` there and
    row ``target_rows[i]`` here. Loops over a row that do one product each are what the compiler makes vectors of.
    """
    for p in range(target.shape[0]):
        for i in range(symbols.shape[0]):
            for r in range(symbols.shape[2]):
                there, here = source_rows[r], target_rows[r]
                for k in range(symbols.shape[3]):
                    target[p, i, here, k] = symbols[i, 0, r, k] * source[p, 0, there, k]
                for j in range(1, symbols.shape[1]):
                    for k in range(symbols.shape[3]):
                        target[p, i, here, k] += symbols[i, j, r, k] * source[p, j, there, k]


def rows_kept(shape: tuple[int, ...], highest: tuple[int, ...]) -> np.ndarray:
    """Numbers of the rows, along the last axis, of kept modes among all rows: in the order of kept modes.

    Example:
        >>> rows_kept((5, 8), (1, 2)).tolist()
        [0, 1, 4]
    """
    numbers = np.zeros(1, np.int64)
    for n, k in zip(shape[:-1], highest[:-1], strict=True):
        here = np.concatenate([np.arange(k + 1), np.arange(n - k, n)])
        numbers = (numbers[:, None] * n + here).ravel()
    return numbers
