"""The set-up of a level along an axis, compiled by numba: what `MultigridNet` and `join` do, in two passes over cells.

Arrays have the joined axis first, (n, p, q), p = 1 in two dimensions; the last axis is the inner loop.
"""

from __future__ import annotations

import numpy as np

from opforge.precond._numba import compiled


@compiled
def _sideways(target, k1, k2, i, j):  # pragma: no cover: numba runs it
    """Sums of the conductances beside the joined axis of the cells (i, j, all)."""
    below, above = k2[i, j, : len(target)], k2[i, j, 1:]
    for m in range(len(target)):
        target[m] = below[m] + above[m]
    if k1.shape[1] > 1:
        below, above = k1[i, j], k1[i, j + 1]
        for m in range(len(target)):
            target[m] += below[m] + above[m]


@compiled
def _positive(x):  # pragma: no cover: numba runs it
    return (1 + max(x, np.float32(0))) / (1 - min(x, np.float32(0)))


@compiled
def shares(k, k1, k2, wrapped, w1, bias, w2, from_above, from_below, factor, start, stop):  # pragma: no cover
    """Shares at faces between pairs and factors of their conductances, faces start to stop of N + 1."""
    n, p, q = k.shape[0] - 1, k.shape[1], k.shape[2]
    pairs = (n + 1) // 2
    hidden = len(bias)
    x = np.zeros((9, q), np.float32)
    up, down = np.empty((hidden, q), np.float32), np.empty((hidden, q), np.float32)
    zero = np.float32(0)
    for number in range(start * p, stop * p):
        face, j = number // p, number % p
        below, above = face - 1, face
        if wrapped:
            below, above = (face - 1) % pairs, face % pairs
        low, high = below >= 0, above < pairs  # whether there are such pairs
        x[:] = 0
        x[0] = k[min(2 * face, n), j]
        if low:
            x[3] = k[2 * below, j]
            _sideways(x[7], k1, k2, 2 * below, j)
            if 2 * below + 1 < n:
                x[1] = k[2 * below + 1, j]
                _sideways(x[5], k1, k2, 2 * below + 1, j)
        if high:
            x[4] = k[min(2 * above + 2, n), j]
            _sideways(x[6], k1, k2, 2 * above, j)
            if 2 * above + 1 < n:
                x[2] = k[2 * above + 1, j]
                _sideways(x[8], k1, k2, 2 * above + 1, j)
        # a last cell that is alone has no resistance inside
        alone_below, alone_above = low and 2 * below + 1 >= n, high and 2 * above + 1 >= n
        a, b, f = from_above[face, j], from_below[face, j], factor[face, j]
        c, inside_low, inside_high = x[0], x[1], x[2]
        for m in range(q):
            open_face = c[m] > 0
            r = 1 / c[m] if open_face else zero
            r_low = (1 / inside_low[m] if inside_low[m] > 0 else r) * np.float32(0.5)
            r_high = (1 / inside_high[m] if inside_high[m] > 0 else r) * np.float32(0.5)
            r_low = zero if alone_below or not low else r_low
            r_high = zero if alone_above or not high else r_high
            total = r + r_low + r_high
            between = 1 / total if open_face else zero
            a[m], b[m] = r_low * between, r_high * between
        y3, y4, y5, y6, y7, y8 = x[3], x[4], x[5], x[6], x[7], x[8]
        for m in range(q):
            mean = np.float32(0.25) * (c[m] + inside_low[m] + inside_high[m] + np.float32(0.5) * (y5[m] + y6[m]))
            mean = mean if mean > 0 else np.float32(1)
            c[m] = (c[m] - mean) / (c[m] + mean)
            inside_low[m] = (inside_low[m] - mean) / (inside_low[m] + mean)
            inside_high[m] = (inside_high[m] - mean) / (inside_high[m] + mean)
            y3[m] = (y3[m] - mean) / (y3[m] + mean)
            y4[m] = (y4[m] - mean) / (y4[m] + mean)
            y5[m] = (y5[m] - mean) / (y5[m] + mean)
            y6[m] = (y6[m] - mean) / (y6[m] + mean)
            y7[m] = (y7[m] - mean) / (y7[m] + mean)
            y8[m] = (y8[m] - mean) / (y8[m] + mean)
        for h in range(hidden):
            u, d = up[h], down[h]
            s = bias[h]
            for m in range(q):
                own = s + w1[h, 0] * c[m]
                u[m] = own + w1[h, 1] * inside_low[m] + w1[h, 2] * inside_high[m]
                d[m] = own + w1[h, 2] * inside_low[m] + w1[h, 1] * inside_high[m]
            for g in range(3, 9, 2):
                first, second = x[g], x[g + 1]
                v, w = w1[h, g], w1[h, g + 1]
                for m in range(q):
                    u[m] += v * first[m] + w * second[m]
                    d[m] += w * first[m] + v * second[m]
        f[:], y3[:], y4[:] = zero, zero, zero
        for h in range(hidden):
            u, d = up[h], down[h]
            v, w = w2[0, h], w2[1, h]
            for m in range(q):
                one, other = max(u[m], zero), max(d[m], zero)
                f[m] += v * (one + other)
                y3[m] += w * one
                y4[m] += w * other
        for m in range(q):
            f[m] = _positive(f[m])
            e = _positive(y3[m])
            a[m] = a[m] * e / (1 - a[m] + a[m] * e)
            e = _positive(y4[m])
            b[m] = b[m] * e / (1 - b[m] + b[m] * e)


