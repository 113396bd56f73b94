"""Products of rows with matrices, mode by mode, as differentiable operations on numbers of any form.

The product y = x w, its adjoint x = y wᴴ and the gradient with respect to the matrices w = xᴴ y are three views of one
trilinear form, Re Σ conj(y) x w. The derivative of each is made of the other two, so derivatives of every order exist.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch

from opforge.core.autocast import without_autocast
from opforge.core.choice.tracing import tracing
from opforge.core.operation import Operation


class Algebra(Protocol):
    """How rows are held, as pairs of reals or as complex numbers; matrices are always pairs (m, i, o, 2)."""

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """x w."""
        ...

    def adjoint(self, y: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """y wᴴ."""
        ...

    def outer(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """xᴴ y."""
        ...

    def both(self, x: torch.Tensor, w: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """y wᴴ and xᴴ y."""
        ...


def product(algebra: Any, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """y = x w; ``algebra`` is an `Algebra`, such as the module `pairs`.

    Where torch traces or transforms functions, it finds the derivatives by itself.
    """
    if tracing():
        return algebra.forward(x, w)
    return _Product.apply(x, w, algebra)


class _Bilinear(Operation):
    """What the three have in common: two operands that are kept for derivatives of either kind."""

    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx, inputs, output):
        a, b, ctx.algebra = inputs
        ctx.save_for_backward(a, b)
        ctx.save_for_forward(a, b)


class _Product(_Bilinear):
    @staticmethod
    def forward(x, w, algebra):
        return algebra.forward(x, w)

    @staticmethod
    @without_autocast
    def backward(ctx, gy):
        x, w = ctx.saved_tensors
        if torch.is_grad_enabled():
            return _Adjoint.apply(gy, w, ctx.algebra), _Outer.apply(x, gy, ctx.algebra), None
        if all(ctx.needs_input_grad[:2]):
            return *ctx.algebra.both(x, w, gy), None
        if ctx.needs_input_grad[0]:
            return ctx.algebra.adjoint(gy, w), None, None
        return None, ctx.algebra.outer(x, gy), None

    @staticmethod
    def jvp(ctx, gx, gw, _):
        return _product_rule(_Product, ctx, gx, gw)


class _Adjoint(_Bilinear):
    @staticmethod
    def forward(y, w, algebra):
        return algebra.adjoint(y, w)

    @staticmethod
    @without_autocast
    def backward(ctx, gx):
        y, w = ctx.saved_tensors
        return _Product.apply(gx, w, ctx.algebra), _Outer.apply(gx, y, ctx.algebra), None

    @staticmethod
    def jvp(ctx, gy, gw, _):
        return _product_rule(_Adjoint, ctx, gy, gw)


class _Outer(_Bilinear):
    @staticmethod
    def forward(x, y, algebra):
        return algebra.outer(x, y)

    @staticmethod
    @without_autocast
    def backward(ctx, gw):
        x, y = ctx.saved_tensors
        return _Adjoint.apply(y, gw, ctx.algebra), _Product.apply(x, gw, ctx.algebra), None

    @staticmethod
    def jvp(ctx, gx, gy, _):
        return _product_rule(_Outer, ctx, gx, gy)


def _product_rule(function: Any, ctx: Any, ga: torch.Tensor | None, gb: torch.Tensor | None) -> Any:
    a, b = ctx.saved_tensors
    terms = [] if ga is None else [function.apply(ga, b, ctx.algebra)]
    if gb is not None:
        terms.append(function.apply(a, gb, ctx.algebra))
    return sum(terms[1:], terms[0]) if terms else None
