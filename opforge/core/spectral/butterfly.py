"""From real coefficients of cosines and sines to complex modes of both signs, and the adjoint way.

With c_j, s_j the coefficients of cos θ_j and −sin θ_j on axis j, the mode with signs σ_j on its axes (+ on the last)
is Π_j (c_j + i σ_j s_j): expanded, every real or imaginary part is a sum of 2^(d−1) coefficients with signs, and every
coefficient goes into as many parts. `combine` and `spread` do that with torch operations that trace and differentiate;
`combine_fast` and `spread_fast` in one pass over the numbers, by tables of indices and signs.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from opforge.core.kept import made_to_last

Table = tuple[torch.Tensor, torch.Tensor]


def combine(t: torch.Tensor, ndim: int) -> torch.Tensor:
    """Real coefficients (2, K₁ + 1, …, 2, K_d + 1, batch, channels) to modes (*modes, 2, batch, channels)."""
    real, imaginary = t.unbind(2 * (ndim - 1))
    for axis in range(2 * (ndim - 2), -1, -2):
        (real_c, real_s), (imaginary_c, imaginary_s) = real.unbind(axis), imaginary.unbind(axis)
        real = _both_signs(real_c + imaginary_s, real_c - imaginary_s, axis)
        imaginary = _both_signs(imaginary_c - real_s, imaginary_c + real_s, axis)
    return torch.stack([real, imaginary], -3)


def _both_signs(negative: torch.Tensor, positive: torch.Tensor, axis: int) -> torch.Tensor:
    return torch.cat([negative.narrow(axis, 1, negative.shape[axis] - 1).flip(axis), positive], axis)


def spread(rows: torch.Tensor, ndim: int) -> torch.Tensor:
    """The adjoint of `combine`."""
    real, imaginary = rows.unbind(-3)
    for axis in range(0, 2 * (ndim - 1), 2):
        (real_n, real_p), (imaginary_n, imaginary_p) = _split_signs(real, axis), _split_signs(imaginary, axis)
        real = torch.stack([real_p + real_n, imaginary_p - imaginary_n], axis)
        imaginary = torch.stack([imaginary_p + imaginary_n, real_n - real_p], axis)
    return torch.stack([real, imaginary], 2 * (ndim - 1))


def _split_signs(x: torch.Tensor, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Modes −k and k for k = 0 … K; mode 0 counts as positive."""
    modes = x.shape[axis] // 2
    negative = x.narrow(axis, 0, modes).flip(axis)
    zero = torch.zeros_like(x.narrow(axis, 0, 1))
    return torch.cat([zero, negative], axis), x.narrow(axis, modes, modes + 1)


def combine_fast(t: torch.Tensor, modes: Sequence[int], batch: int, channels_last: bool) -> torch.Tensor:
    """`combine` of (*coefficients, batch · channels), or (batch, *coefficients, channels) in memory, on the CPU."""
    columns = t.shape[-1]
    table = _combining(tuple(modes), batch if channels_last else 0, t.dtype)
    rows = _sums(t.reshape(-1, columns), table)
    shape = (*(2 * k + 1 for k in modes[:-1]), modes[-1] + 1, 2, batch)
    return rows.reshape(*shape, -1)


def spread_fast(rows: torch.Tensor, modes: Sequence[int], channels_last: bool) -> torch.Tensor:
    """`spread` of (*modes, 2, batch, channels) to what `combine_fast` takes."""
    batch, channels = rows.shape[-2:]
    counts = [2 * (k + 1) for k in modes]
    table = _spreading(tuple(modes), batch if channels_last else 0, rows.dtype)
    if channels_last:
        return _sums(rows.reshape(-1, channels), table).reshape(batch, *counts, channels)
    return _sums(rows.reshape(-1, batch * channels), table).reshape(*counts, batch * channels)


def _sums(source: torch.Tensor, table: Table) -> torch.Tensor:
    """Rows Σ_j sign_ij source[index_ij]: an embedding bag, in one pass."""
    indices, signs = table
    return torch.nn.functional.embedding_bag(indices, source, per_sample_weights=signs, mode="sum")


