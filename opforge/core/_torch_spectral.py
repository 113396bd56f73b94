"""Truncated Fourier transforms through torch.fft: the ``torch`` back end."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from opforge.core._fourier_matrices import angles


def analyse(x: torch.Tensor, modes: Sequence[int], axes: Sequence[int], offset: float) -> torch.Tensor:
    """The kept coefficients of real ``x`` as a complex tensor: modes −K…K on axis i of ``axes``, 0…K on the last."""
    sizes = [x.shape[a] for a in axes]
    spectrum = torch.fft.rfftn(x, dim=tuple(axes), norm="forward")
    for axis, k in zip(axes[:-1], modes[:-1], strict=True):
        n = spectrum.shape[axis]
        spectrum = torch.cat([spectrum.narrow(axis, n - k, k), spectrum.narrow(axis, 0, k + 1)], axis)
    return _shift(spectrum.narrow(axes[-1], 0, modes[-1] + 1), modes, axes, sizes, -offset)


def synthesise(
    spectrum: torch.Tensor, modes: Sequence[int], axes: Sequence[int], shape: Sequence[int], offset: float
) -> torch.Tensor:
    """The real field with these coefficients on a grid of ``shape``, sampled if that is too coarse."""
    spectrum = _shift(spectrum, modes, axes, shape, offset)
    fine = [n if n > 2 * k else n * math.ceil((2 * k + 1) / n) for n, k in zip(shape, modes, strict=True)]
    for axis, k, n in zip(axes[:-1], modes[:-1], fine[:-1], strict=True):
        negative, others = spectrum.split([k, k + 1], axis)
        gap = list(spectrum.shape)
        gap[axis] = n - 2 * k - 1
        spectrum = torch.cat([others, spectrum.new_zeros(gap), negative], axis)
    x = torch.fft.irfftn(spectrum, s=fine, dim=tuple(axes), norm="forward")
    # A grid too coarse for the modes: sample the field on a multiple of it.
    for axis, n, m in zip(axes, shape, fine, strict=True):
        if m > n:
            x = x.index_select(axis, torch.arange(0, m, m // n, device=x.device))
    return x


def _shift(
    spectrum: torch.Tensor, modes: Sequence[int], axes: Sequence[int], sizes: Sequence[int], offset: float
) -> torch.Tensor:
    """Account for points that lie ``offset`` spacings from those of the plain transform."""
    if not offset:
        return spectrum
    for i, (axis, k, n) in enumerate(zip(axes, modes, sizes, strict=True)):
        theta = torch.from_numpy(angles(n, k, abs(offset))[:, 0].copy()).to(spectrum.device)
        if i < len(axes) - 1:
            theta = torch.cat([-theta[1:].flip(0), theta])
        phase = torch.polar(torch.ones_like(theta), math.copysign(1.0, offset) * theta).to(spectrum.dtype)
        spectrum = spectrum * phase.reshape(-1, *[1] * (spectrum.ndim - 1 - axis))
    return spectrum


def spectral_conv(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    modes: Sequence[int],
    out_shape: Sequence[int],
    offset: float,
) -> torch.Tensor:
    """See `opforge.core.spectral_conv`; the arguments have been checked."""
    axes = tuple(range(2, x.ndim))
    spectrum = analyse(x, modes, axes, offset).movedim(1, -1).unsqueeze(-2)
    mixed = (spectrum @ torch.view_as_complex(weight.contiguous())).squeeze(-2).movedim(-1, 1)
    y = synthesise(mixed, modes, axes, out_shape, offset)
    return y if bias is None else y + bias.reshape(-1, *[1] * len(modes))
