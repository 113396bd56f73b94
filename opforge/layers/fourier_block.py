"""The block that Fourier neural operators stack."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from opforge.layers.spectral_conv import SpectralConv

Activation = Callable[[torch.Tensor], torch.Tensor]


class FourierBlock(nn.Module):
    """x ↦ activation(SpectralConv(x) + x W), with channels last: (batch, *space, width) in and out.

    Args:
        width: channels.
        modes: highest kept \\|k\\| per axis of space.
        activation: pointwise function; none when left out.

    Example:
        >>> FourierBlock(4, (3,))(torch.randn(2, 16, 4)).shape
        torch.Size([2, 16, 4])

    Source: Fourier Neural Operator for Parametric Partial Differential Equations, figure 2.
    """

    def __init__(self, width: int, modes: Sequence[int], activation: Activation | None = None):
        super().__init__()
        self.spectral = SpectralConv(width, width, modes)
        self.pointwise = nn.Parameter(torch.randn(width, width) / math.sqrt(width))
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.spectral(x.movedim(-1, 1), pointwise=self.pointwise).movedim(1, -1)
        return y if self.activation is None else self.activation(y)