@lru_cache(maxsize=128)
def _combining(modes: tuple[int, ...], batch: int, dtype: torch.dtype) -> Table:
    """For every part of every mode: which coefficients, with which signs. ``batch`` 0: it is among the columns."""
    signed = np.meshgrid(*(np.arange(-k, k + 1) for k in modes[:-1]), np.arange(modes[-1] + 1), indexing="ij")
    signs = [np.where(k < 0, -1, 1) for k in signed]
    index, weight = [], []
    for part in (0, 1):
        terms = [_term([abs(k) for k in signed], signs, sines, modes) for sines in _choices(len(modes), part)]
        index.append(np.stack([i for i, _ in terms], -1))
        weight.append(np.stack([w for _, w in terms], -1))
    indices, weights = np.stack(index, -2), np.stack(weight, -2)  # (*modes, 2, terms)
    coefficients = np.prod([2 * (k + 1) for k in modes])
    return _table(indices, weights, batch, dtype, lambda i, b: b * coefficients + i, batch_first=False)


@lru_cache(maxsize=128)
def _spreading(modes: tuple[int, ...], batch: int, dtype: torch.dtype) -> Table:
    """For every coefficient: into which parts of which modes it goes, with which signs."""
    axes = [size for k in modes for size in (2, k + 1)]
    grid = np.meshgrid(*(np.arange(size) for size in axes), indexing="ij")
    is_sine, magnitude = grid[0::2], grid[1::2]
    count = sum(is_sine)
    index, weight = [], []
    for signs in itertools.product(*[(1, -1)] * (len(modes) - 1), (1,)):
        place = 0
        for k, sign, m in zip(modes[:-1], signs, magnitude, strict=False):
            place = place * (2 * k + 1) + sign * m + k
        place = place * (modes[-1] + 1) + magnitude[-1]
        present = np.ones_like(count)
        factor = np.where(count % 4 >= 2, -1, 1)
        for sign, sine, m in zip(signs, is_sine, magnitude, strict=True):
            factor = factor * np.where(sine == 1, sign, 1)
            if sign < 0:
                present = present * (m > 0)  # mode 0 has one sign
        index.append(2 * place + count % 2)
        weight.append(factor * present)
    indices, weights = np.stack(index, -1), np.stack(weight, -1)
    return _table(indices, weights, batch, dtype, lambda i, b: i * batch + b, batch_first=True)


def _choices(ndim: int, part: int) -> list[tuple[int, ...]]:
    """The sets of axes on which a term has its sine: an even number in real parts, an odd one in imaginary parts."""
    return [sines for sines in itertools.product((0, 1), repeat=ndim) if sum(sines) % 2 == part]


def _term(magnitudes, signs, sines: tuple[int, ...], modes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The coefficient of one term, and its sign i^(number of sines) Π σ without the factor i of imaginary parts."""
    index, sign = 0, -1 if sum(sines) % 4 >= 2 else 1
    for magnitude, s, sine, k in zip(magnitudes, signs, sines, modes, strict=True):
        index = index * 2 * (k + 1) + sine * (k + 1) + magnitude
        sign = sign * (s if sine else 1)
    return np.asarray(index), np.broadcast_to(sign, np.shape(index))


def _table(indices, weights, batch: int, dtype: torch.dtype, place, *, batch_first: bool) -> Table:
    terms = indices.shape[-1]
    indices, weights = indices.reshape(-1, terms), weights.reshape(-1, terms)
    if batch:
        axis = 0 if batch_first else 1
        samples = np.arange(batch).reshape((-1, 1, 1) if batch_first else (1, -1, 1))
        indices = place(np.expand_dims(indices, axis), samples)
        weights = np.broadcast_to(np.expand_dims(weights, axis), indices.shape)
    with made_to_last():
        return (
            torch.from_numpy(np.ascontiguousarray(indices.reshape(-1, terms), dtype=np.int32)),
            torch.from_numpy(np.ascontiguousarray(weights.reshape(-1, terms), dtype=np.float64)).to(dtype),
        )
