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


def along(matrix: torch.Tensor, x: torch.Tensor, axis: int) -> torch.Tensor:
    """Apply ``matrix`` (m, n) to the axis of ``x`` that has n entries."""
    shape = list(x.shape)
    before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    shape[axis] = matrix.shape[0]
    if after == 1:
        return (x.reshape(before, -1) @ matrix.T).reshape(shape)
    # An explicit bmm: torch.matmul would fold the batch into the columns, which copies x.
    return torch.bmm(matrix.expand(before, *matrix.shape), x.reshape(before, -1, after)).reshape(shape)


def analyse(x: torch.Tensor, modes: Sequence[int], axes: Sequence[int], offset: float) -> torch.Tensor:
    """The kept Fourier coefficients of real ``x``: axis i of ``axes`` gets modes −K…K, the last one 0…K.

    A new axis of size 2, real and imaginary parts, comes right before the last one of ``axes``.
    """
    key = (offset, x.dtype, x.device)
    last = len(axes) - 1
    # Columns are free and a batch is not: begin where most of the array is columns.
    order = range(len(axes)) if axes[-1] < x.ndim - 1 else reversed(range(len(axes)))
    for i in order:
        make = matrices.analysis_pairs if i == last else matrices.analysis_real
        x = along(make(x.shape[axes[i]], modes[i], *key), x, axes[i])
    part = axes[-1]
    x = x.unflatten(part, (2, modes[-1] + 1))
    for axis, k in zip(axes[:-1], modes[:-1], strict=True):
        cosine, sine = x.split([k + 1, k], axis)
        rotated = _times_i(sine, part)
        tail = cosine.narrow(axis, 1, k)
        x = torch.cat([(tail + rotated).flip(axis), cosine.narrow(axis, 0, 1), tail - rotated], axis)
    return x


def synthesise(
    spectrum: torch.Tensor, modes: Sequence[int], axes: Sequence[int], shape: Sequence[int], offset: float
) -> torch.Tensor:
    """The real field with these Fourier coefficients at the points of a grid of ``shape``; the inverse of `analyse`."""
    part = axes[-1]
    x = spectrum
    for axis, k in zip(axes[:-1], modes[:-1], strict=True):
        negative, zero, positive = x.split([k, 1, k], axis)
        negative = negative.flip(axis)
        x = torch.cat([zero, positive + negative, _times_i(positive - negative, part)], axis)
    x = x.flatten(part, part + 1)
    key = (offset, x.dtype, x.device)
    last = len(axes) - 1
    order = reversed(range(len(axes))) if axes[-1] < x.ndim - 1 else range(len(axes))
    for i in order:
        make = matrices.synthesis_pairs if i == last else matrices.synthesis_real
        x = along(make(shape[i], modes[i], *key), x, axes[i])
    return x


def _times_i(x: torch.Tensor, part: int) -> torch.Tensor:
    real, imaginary = x.split(1, part)
    return torch.cat([-imaginary, real], part)


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
        spectrum = spectrum.movedim(-3, 0)  # (2, batch, *modes, channels)
    else:
        spectrum = analyse(x, modes, tuple(range(2, d + 2)), offset)
        spectrum = spectrum.movedim((-2, 1), (0, -1))
    mixed = _mix(spectrum, weight)
    if bias is not None:
        mixed = mixed + _constant(bias, modes)
    if channels_last:
        mixed = mixed.movedim(0, -3).contiguous()
        return synthesise(mixed, modes, tuple(range(1, d + 1)), out_shape, offset).movedim(-1, 1)
    mixed = mixed.movedim((0, -1), (-2, 1)).contiguous()
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
