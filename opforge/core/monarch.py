"""Long Fourier transforms as small matrix products with twiddle factors between them, in real arithmetic.

A length N = N₁·N₂ splits time and frequency in two digits each, n = n₁·N₂ + n₂ and f = f₁ + N₁·f₂:

    X[f₁ + N₁ f₂] = Σ_n₂ exp(−2πi n₂ f₂/N₂) · exp(−2πi n₂ f₁/N) · Σ_n₁ exp(−2πi n₁ f₁/N₁) x[n₁ N₂ + n₂],

a product with an N₁×N₁ matrix from the left, a pointwise product, and one with an N₂×N₂ matrix from the right; the
second transform may be split further. The frequencies stay where the products leave them: a convolution multiplies
two spectra in the same order and goes back from it, so nothing is ever reordered.
"""

from __future__ import annotations

import math
from functools import lru_cache
from operator import index
from typing import Any

import torch

from opforge.core import _monarch_tables as tables
from opforge.errors import InputError

# Matrices of up to this size fill a matrix unit and still cost less than another stage. A stage reads and writes the
# signal about ten times, in products and twiddles; that takes as long as a hundred further rows of a matrix, both at
# 4 TB/s beside 40 Tflop/s and at 10 GB/s beside 50 Gflop/s.
LARGEST_FACTOR = 128
_STAGE = 96


@torch.compiler.assume_constant_result
def factors(length: int) -> tuple[int, ...]:
    """The sizes of the matrices for a transform of ``length``, the first the largest; empty when there is no split.

    Example:
        >>> factors(4096), factors(1000), factors(2 * 1009)
        ((64, 64), (40, 25), ())
    """
    if length < 1:
        raise InputError(f"length must be at least 1, got {length}")
    return _factors(length)


@lru_cache(maxsize=4096)
def _factors(length: int) -> tuple[int, ...]:
    splits = [tuple(sorted(s, reverse=True)) for s in _splits(length, LARGEST_FACTOR)]
    return min(splits, key=lambda s: (sum(s) + _STAGE * len(s), s), default=())


