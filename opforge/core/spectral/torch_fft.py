"""Truncated Fourier transforms through torch.fft: the ``torch`` back end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from opforge.core.spectral.fourier_matrices import angles

Transform = Callable[..., torch.Tensor]


def analyse(
    x: torch.Tensor, modes: Sequence[int], offset: float, channels_last: bool, *, rfftn: Transform = torch.fft.rfftn
) -> torch.Tensor:
    """The kept Fourier coefficients (*modes, 2, batch, channels) of a real field (batch, channels, *space)."""
    axes = tuple(range(2, x.ndim))
    if channels_last:
        x, axes = x.movedim(1, -1), tuple(a - 1 for a in axes)
    sizes = [x.shape[a] for a in axes]
    spectrum = rfftn(x, dim=axes, norm="forward").narrow(axes[-1], 0, modes[-1] + 1)
    for axis, k in zip(axes[:-1], modes[:-1], strict=True):
        n = spectrum.shape[axis]
        spectrum = torch.cat([spectrum.narrow(axis, n - k, k), spectrum.narrow(axis, 0, k + 1)], axis)
    spectrum = _shift(spectrum, modes, axes, sizes, -offset)
    rows = torch.view_as_real(spectrum).movedim((*axes, -1), tuple(range(len(axes) + 1)))
    return rows.contiguous()


def synthesise(
    rows: torch.Tensor,
    modes: Sequence[int],
    shape: Sequence[int],
    offset: float,
    channels_last: bool,
    *,
    irfftn: Transform = torch.fft.irfftn,
) -> torch.Tensor:
    """The real field (batch, channels, *shape) with the coefficients ``rows``, sampled if the grid is too coarse."""
    d = len(modes)
    axes = tuple(range(1, d + 1)) if channels_last else tuple(range(2, d + 2))
    spectrum = torch.view_as_complex(rows.movedim(tuple(range(d + 1)), (*axes, -1)).contiguous())
    spectrum = _shift(spectrum, modes, axes, shape, offset)
    fine = [n if n > 2 * k else n * math.ceil((2 * k + 1) / n) for n, k in zip(shape, modes, strict=True)]
    for axis, k, n in zip(axes[:-1], modes[:-1], fine[:-1], strict=True):
        negative, others = spectrum.split([k, k + 1], axis)
        gap = list(spectrum.shape)
        gap[axis] = n - 2 * k - 1
        spectrum = torch.cat([others, spectrum.new_zeros(gap), negative], axis)
    x = irfftn(spectrum, s=fine, dim=axes, norm="forward")
    # A grid too coarse for the modes: sample the field on a multiple of it.
    for axis, n, m in zip(axes, shape, fine, strict=True):
        if m > n:
            x = x.index_select(axis, torch.arange(0, m, m // n, device=x.device))
    return x.movedim(-1, 1) if channels_last else x


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
