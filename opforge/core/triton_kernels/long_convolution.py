"""Long convolutions in one kernel: transform, product with the kernel's spectrum, inverse and gates."""

from __future__ import annotations

from operator import index

import torch

from opforge.core.triton_kernels import _long_tables, availability
from opforge.errors import InputError

_SHORTEST, _LONGEST = min(_long_tables.SPLITS), max(_long_tables.SPLITS)


def why_not(
    n: int, m: int, length: int, dtype: torch.dtype, device: torch.device | str = "cuda", *, n_out: int | None = None
) -> str:
    """Why `long_conv` cannot serve signals of ``n`` samples and kernels of ``m``; empty when it can.

    Example:
        >>> why_not(100_000, 64, 100_063, torch.float32)
        'a transform of 65536 numbers does not stay in the registers; up to 32768 do'
    """
    size, _ = _plan(n, m, length, length if n_out is None else n_out)
    if size > _LONGEST:
        return f"a transform of {size} numbers does not stay in the registers; up to {_LONGEST} do"
    return availability.why_not(device, dtype)


def long_conv(
    u: torch.Tensor,
    k: torch.Tensor,
    length: int,
    n_out: int | None = None,
    *,
    gate_in: torch.Tensor | None = None,
    gate_out: torch.Tensor | None = None,
) -> torch.Tensor:
    """The circular convolution gate_out_t · Σ_s k_s (gate_in · u)_{(t−s) mod L} of real signals.

    A circular length of at least n + m − 1 wraps nothing around: that is the causal convolution. Its transforms then
    have N >= (n + m − 1)/2 complex points, a power of two, instead of L real ones.

    Args:
        u: (batch, channels, n), n <= L; samples from n on count as zeros.
        k: (channels, m), m <= L, likewise.
        length: L, any.
        n_out: how many samples of the result to compute; all L when left out.
        gate_in: as ``u``; multiplied while it is read.
        gate_out: as the result; multiplied while it is written.

    Returns:
        (batch, channels, n_out).

    Raises:
        InputError: tensors that do not agree, signals longer than ``length`` or than the kernels serve.

    Example:
        >>> u, k = torch.randn(2, 3, 1000), torch.randn(3, 1000)
        >>> if not why_not(1000, 1000, 2000, u.dtype, u.device, n_out=1000):  # u lies on a GPU
        ...     y = long_conv(u, k, 2000, 1000)

    Source: FlashFFTConv: Efficient Convolutions for Long Sequences with Tensor Cores; the right-angle transform, see
    `_long_tables`, in place of its packing of real signals.
    """
    # Sizes that decide the sizes of matrices are plain numbers, also while torch.compile treats them as symbols.
    length, n, m = index(length), index(u.shape[-1]), index(k.shape[-1])
    n_out = length if n_out is None else index(n_out)
    if u.ndim != 3 or k.ndim != 2 or k.shape[0] != u.shape[1] or k.dtype != u.dtype or k.device != u.device:
        raise InputError(
            f"k must hold a kernel for each channel of u (batch, channels, n), of its type and on its device, got "
            f"{tuple(k.shape)} of {k.dtype} on {k.device} for {tuple(u.shape)} of {u.dtype} on {u.device}"
        )
    for name, samples in (("u", n), ("k", m), ("n_out", n_out)):
        if not 1 <= samples <= length:
            raise InputError(f"{name} must hold between 1 and length = {length} samples, got {samples}")
    for name, gate, samples in (("gate_in", gate_in, n), ("gate_out", gate_out, n_out)):
        if gate is not None and (gate.shape != (*u.shape[:2], samples) or gate.dtype != u.dtype):
            raise InputError(
                f"{name} must be of {u.dtype} and shape {(*u.shape[:2], samples)}, got {gate.dtype} and "
                f"{tuple(gate.shape)}"
            )
    reason = "" if torch.compiler.is_compiling() else why_not(n, m, length, u.dtype, u.device, n_out=n_out)
    if reason:
        raise InputError(f"length must suit the kernels, got {length} on {u.device}: {reason}")
    # Triton may be missing, and is slow to import.
    from opforge.core.triton_kernels._long_operations import convolve, spectra

    size, wraps = _plan(n, m, length, n_out)
    kernel = spectra(k, size, "both" if m > size else "real")
    how_in = "both" if n > size else "real"
    if not wraps:
        how_out = "both" if n_out > size else "real"
        return convolve(u, kernel, gate_in, gate_out, n_out, how_in, how_out, False)
    if length == size:
        return convolve(u, kernel, gate_in, gate_out, n_out, how_in, "wrap", False)
    whole = convolve(u, kernel, gate_in, None, n + m - 1, how_in, "both", False)
    beyond = whole[..., length : length + n_out]
    y = whole[..., :n_out] + torch.nn.functional.pad(beyond, (0, n_out - beyond.shape[-1]))
    return y if gate_out is None else y * gate_out


def lagged_conv(u: torch.Tensor, k: torch.Tensor, first: int) -> torch.Tensor:
    """The convolution y_t = Σ_j k_j u_{t − first − j} at the n samples of a signal that is zero beyond its ends.

    Args:
        u: (batch, channels, n).
        k: (channels, m).
        first: the lag of the kernel's first tap, negative where the kernel looks ahead.

    Returns:
        (batch, channels, n).

    Raises:
        InputError: signals longer than the kernels serve.

    Example:
        >>> u, k = torch.randn(2, 3, 1000), torch.randn(3, 101)
        >>> if not why_not(1000, 101, 1100, u.dtype, u.device):  # u lies on a GPU
        ...     y = lagged_conv(u, k, -50)
    """
    n, m = index(u.shape[-1]), index(k.shape[-1])
    if not 1 - n - m < first < n:
        return torch.zeros_like(u) * k.sum(-1, keepdim=True)  # no tap meets a sample
    ahead, delay = max(-first, 0), max(first, 0)
    y = long_conv(u[..., : n - delay], k, n + max(m - 1, ahead), n - delay + ahead)[..., ahead:]
    return torch.nn.functional.pad(y, (delay, 0))


def _plan(n: int, m: int, length: int, n_out: int) -> tuple[int, bool]:
    """N, a power of two, and whether anything wraps around."""
    reach = n + m - 1
    if reach <= length:
        return _power(max(reach, n_out)), False
    if length >= _SHORTEST and length & (length - 1) == 0:
        return length, True
    return _power(reach), True


def _power(samples: int) -> int:
    """The power of two that takes so many samples in pairs."""
    return max(_SHORTEST, 1 << ((samples + 1) // 2 - 1).bit_length())
