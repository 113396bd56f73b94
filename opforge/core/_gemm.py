"""Truncated Fourier transforms as real matrix products: the ``gemm`` back end. No complex tensor appears.

Every function works on both layouts of a field, channels first and channels last, because all it needs to know is the
axes of space: a product along an axis is a batched product over what comes before it, with what comes after it as
columns. Autograd sees matrix products only, so derivatives of every order exist and nothing large is saved for them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from opforge.core import _fourier_matrices as matrices


def analyse(x: torch.Tensor, modes: Sequence[int], axes: Sequence[int], offset: float) -> torch.Tensor:
    """The kept Fourier coefficients of real ``x`` over the neighbouring ``axes``: modes −K…K, on the last axis 0…K.

    A new axis of size 2, real and imaginary parts, comes right before the first of ``axes``.
    """
    key = (offset, x.dtype, x.device)
    last = axes[-1]
    x = _along(matrices.analysis_last(x.shape[last], modes[-1], *key), x, last, last + 1)
    x = x.unflatten(last, (2, modes[-1] + 1))
    for axis, k in zip(reversed(axes[:-1]), reversed(modes[:-1]), strict=True):
        x = _along(matrices.analysis_leading(x.shape[axis], k, *key), x, axis, axis + 2)
        x = x.unflatten(axis, (2, 2 * k + 1))
    return x


def synthesise(
    spectrum: torch.Tensor, modes: Sequence[int], axes: Sequence[int], shape: Sequence[int], offset: float
) -> torch.Tensor:
    """The real field with these coefficients at the points of a grid of ``shape``; the inverse of `analyse`.

    ``axes`` are those of the result; in ``spectrum`` they come one later, after the axis of size 2.
    """
    x = spectrum
    key = (offset, x.dtype, x.device)
    for axis, k, n in zip(axes[:-1], modes[:-1], shape[:-1], strict=True):
        x = _along(matrices.synthesis_leading(n, k, *key), x, axis, axis + 2).unflatten(axis, (n, 2))
    last = axes[-1]
    return _along(matrices.synthesis_last(shape[-1], modes[-1], *key), x, last, last + 2)


def _along(matrix: torch.Tensor, x: torch.Tensor, start: int, stop: int) -> torch.Tensor:
    """Apply ``matrix`` (m, n) to the axes start … stop − 1 of ``x``, which have n entries together and become one."""
    before, after = math.prod(x.shape[:start]), math.prod(x.shape[stop:])
    shape = (*x.shape[:start], matrix.shape[0], *x.shape[stop:])
    if after == 1:
        return (x.reshape(before, -1) @ matrix.T).reshape(shape)
    # An explicit bmm: torch.matmul would fold the batch into the columns, which copies x.
    return torch.bmm(matrix.expand(before, *matrix.shape), x.reshape(before, -1, after)).reshape(shape)


def spectral_conv(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    modes: Sequence[int],
    out_shape: Sequence[int],
    offset: float,
) -> torch.Tensor:
    """See `opforge.core.spectral_conv`; the arguments have been checked."""
    d = len(modes)
    channels_last = x.movedim(1, -1).is_contiguous() and x.shape[1] > 1
    if channels_last:
        spectrum = analyse(x.movedim(1, -1), modes, tuple(range(1, d + 1)), offset)
        spectrum = spectrum.movedim(1, 0)  # (2, batch, *modes, channels)
    else:
        spectrum = analyse(x, modes, tuple(range(2, d + 2)), offset)
        spectrum = spectrum.movedim((2, 1), (0, -1))
    mixed = _mix(spectrum, weight)
    if bias is not None:
        mixed = mixed + _constant(bias, modes)
    if channels_last:
        mixed = mixed.movedim(0, 1)
        return synthesise(mixed, modes, tuple(range(1, d + 1)), out_shape, offset).movedim(-1, 1)
    mixed = mixed.movedim((0, -1), (2, 1))
    return synthesise(mixed, modes, tuple(range(2, d + 2)), out_shape, offset)


def _mix(spectrum: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Y[b, k, o] = Σ_i X[b, k, i] W[k, i, o] in complex numbers.

    X is (2, batch, *modes, in) and W (*modes, in, out, 2).

    One real product per mode with real and imaginary parts of X as further rows and those of W as further columns:
    the weight is used as it lies in memory.
    """
    batch, n_modes = spectrum.shape[1], math.prod(spectrum.shape[2:-1])
    n_in, n_out = weight.shape[-3:-1]
    rows = spectrum.reshape(2 * batch, n_modes, n_in).transpose(0, 1)
    products = torch.bmm(rows, weight.reshape(n_modes, n_in, 2 * n_out))
    products = products.reshape(n_modes, 2, batch, n_out, 2)
    (real_real, real_imag), (imag_real, imag_imag) = (p.unbind(-1) for p in products.unbind(1))
    mixed = torch.stack([real_real - imag_imag, real_imag + imag_real])  # (2, modes, batch, out)
    return mixed.transpose(1, 2).reshape(2, batch, *spectrum.shape[2:-1], n_out)


def _constant(bias: torch.Tensor, modes: Sequence[int]) -> torch.Tensor:
    """The spectrum (2, 1, *modes, out) of the constant ``bias``."""
    index = (0, 0, *modes[:-1], 0)
    sizes = (2, 1, *(2 * k + 1 for k in modes[:-1]), modes[-1] + 1)
    one = torch.zeros(sizes, dtype=bias.dtype, device=bias.device)
    one[index] = 1
    return one[..., None] * bias
