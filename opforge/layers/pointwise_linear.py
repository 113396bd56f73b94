"""Linear maps at each point of a channels-last field."""

from __future__ import annotations

import torch
from torch import nn


def pointwise(linear: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    """``linear(x)``, with a faster gradient on CPUs: (…, in) to (…, out).

    The weight goes into the product as a matrix (in, out) in memory. Its gradient is then xᵀ g; for the transposed
    view that nn.Linear uses, torch computes gᵀ x, which MKL does 6 to 15 times more slowly for few input channels
    (131072 points, 3 to 64 channels, one core: 76 ms instead of 10).

    Example:
        >>> linear = nn.Linear(3, 8)
        >>> pointwise(linear, torch.ones(2, 5, 3)).shape
        torch.Size([2, 5, 8])
    """
    matrix = linear.weight.T.contiguous()
    flat = x.reshape(-1, x.shape[-1])
    y = flat @ matrix if linear.bias is None else torch.addmm(linear.bias, flat, matrix)
    return y.reshape(*x.shape[:-1], matrix.shape[1])
