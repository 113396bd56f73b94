"""Linear maps that bring their own adjoint, as functions that autograd differentiates to any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from opforge.core.operation import Operation

Map = Callable[[torch.Tensor], torch.Tensor]


class _Linear(Operation):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: torch.Tensor, there: Map, back: Map) -> torch.Tensor:
        return there(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        _, ctx.there, ctx.back = inputs

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return _Linear.apply(gradients[0], ctx.back, ctx.there), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        return _Linear.apply(tangents[0], ctx.there, ctx.back)


def linear(x: torch.Tensor, there: Map, back: Map) -> torch.Tensor:
    """``there(x)``, where <there(x), y> = <x, back(y)> for all x and y.

    Both maps return new tensors and keep nothing.
    """
    if torch.compiler.is_compiling():
        return there(x)  # the compiler derives the adjoint
    return _Linear.apply(x, there, back)
