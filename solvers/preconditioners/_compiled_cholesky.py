"""Incomplete Cholesky factors and their triangular solves, compiled by numba.

Imported only by those who ask for them: numba takes half a second to import, and a second to compile what its cache,
beside this file or in the user's folder, does not have. L is stored by columns, rows ascending, the diagonal first.
"""

from __future__ import annotations

from typing import Any

try:
    import numba
except ImportError as error:
    raise ImportError("incomplete_cholesky needs numba: pip install 'opforge[compiled]'") from error

_compiled: Any = numba.njit(nogil=True, cache=True)


@_compiled
def factor(starts, rows, values, modified):  # pragma: no cover: numba runs it
    """The factor in place of A's lower triangle; the column at which a pivot is not positive, or -1.

    Products that fall beside the pattern go, times ``modified``, off the diagonals of both of their rows.
    """
    n = len(starts) - 1
    for j in range(n):
        pivot = values[starts[j]]
        if not pivot > 0:
            return j
        root = pivot**0.5
        values[starts[j]] = root
        for p in range(starts[j] + 1, starts[j + 1]):
            values[p] /= root
        for p in range(starts[j] + 1, starts[j + 1]):
            i = rows[p]
            at, end = starts[i], starts[i + 1]
            for q in range(p, starts[j + 1]):
                k = rows[q]
                product = values[p] * values[q]
                while at < end and rows[at] < k:
                    at += 1
                if at < end and rows[at] == k:
                    values[at] -= product
                elif modified > 0:
                    values[starts[i]] -= modified * product
                    values[starts[k]] -= modified * product
    return -1


@_compiled
def solve(starts, rows, values, r):  # pragma: no cover: numba runs it
    """(L Lᵀ)⁻¹ r."""
    z = r.copy()
    n = len(starts) - 1
    for j in range(n):
        z[j] /= values[starts[j]]
        for p in range(starts[j] + 1, starts[j + 1]):
            z[rows[p]] -= values[p] * z[j]
    for j in range(n - 1, -1, -1):
        total = z[j]
        for p in range(starts[j] + 1, starts[j + 1]):
            total -= values[p] * z[rows[p]]
        z[j] = total / values[starts[j]]
    return z
