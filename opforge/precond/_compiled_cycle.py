"""The passes of a V-cycle, compiled by numba: each reads and writes what it needs once.

Imported only by those who ask for them: numba takes half a second to import, and seconds to compile what its cache,
beside this file or in the user's folder, does not have. Arrays are (n0, n1, n2), n0 = 1 in two dimensions. Every pass
works on a range of rows, so that threads can share it.
"""

from __future__ import annotations

import numpy as np

from opforge.precond._numba import compiled


@compiled
def _neighbours(row, z, k0, k1, k2, wrapped, i, j):  # pragma: no cover: numba runs it
    """row = (K z)[i, j]."""
    n0, n1, n2 = z.shape
    zc, kc = z[i, j], k2[i, j]
    row[0], row[n2 - 1] = 0, 0
    if n2 > 1:
        row[0], row[n2 - 1] = kc[1] * zc[1], kc[n2 - 1] * zc[n2 - 2]
    if wrapped[2]:
        row[0] += kc[0] * zc[n2 - 1]
        row[n2 - 1] += kc[n2] * zc[0]
    if n2 > 2:
        inner, left, right, k_left, k_right = row[1 : n2 - 1], zc[: n2 - 2], zc[2:], kc[1 : n2 - 1], kc[2:n2]
        for m in range(n2 - 2):
            inner[m] = k_left[m] * left[m] + k_right[m] * right[m]
    if j > 0 or wrapped[1]:
        other, k = z[i, j - 1 if j > 0 else n1 - 1], k1[i, j]
        for m in range(n2):
            row[m] += k[m] * other[m]
    if j < n1 - 1 or wrapped[1]:
        other, k = z[i, j + 1 if j < n1 - 1 else 0], k1[i, j + 1]
        for m in range(n2):
            row[m] += k[m] * other[m]
    if i > 0 or wrapped[0]:
        other, k = z[i - 1 if i > 0 else n0 - 1, j], k0[i, j]
        for m in range(n2):
            row[m] += k[m] * other[m]
    if i < n0 - 1 or wrapped[0]:
        other, k = z[i + 1 if i < n0 - 1 else 0, j], k0[i + 1, j]
        for m in range(n2):
            row[m] += k[m] * other[m]


@compiled
def combine(out, x, z, k0, k1, k2, wrapped, a, b, c, add, start, stop):  # pragma: no cover: numba runs it
    """out = a x + (b + c K) z, or (b + c K) z added to it; rows start to stop of n0 n1."""
    n1, n2 = z.shape[1:]
    row = np.empty(n2, z.dtype)
    for number in range(start, stop):
        i, j = number // n1, number % n1
        _neighbours(row, z, k0, k1, k2, wrapped, i, j)
        target, source, zc = out[i, j], x[i, j], z[i, j]
        if add:
            for m in range(n2):
                target[m] += b * zc[m] + c * row[m]
        else:
            for m in range(n2):
                target[m] = a * source[m] + b * zc[m] + c * row[m]


@compiled
def product(out, u, diagonal, k0, k1, k2, wrapped, start, stop):  # pragma: no cover: numba runs it
    """out = A u, rows start to stop of n0 n1."""
    n1, n2 = u.shape[1:]
    row = np.empty(n2, u.dtype)
    for number in range(start, stop):
        i, j = number // n1, number % n1
        _neighbours(row, u, k0, k1, k2, wrapped, i, j)
        target, own, uc = out[i, j], diagonal[i, j], u[i, j]
        for m in range(n2):
            target[m] = own[m] * uc[m] - row[m]


@compiled
def restrict_rows(out, r, own_lower, lower, own_upper, upper, wrapped, start, stop):  # pragma: no cover
    """The adjoint of `prolong_rows`: r is (A, n, B), the others (A, N, B); lines start to stop of A N."""
    n, pairs = r.shape[1], out.shape[1]
    for number in range(start, stop):
        i, j = number // pairs, number % pairs
        target = out[i, j]
        low, weight = r[i, 2 * j], own_lower[i, j]
        if 2 * j + 1 < n:
            up, weight_up = r[i, 2 * j + 1], own_upper[i, j]
            for m in range(len(target)):
                target[m] = weight[m] * low[m] + weight_up[m] * up[m]
        else:
            for m in range(len(target)):
                target[m] = weight[m] * low[m]
        if j + 1 < pairs or wrapped:
            other = j + 1 if j + 1 < pairs else 0
            low, weight = r[i, 2 * other], lower[i, other]
            for m in range(len(target)):
                target[m] += weight[m] * low[m]
        if j > 0 or (wrapped and n % 2 == 0):
            other = j - 1 if j > 0 else pairs - 1
            up, weight = r[i, 2 * other + 1], upper[i, other]
            for m in range(len(target)):
                target[m] += weight[m] * up[m]


