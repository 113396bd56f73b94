"""Truncated Fourier transforms through torch.fft: the ``torch`` back end. Coefficients are complex tensors.

Axis by axis: modes are dropped right after the axis that they belong to, and come in right before it on the way back,
so that the other axes have less to do. Where most are kept, the spectrum is made of all axes at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from opforge.core.full_transforms._torch_transforms import half_spectrum
from opforge.core.spectral.fourier_matrices import angles

_MOST = 0.75  # of the last axis's modes: with more the library's own order of axes is faster than dropping early


def analyse(x: torch.Tensor, modes: Sequence[int], offset: float, channels_last: bool) -> torch.Tensor:
    """The kept Fourier coefficients (*modes, batch, channels) of a real field (batch, channels, *space)."""
    x, axes = lying(x, channels_last)
    sizes = [x.shape[a] for a in axes]
    several = x.ndim > 3 and not torch.compiler.is_compiling()  # sizes may be symbols then
    at_once = several and modes[-1] + 1 > _MOST * (sizes[-1] // 2)
    spectrum = torch.fft.rfftn(x, dim=axes, norm="forward") if at_once else half_spectrum(x, axes[-1], "forward")
    spectrum = spectrum.narrow(axes[-1], 0, modes[-1] + 1)
    for axis, k in zip(axes[:-1], modes[:-1], strict=True):
        spectrum = spectrum if at_once else torch.fft.fft(spectrum, dim=axis, norm="forward")
        spectrum = keep(spectrum, k, axis)
    return shift(spectrum, modes, axes, sizes, -offset).movedim(axes, tuple(range(len(axes))))


def synthesise(
    rows: torch.Tensor, modes: Sequence[int], shape: Sequence[int], offset: float, channels_last: bool
) -> torch.Tensor:
    """The real field (batch, channels, *shape) with the coefficients ``rows``, sampled if the grid is too coarse."""
    d = len(modes)
    axes = tuple(range(1, d + 1)) if channels_last else tuple(range(2, d + 2))
    x = shift(rows.movedim(tuple(range(d)), axes), modes, axes, shape, offset)
    fine = fine_enough(shape, modes)
    for axis, k, n in zip(axes[:-1], modes[:-1], fine[:-1], strict=True):
        x = torch.fft.ifft(fill(x, k, axis, n), dim=axis, norm="forward")
    x = torch.fft.irfft(x, n=fine[-1], dim=axes[-1], norm="forward")
    x = sample(x, axes, shape, fine)
    return x.movedim(-1, 1) if channels_last else x


def lying(x: torch.Tensor, channels_last: bool) -> tuple[torch.Tensor, tuple[int, ...]]:
    """The field as it lies in memory, and its axes of space."""
    axes = tuple(range(2, x.ndim))
    return (x.movedim(1, -1), tuple(a - 1 for a in axes)) if channels_last else (x, axes)


def keep(spectrum: torch.Tensor, modes: int, axis: int) -> torch.Tensor:
    """Modes −K…K of a full axis."""
    n = spectrum.shape[axis]
    return torch.cat([spectrum.narrow(axis, n - modes, modes), spectrum.narrow(axis, 0, modes + 1)], axis)


def fill(spectrum: torch.Tensor, modes: int, axis: int, n: int) -> torch.Tensor:
    """A full axis of n modes with −K…K in their places and zeros elsewhere."""
    negative, others = spectrum.split([modes, modes + 1], axis)
    gap = list(spectrum.shape)
    gap[axis] = n - 2 * modes - 1
    return torch.cat([others, spectrum.new_zeros(gap), negative], axis)


def fine_enough(shape: Sequence[int], modes: Sequence[int]) -> list[int]:
    """``shape``, or the least multiples of its sizes that carry the modes."""
    return [n if n > 2 * k else n * math.ceil((2 * k + 1) / n) for n, k in zip(shape, modes, strict=True)]


def sample(x: torch.Tensor, axes: Sequence[int], shape: Sequence[int], fine: Sequence[int]) -> torch.Tensor:
    """The values at the points of a grid of ``shape`` of those on a multiple of it."""
    for axis, n, m in zip(axes, shape, fine, strict=True):
        if m > n:
            x = x.index_select(axis, torch.arange(0, m, m // n, device=x.device))
    return x


def shift(
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
