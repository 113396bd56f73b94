"""Truncated Fourier transforms through FFTW: the ``fftw`` back end, for tensors on the CPU."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from opforge.core.spectral import torch_fft


def analyse(x: torch.Tensor, modes: Sequence[int], offset: float, channels_last: bool) -> torch.Tensor:
    """The kept Fourier coefficients (*modes, 2, batch, channels) of a real field (batch, channels, *space)."""

    from opforge.core._fftw_torch import rfftn_torch  # loads pyfftw

    def rfftn(x: torch.Tensor, *, dim: tuple[int, ...], norm: str) -> torch.Tensor:
        return rfftn_torch(x, dim, norm)

    return torch_fft.analyse(x, modes, offset, channels_last, rfftn=rfftn)


def synthesise(
    rows: torch.Tensor, modes: Sequence[int], shape: Sequence[int], offset: float, channels_last: bool
) -> torch.Tensor:
    """The real field (batch, channels, *shape) with the coefficients ``rows``."""

    from opforge.core._fftw_torch import irfftn_torch

    def irfftn(x: torch.Tensor, *, s: Sequence[int], dim: tuple[int, ...], norm: str) -> torch.Tensor:
        gap = list(x.shape)
        gap[dim[-1]] = s[-1] // 2 + 1 - x.shape[dim[-1]]
        x = torch.cat([x, x.new_zeros(gap)], dim[-1])
        return irfftn_torch(x, tuple(s), dim, norm)

    return torch_fft.synthesise(rows, modes, shape, offset, channels_last, irfftn=irfftn)