@compiled
def prolong_rows(out, e, own_lower, lower, own_upper, upper, wrapped, add, start, stop):  # pragma: no cover
    """out = P e, or added to it: out is (A, n, B), e and weights (A, N, B); lines start to stop of A N."""
    n, pairs = out.shape[1], e.shape[1]
    row = np.empty(out.shape[2], out.dtype)
    for number in range(start, stop):
        i, j = number // pairs, number % pairs
        own, weight = e[i, j], own_lower[i, j]
        for m in range(len(row)):
            row[m] = weight[m] * own[m]
        if j > 0 or wrapped:
            below, weight = e[i, j - 1 if j > 0 else pairs - 1], lower[i, j]
            for m in range(len(row)):
                row[m] += weight[m] * below[m]
        _put(out[i, 2 * j], row, add)
        if 2 * j + 1 < n:
            weight = own_upper[i, j]
            for m in range(len(row)):
                row[m] = weight[m] * own[m]
            if j + 1 < pairs or wrapped:
                above, weight = e[i, j + 1 if j + 1 < pairs else 0], upper[i, j]
                for m in range(len(row)):
                    row[m] += weight[m] * above[m]
            _put(out[i, 2 * j + 1], row, add)


@compiled
def _put(target, row, add):  # pragma: no cover: numba runs it
    if add:
        for m in range(len(row)):
            target[m] += row[m]
    else:
        for m in range(len(row)):
            target[m] = row[m]


@compiled
def restrict_last(out, r, own_lower, lower, own_upper, upper, wrapped, start, stop):  # pragma: no cover
    """The adjoint of `prolong_last`: r is (rows, n), the others (rows, N)."""
    n, pairs = r.shape[1], out.shape[1]
    half = n // 2
    for i in range(start, stop):
        target, source = out[i], r[i]
        w0, w1, w2, w3 = own_lower[i], lower[i], own_upper[i], upper[i]
        for m in range(half):
            target[m] = w0[m] * source[2 * m] + w2[m] * source[2 * m + 1]
        if half < pairs:
            target[half] = w0[half] * source[2 * half]
        for m in range(pairs - 1):
            target[m] += w1[m + 1] * source[2 * m + 2]
        inner = target[1:]
        for m in range(min(half, pairs - 1)):
            inner[m] += w3[m] * source[2 * m + 1]
        if wrapped:
            target[pairs - 1] += w1[0] * source[0]
            if half == pairs:
                target[0] += w3[pairs - 1] * source[n - 1]


@compiled
def prolong_last(out, e, own_lower, lower, own_upper, upper, wrapped, add, start, stop):  # pragma: no cover
    """out = P e, or added to it: out is (rows, n), e and the weights (rows, N)."""
    n, pairs = out.shape[1], e.shape[1]
    half = n // 2
    row = np.empty(n, out.dtype)
    for i in range(start, stop):
        source = e[i]
        w0, w1, w2, w3 = own_lower[i], lower[i], own_upper[i], upper[i]
        for m in range(1, half):
            row[2 * m] = w0[m] * source[m] + w1[m] * source[m - 1]
        row[0] = w0[0] * source[0] + (w1[0] * source[pairs - 1] if wrapped else 0)
        if half < pairs and half > 0:
            row[2 * half] = w0[half] * source[half] + w1[half] * source[half - 1]
        for m in range(min(half, pairs - 1)):
            row[2 * m + 1] = w2[m] * source[m] + w3[m] * source[m + 1]
        if half == pairs:
            row[n - 1] = w2[pairs - 1] * source[pairs - 1] + (w3[pairs - 1] * source[0] if wrapped else 0)
        _put(out[i], row, add)


@compiled
def scaled(out, r, s, factor, start, stop):  # pragma: no cover: numba runs it
    """out = factor s r, in out's precision; of flat arrays."""
    target, source, weight = out[start:stop], r[start:stop], s[start:stop]
    for m in range(len(target)):
        target[m] = factor * (weight[m] * source[m])
