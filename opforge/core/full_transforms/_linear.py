"""Linear transforms of torch tensors with derivatives of every order that use nothing but their transposes.

A linear map is its own derivative, and its gradient is its transpose, a `Transform` as well. So nothing is saved for
the backward pass, and all orders, forward mode and vmap (which adds an axis at the front) need one rule each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from opforge.core.full_transforms._transform import Transform
from opforge.core.operation import Operation

Compute = Callable[[torch.Tensor, Transform], torch.Tensor]


def transformed(x: torch.Tensor, transform: Transform, compute: Compute) -> torch.Tensor:
    """``transform`` of ``x`` by ``compute``, which must serve the transpose as well and need not be differentiable."""
    return _Transformed.apply(x, transform, compute)


class _Transformed(Operation):
    @staticmethod
    def forward(x: torch.Tensor, transform: Transform, compute: Compute) -> torch.Tensor:
        return compute(x, transform)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        _, ctx.transform, ctx.compute = inputs
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (gradient,) = gradients
        if gradient is None:
            return None, None, None
        return transformed(gradient, ctx.transform.transpose, ctx.compute), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        return None if tangents[0] is None else transformed(tangents[0], ctx.transform, ctx.compute)

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: torch.Tensor, transform: Transform, compute: Compute) -> Any:
        return transformed(x.movedim(in_dims[0], 0), transform.behind(1), compute), 0
