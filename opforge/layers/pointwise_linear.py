"""Linear maps at each point of a channels-last field."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.autograd import forward_ad

from opforge.core import pointwise as at_points
from opforge.core.activation import Activation, pulled_back, recomputable
from opforge.core.autocast import without_autocast
from opforge.core.choice.tracing import tracing


def pointwise(linear: nn.Linear, x: torch.Tensor, before: Activation | None = None) -> torch.Tensor:
    """``linear(before(x))`` with a faster gradient on CPUs and less memory: (…, in) to (…, out).

    The weight goes into the product as a matrix (in, out) in memory. Its gradient is then xᵀ g; for the transposed
    view that nn.Linear uses, torch computes gᵀ x, which MKL does 6 to 15 times more slowly for few input channels
    (131072 points, 3 to 64 channels, one core: 76 ms instead of 10). ``before`` is computed again in the backward pass
    instead of being kept.

    Example:
        >>> linear = nn.Linear(3, 8)
        >>> pointwise(linear, torch.ones(2, 5, 3), torch.tanh).shape
        torch.Size([2, 5, 8])
    """
    matrix = linear.weight.T.contiguous()
    autocast = torch.is_autocast_enabled(x.device.type)
    dual = any(forward_ad.unpack_dual(t).tangent is not None for t in (x, linear.weight))
    if before is None or autocast or dual or tracing() or not recomputable(before):
        flat = x.reshape(-1, x.shape[-1])
        flat = flat if before is None else before(flat)
        y = flat @ matrix if linear.bias is None else torch.addmm(linear.bias, flat, matrix)
        return y.reshape(*x.shape[:-1], matrix.shape[1])
    y = _Product.apply(x.contiguous(), matrix, before)
    return y if linear.bias is None else y + linear.bias


class _Product(torch.autograd.Function):
    """x ↦ before(x) W."""

    @staticmethod
    def forward(ctx: Any, x, matrix, before):
        ctx.save_for_backward(x, matrix)
        ctx.before = before
        return at_points.forward(x, matrix, before)

    @staticmethod
    @without_autocast
    def backward(ctx: Any, *gradients):
        (grad,) = gradients
        x, matrix = ctx.saved_tensors
        if not torch.is_grad_enabled():
            return *at_points.backward(x, matrix, ctx.before, grad, ctx.needs_input_grad[:2]), None
        gm = ctx.before(x).flatten(0, -2).T @ grad.flatten(0, -2) if ctx.needs_input_grad[1] else None
        gx = pulled_back(ctx.before, x, grad @ matrix.T) if ctx.needs_input_grad[0] else None
        return gx, gm, None