def _splits(length: int, largest: int) -> list[tuple[int, ...]]:
    """All ways to write ``length`` as a product of non-increasing factors up to ``largest``."""
    if length == 1:
        return [(1,)]
    whole = [(length,)] if length <= largest else []
    return whole + [
        (first, *rest)
        for first in range(min(largest, length // 2), 1, -1)
        if length % first == 0
        for rest in _splits(length // first, first)
    ]


def why_not(length: int) -> str:
    """Why a transform of ``length`` cannot be split into matrices of a useful size; empty when it can.

    Example:
        >>> why_not(2 * 1009)
        'length 2018 has a prime factor above 128'
    """
    return "" if factors(length) else f"length {length} has a prime factor above {LARGEST_FACTOR}"


def good_length(n: int) -> int:
    """The length from ``n`` on whose transform costs least; a convolution that must not wrap around may take any.

    Example:
        >>> good_length(2047), good_length(1025)
        (2048, 1152)
    """
    if n < 1:
        raise InputError(f"n must be at least 1, got {n}")
    candidates = [odd << max(0, math.ceil(math.log2(n / odd))) for odd in (1, 3, 5, 7, 9, 15)]
    return min(candidates, key=lambda length: length * (sum(factors(length)) + _STAGE * len(factors(length))))


def frequencies(split: tuple[int, ...]) -> torch.Tensor:
    """Which frequency stands at each place of `monarch_dft`'s result, of shape ``split``.

    Example:
        >>> frequencies((3, 2))
        tensor([[0, 3],
                [1, 4],
                [2, 5]])
    """
    return tables.places(split, torch.device("cpu"))


def monarch_dft(x: torch.Tensor, split: tuple[int, ...], inverse: bool = False) -> torch.Tensor:
    """The Fourier transform X_f = Σ_n x_n exp(−2πi fn/N) of pairs of reals, frequencies in the order of the products.

    Args:
        x: (..., 2, N), real parts and imaginary parts; with ``inverse`` what this function returns.
        split: sizes of the matrices, with product N, as from `factors`.
        inverse: go back, with the factor 1/N.

    Returns:
        (..., N₁, …, N_{d−1}, 2, N_d); which frequency stands where, `frequencies` says. With ``inverse`` (..., 2, N).

    Raises:
        InputError: sizes that do not agree.

    Example:
        >>> x = torch.randn(2, 1024)
        >>> spectrum = monarch_dft(x, (32, 32))
        >>> spectrum.shape, torch.allclose(monarch_dft(spectrum, (32, 32), inverse=True), x, atol=1e-5)
        (torch.Size([32, 2, 32]), True)

    Source: Monarch: Expressive Structured Matrices for Efficient and Accurate Training; FlashFFTConv, section 3.
    """
    length = math.prod(split)
    there, back = (2, length), (*split[:-1], 2, split[-1])
    before, after = (back, there) if inverse else (there, back)
    batch = x.shape[: max(x.ndim - len(before), 0)]
    if tuple(x.shape) != (*batch, *before):
        raise InputError(f"x must have the shape (..., {', '.join(map(str, before))}), got {tuple(x.shape)}")
    everything = (split[-1], 0)
    if inverse:
        x = _backwards(x.reshape(-1, 2, split[-1]), split, everything) / length
    else:
        x = _forwards(x.reshape(-1, 2, length), split, everything)
    return x.reshape(*batch, *after)


def _forwards(x: torch.Tensor, split: tuple[int, ...], kept: tuple[int, int]) -> torch.Tensor:
    """(rows, 2, N) to (rows·N₁⋯N_{d−1}, 2, kept)."""
    key: dict[str, Any] = {"dtype": x.dtype, "device": x.device}
    for i, n in enumerate(split[:-1]):
        after = math.prod(split[i + 1 :])
        x = _left(tables.rows(n, **key), x.reshape(-1, 2 * n, after))
        same, other = tables.twiddles(n, n, after, **key)
        x = _turn(x.reshape(-1, n, 2, after), same, other).reshape(-1, 2, after)
    return (x.reshape(-1, 2 * split[-1]) @ tables.columns(split[-1], kept, **key)).reshape(-1, 2, sum(kept))


def _backwards(x: torch.Tensor, split: tuple[int, ...], kept: tuple[int, int]) -> torch.Tensor:
    """The transpose of `_forwards`: with all frequencies kept, N times its inverse."""
    key: dict[str, Any] = {"dtype": x.dtype, "device": x.device}
    x = x.reshape(-1, 2 * sum(kept)) @ tables.columns(split[-1], kept, **key).T
    for i in reversed(range(len(split) - 1)):
        n, after = split[i], math.prod(split[i + 1 :])
        same, other = tables.twiddles(n, n, after, **key)
        x = _turn(x.reshape(-1, n, 2, after), same, -other)
        x = _left(tables.rows(n, **key).T, x.reshape(-1, 2 * n, after))
    return x.reshape(-1, 2, math.prod(split))


def _left(matrix: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    # An explicit bmm: torch.matmul would fold the batch into the columns, which copies x.
    return torch.bmm(matrix.expand(x.shape[0], -1, -1), x)


def _turn(x: torch.Tensor, same: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Complex product with a table, in three passes over x."""
    return torch.addcmul(x * same, x.flip(-2), other)


def conv(
    u: torch.Tensor, k: torch.Tensor, length: int, n_out: int | None = None, *, keep_modes: int | None = None
) -> torch.Tensor:
    """The circular convolution y_t = Σ_s k_s u_{(t−s) mod L} of real signals, by Monarch transforms of length L.

    The first factor acts on real numbers: its frequencies beyond one half are the conjugates of others, and the rows
    of samples that are padding are left out of its matrix, as are the rows of the result that nobody asked for.

    Args:
        u: (..., channels, n), n <= L; samples from n on count as zeros.
        k: (channels, m), m <= L, likewise.
        length: L, with no prime factor above 128.
        n_out: how many samples of the result to compute; all L when left out.
        keep_modes: drop frequencies \\|f\\| above this one from k. Blocks of the spectrum that are dropped whole are
            not computed.

    Returns:
        (..., channels, n_out).

    Raises:
        InputError: a length with a large prime factor, signals longer than it.

    Example:
        >>> u, k = torch.randn(2, 3, 100), torch.randn(3, 20)
        >>> y = conv(u, k, 120, 100)  # 100 + 20 − 1 < 120: nothing wraps around
        >>> torch.allclose(y[0, 0, 1], k[0, 0] * u[0, 0, 1] + k[0, 1] * u[0, 0, 0], atol=1e-5)
        True

    Source: FlashFFTConv: Efficient Convolutions for Long Sequences with Tensor Cores, sections 3.1 and 3.3; the
    Hermitian first stage is our own.
    """
    # Sizes that decide the sizes of matrices are plain numbers, also while torch.compile treats them as symbols.
    length = index(length)
    n_out = length if n_out is None else index(n_out)
    if why_not(length):
        raise InputError(f"length must split into small factors: {why_not(length)}; pad to good_length({length})")
    for name, size in (("u", u.shape[-1]), ("k", k.shape[-1]), ("n_out", n_out)):
        if not 1 <= size <= length:
            raise InputError(f"{name} must hold between 1 and length = {length} samples, got {size}")
    split = factors(length)
    kept = _kept(split, keep_modes)
    spectrum = _real_forwards(k, split, kept)
    if keep_modes is not None:
        spectrum = spectrum * tables.mask(split, kept, keep_modes, dtype=k.dtype, device=k.device)
    real, imaginary = spectrum.unbind(-2)
    same, other = torch.stack([real, real], -2), torch.stack([-imaginary, imaginary], -2)
    return _real_backwards(_turn(_real_forwards(u, split, kept), same, other), split, kept, n_out)


def _real_forwards(x: torch.Tensor, split: tuple[int, ...], kept: tuple[int, int]) -> torch.Tensor:
    """(..., n) to (..., frequencies by N₁//2 + 1 and the other factors, 2, kept)."""
    first, after, samples = split[0], math.prod(split[1:]), index(x.shape[-1])
    half, used = first // 2 + 1, -(-samples // after)
    padded = torch.nn.functional.pad(x, (0, used * after - samples))
    key: dict[str, Any] = {"dtype": x.dtype, "device": x.device}
    rows = _left(tables.first_real(first, used, **key), padded.reshape(-1, used, after)).reshape(-1, half, 2, after)
    if len(split) > 1:
        same, other = tables.twiddles(first, half, after, **key)
        rows = _forwards(_turn(rows, same, other).reshape(-1, 2, after), split[1:], kept)
    return rows.reshape(*x.shape[:-1], -1, 2, sum(kept))


def _real_backwards(x: torch.Tensor, split: tuple[int, ...], kept: tuple[int, int], n_out: int) -> torch.Tensor:
    """The first ``n_out`` real samples with the spectrum `_real_forwards` returns."""
    first, after = split[0], math.prod(split[1:])
    half, used = first // 2 + 1, -(-n_out // after)
    key: dict[str, Any] = {"dtype": x.dtype, "device": x.device}
    rows = x
    if len(split) > 1:
        same, other = tables.twiddles(first, half, after, **key)
        rows = _turn(_backwards(x, split[1:], kept).reshape(-1, half, 2, after), same, -other)
    samples = _left(tables.last_real(first, used, first * after, **key), rows.reshape(-1, 2 * half, after))
    return samples.reshape(*x.shape[:-3], used * after)[..., :n_out]


def _kept(split: tuple[int, ...], keep_modes: int | None) -> tuple[int, int]:
    """How many digits of the last factor, upwards from 0 and downwards from −1, hold frequencies that are kept."""
    last, before = split[-1], math.prod(split[:-1])
    if len(split) == 1:
        return 1, 0  # the first factor is all there is
    if keep_modes is None:
        return last, 0
    largest = before - split[0] + split[0] // 2  # of the digits before the last, in the half that is computed
    up, down = keep_modes // before + 1, (keep_modes + largest) // before
    return (up, down) if up + down < last else (last, 0)
