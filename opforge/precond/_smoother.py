"""The smoothers of networks of conjugate directions: convolutions that the region around every cell gates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opforge.precond._neighbours import gathered, neighbours, products
from opforge.solvers.preconditioners._hierarchy import Level

CONV = {2: nn.Conv2d, 3: nn.Conv3d}

# The slope of activations for negative numbers; where the damped Jacobi sweep of the untrained network starts.
SLOPE, _DAMPING = 0.1, 0.8


@dataclass(frozen=True)
class Gates:
    """What a smoother is multiplied with in every cell, (1 or batch, channels, *space)."""

    before: Tensor
    after: Tensor
    jacobi: Tensor
    scale: Tensor
    fluid: Tensor | None


class Smoother(nn.Module):
    """S r = D⁻¹(conv(g₂ σ(g₁ conv(r))) + ω r), with g₁, g₂ and ω from the region around every cell.

    D is the diagonal. Nonlinear in r, and S(t r) = t S(r) for t >= 0: no biases, σ(t x) = t σ(x).

    Args:
        ndim: axes.
        channels: between the two convolutions.
        region_channels: that describe the region in a cell.

    Example:
        >>> sum(p.numel() for p in Smoother(2, 16, 16).parameters())
        849
    """

    def __init__(self, ndim: int, channels: int, region_channels: int):
        super().__init__()
        taps = 3**ndim
        self.widen = nn.Parameter(torch.empty(channels, taps).uniform_(-1, 1) / math.sqrt(taps))
        self.narrow = nn.Parameter(torch.zeros(taps, channels))  # at the start a sweep of damped Jacobi and no more
        self.gate = CONV[ndim](region_channels, 2 * channels + 1, 1)
        with torch.no_grad():
            self.gate.weight.zero_()
            self.gate.bias.fill_(1.0)
            self.gate.bias[-1] = _DAMPING

    def gates(self, features: Tensor, level: Level) -> Gates:
        gate, channels = self.gate(features), len(self.widen)
        damping, scale = gate[:, -1:], level.inverse_diagonal
        if level.fluid is not None:  # in obstacles A is its diagonal
            damping, scale = damping * level.fluid + (1 - level.fluid), scale * level.fluid
        return Gates(
            before=gate[:, :channels],
            after=gate[:, channels:-1],
            jacobi=damping * level.inverse_diagonal,
            scale=scale,
            fluid=level.fluid,
        )

    def forward(self, r: Tensor, gates: Gates, wrapped: tuple[bool, ...]) -> Tensor:
        inside = r if gates.fluid is None else r * gates.fluid
        y = products(self.widen, neighbours(inside, wrapped))
        if torch.is_grad_enabled():
            y = gates.after * F.leaky_relu(gates.before * y, SLOPE)
        else:
            y = F.leaky_relu_(y.mul_(gates.before), SLOPE).mul_(gates.after)
        y = gathered(products(self.narrow, y), wrapped)
        return gates.jacobi * r + gates.scale * y
