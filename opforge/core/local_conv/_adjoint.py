"""Linear maps that bring their own adjoint, as functions that autograd differentiates to any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Map = Callable[[torch.Tensor], torch.Tensor]


class _Linear(torch.autograd.Function):
    # The older of the two styles: with `setup_context` torch inspects signatures for 40 µs at every call.
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, there: Map, back: Map) -> torch.Tensor:
        ctx.there, ctx.back = there, back
        return there(x)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple:
        return _Linear.apply(grads[0], ctx.back, ctx.there), None, None


def linear(x: torch.Tensor, there: Map, back: Map) -> torch.Tensor:
    """``there(x)``, where <there(x), y> = <x, back(y)> for all x and y.

    Both maps see plain tensors, return new ones, and may keep nothing.
    """
    if torch.compiler.is_compiling():
        return there(x)  # the compiler derives the adjoint
    return _Linear.apply(x, there, back)