@compiled
def joined(k, from_above, from_below, factor, wrapped, extra, coarse, coarse_extra, start, stop):  # pragma: no cover
    """Conductances between pairs and what their diagonals have besides, faces start to stop of N + 1."""
    n, p, q = k.shape[0] - 1, k.shape[1], k.shape[2]
    pairs = (n + 1) // 2
    zero, one = np.float32(0), np.float32(1)
    nothing = np.zeros(q, np.float32)
    for number in range(start * p, stop * p):
        face, j = number // p, number % p
        below, above = face - 1, face
        if wrapped:
            below, above = (face - 1) % pairs, face % pairs
        a, b, f, target = from_above[face, j], from_below[face, j], factor[face, j], coarse[face, j]
        c = k[min(2 * face, n), j]
        for m in range(q):
            left = one - a[m] - b[m]
            target[m] += c[m] * left * left
        if below >= 0 and 2 * below + 1 < n:
            inside, other = k[2 * below + 1, j], from_below[below, j]
            for m in range(q):
                target[m] += inside[m] * a[m] * (a[m] + other[m])
        if above < pairs and 2 * above + 1 < n:
            inside, other = k[2 * above + 1, j], from_above[above + 1, j]
            for m in range(q):
                target[m] += inside[m] * b[m] * (b[m] + other[m])
        for m in range(q):
            target[m] = f[m] * target[m] if c[m] > 0 else zero
        if face < pairs:
            total, lower = coarse_extra[face, j], extra[2 * face, j]
            for m in range(q):
                total[m] = lower[m] * (one - b[m])
            if 2 * face + 1 < n:
                upper, share = extra[2 * face + 1, j], from_above[face + 1, j]
                for m in range(q):
                    total[m] += upper[m] * (one - share[m])
            after = face + 1 if face + 1 < pairs else 0
            lower, share = (
                (extra[2 * after, j], from_below[after, j]) if face + 1 < pairs or wrapped else (nothing, nothing)
            )
            for m in range(q):
                total[m] += lower[m] * share[m]
            if below >= 0 and 2 * below + 1 < n:
                upper = extra[2 * below + 1, j]
                for m in range(q):
                    total[m] += upper[m] * a[m]


@compiled
def _means(mean, change, first, second):  # pragma: no cover: numba runs it
    """Of shares of two cells beside a face: their mean, 0 where one is 0, and half the square of their difference."""
    half, zero = np.float32(0.5), np.float32(0)
    for m in range(len(mean)):
        mean[m] = half * (first[m] + second[m]) if first[m] > 0 and second[m] > 0 else zero
        change[m] = half * (second[m] - first[m]) ** 2


@compiled
def beside(kb, from_above, from_below, last, around, target, tilted, n, start, stop):  # pragma: no cover
    """Conductances of pairs along another axis, the last or the one before, of pairs start to stop.

    ``target`` is (N, ...) for faces kb (n, ...); ``tilted`` (2, N, p, q), what goes to the faces below and above pairs.
    Every pair gives to its neighbours: the parts of pairs are summed by the caller, who gives ``target`` (3, N, ...),
    what goes to the pair itself, to that below and to that above.
    """
    p, q = from_above.shape[1], from_above.shape[2]
    size = q + 1 if last else q
    first, second = np.zeros(size, np.float32), np.zeros(size, np.float32)
    mean, change = np.empty(size, np.float32), np.empty(size, np.float32)
    one = np.float32(1)
    for pair in range(start, stop):
        for cell in range(2):
            if 2 * pair + cell >= n:
                continue
            share = from_below[pair] if cell == 0 else from_above[pair + 1]
            for j in range(p if last else p + 1):
                if last:
                    first[1:], second[:q] = share[j], share[j]
                    first[0], second[q] = (share[j, q - 1], share[j, 0]) if around else (share[j, 0], share[j, q - 1])
                    _means(mean, change, first, second)
                elif around:
                    _means(mean, change, share[j - 1 if j > 0 else p - 1], share[j if j < p else 0])
                else:
                    _means(mean, change, share[max(j - 1, 0)], share[min(j, p - 1)])
                c = kb[2 * pair + cell, j]
                own, other = target[0, pair, j], target[1 + cell, pair, j]
                for m in range(size):
                    own[m] += c[m] * (one - mean[m])
                    other[m] += c[m] * mean[m]
                if last:
                    to = tilted[cell, pair, j]
                    for m in range(q):
                        to[m] += c[m] * change[m] + c[m + 1] * change[m + 1]
                else:
                    if j > 0:
                        to = tilted[cell, pair, j - 1]
                        for m in range(q):
                            to[m] += c[m] * change[m]
                    if j < p:
                        to = tilted[cell, pair, j]
                        for m in range(q):
                            to[m] += c[m] * change[m]
