"""The block that Fourier neural operators stack."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from opforge.core.activation import Activation
from opforge.layers.spectral_conv import SpectralConv


class FourierBlock(nn.Module):
    """x ↦ SpectralConv(a) + a W with a = before(x), channels last: (batch, *space, width) in and out.

    The nonlinearity comes first, so that a stack of blocks keeps one field per block for the backward pass and not
    two (`opforge.core.fourier_layer`); the first block of a stack has none, and what follows the last applies its own.

    Args:
        width: channels.
        modes: highest kept \\|k\\| per axis of space.
        before: pointwise function; none when left out.

    Example:
        >>> FourierBlock(4, (3,))(torch.randn(2, 16, 4)).shape
        torch.Size([2, 16, 4])

    Source: Fourier Neural Operator for Parametric Partial Differential Equations, figure 2, with the nonlinearity of
    a block counted to the next.
    """

    def __init__(self, width: int, modes: Sequence[int], before: Activation | None = None):
        super().__init__()
        self.spectral = SpectralConv(width, width, modes)
        self.pointwise = nn.Parameter(torch.randn(width, width) / math.sqrt(width))
        self.before = before

    def forward(self, x: torch.Tensor, lift: torch.Tensor | None = None) -> torch.Tensor:
        """Map (batch, *space, width) to itself; with ``lift``, a matrix (few, width), map before(x) lift instead."""
        return self.spectral.with_pointwise(x.movedim(-1, 1), self.pointwise, self.before, lift).movedim(1, -1)
