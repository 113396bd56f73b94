"""Linear transforms of torch tensors with derivatives of every order that use nothing but their transposes.

A linear map is its own derivative, and its gradient is its transpose, a `Transform` as well. So nothing is saved for
the backward pass, and all orders, forward mode and vmap (which adds an axis at the front) need one rule each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from opforge.core.full_transforms._transform import Transform

Compute = Callable[[torch.Tensor, Transform], torch.Tensor]


# Without an answer the general class serves everything.
_function_transforms_active = getattr(torch._C, "_are_functorch_transforms_active", lambda: True)


def transformed(x: torch.Tensor, transform: Transform, compute: Compute) -> torch.Tensor:
    """``transform`` of ``x`` by ``compute``, which must serve the transpose as well and need not be differentiable."""
    kind = _General if _function_transforms_active() else _Linear
    return kind.apply(x, transform, compute)


class _Linear(torch.autograd.Function):
    """In the older of torch's two forms: the newer takes 20 µs more a call, which is what a small transform takes."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, transform: Transform, compute: Compute) -> torch.Tensor:
        ctx.transform, ctx.compute = transform, compute
        ctx.set_materialize_grads(False)
        return compute(x, transform)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (gradient,) = gradients
        if gradient is None:
            return None, None, None
        return transformed(gradient, ctx.transform.transpose, ctx.compute), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        return None if tangents[0] is None else transformed(tangents[0], ctx.transform, ctx.compute)


class _General(torch.autograd.Function):
    """In the newer form, the only one for torch.func's transforms."""

    backward = _Linear.backward
    jvp = _Linear.jvp

    @staticmethod
    def forward(x: torch.Tensor, transform: Transform, compute: Compute) -> torch.Tensor:
        return compute(x, transform)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        _, ctx.transform, ctx.compute = inputs
        ctx.set_materialize_grads(False)

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: torch.Tensor, transform: Transform, compute: Compute) -> Any:
        return transformed(x.movedim(in_dims[0], 0), transform.behind(1), compute), 0
