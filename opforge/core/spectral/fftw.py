"""Truncated Fourier transforms through FFTW: the ``fftw`` back end, for tensors on the CPU.

All axes in one plan, which FFTW does better than axis by axis. Coefficients are complex tensors.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from opforge.core.spectral.torch_fft import fill, fine_enough, keep, lying, sample, shift


def analyse(x: torch.Tensor, modes: Sequence[int], offset: float, channels_last: bool) -> torch.Tensor:
    """The kept Fourier coefficients (*modes, batch, channels) of a real field (batch, channels, *space)."""
    from opforge.core.full_transforms._fftw_torch import rfftn_torch  # loads pyfftw

    x, axes = lying(x, channels_last)
    sizes = [x.shape[a] for a in axes]
    spectrum = rfftn_torch(x, axes, "forward").narrow(axes[-1], 0, modes[-1] + 1)
    for axis, k in zip(axes[:-1], modes[:-1], strict=True):
        spectrum = keep(spectrum, k, axis)
    return shift(spectrum, modes, axes, sizes, -offset).movedim(axes, tuple(range(len(axes))))


def synthesise(
    rows: torch.Tensor, modes: Sequence[int], shape: Sequence[int], offset: float, channels_last: bool
) -> torch.Tensor:
    """The real field (batch, channels, *shape) with the coefficients ``rows``, sampled if the grid is too coarse."""
    from opforge.core.full_transforms._fftw_torch import irfftn_torch

    d = len(modes)
    axes = tuple(range(1, d + 1)) if channels_last else tuple(range(2, d + 2))
    spectrum = shift(rows.movedim(tuple(range(d)), axes), modes, axes, shape, offset)
    fine = fine_enough(shape, modes)
    gap = list(spectrum.shape)
    gap[axes[-1]] = fine[-1] // 2 - modes[-1]
    spectrum = torch.cat([spectrum, spectrum.new_zeros(gap)], axes[-1])
    for axis, k, n in zip(axes[:-1], modes[:-1], fine[:-1], strict=True):
        spectrum = fill(spectrum, k, axis, n)
    x = sample(irfftn_torch(spectrum, tuple(fine), axes, "forward"), axes, shape, fine)
    return x.movedim(-1, 1) if channels_last else x
