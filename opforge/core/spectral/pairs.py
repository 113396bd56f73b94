"""Complex products of pairs of real tensors, and their derivatives.

`product`, its adjoint and the gradient with respect to the matrix are three views of one trilinear form,
Re Σ conj(y) x w; the derivative of each is made of the other two, so derivatives of every order exist, and each is one
real batched product with the matrices as they lie in memory.
"""

from __future__ import annotations

from typing import Any

import torch


def product(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """y = x w in complex numbers: x (m, 2, b, i), w (m, i, o, 2), y (m, 2, b, o)."""
    return _product(x, w) if torch.compiler.is_compiling() else _Product.apply(x, w)  # pyright: ignore


class _Product(torch.autograd.Function):
    """y = x w."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, w):
        return _product(x, w)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, gy):
        x, w = ctx.saved_tensors
        if torch.is_grad_enabled():
            return _Adjoint.apply(gy, w), _Outer.apply(x, gy)
        columns = _columns(gy)
        return (
            _adjoint(gy, w, columns) if ctx.needs_input_grad[0] else None,
            _outer(x, gy, columns) if ctx.needs_input_grad[1] else None,
        )

    @staticmethod
    def jvp(ctx, gx, gw):
        x, w = ctx.saved_tensors
        return _sum(gx is not None and _Product.apply(gx, w), gw is not None and _Product.apply(x, gw))


class _Adjoint(torch.autograd.Function):
    """x = y wᴴ."""

    generate_vmap_rule = True

    @staticmethod
    def forward(y, w):
        return _adjoint(y, w)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, gx):
        y, w = ctx.saved_tensors
        return _Product.apply(gx, w), _Outer.apply(gx, y)

    @staticmethod
    def jvp(ctx, gy, gw):
        y, w = ctx.saved_tensors
        return _sum(gy is not None and _Adjoint.apply(gy, w), gw is not None and _Adjoint.apply(y, gw))


class _Outer(torch.autograd.Function):
    """w = xᴴ y."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, y):
        return _outer(x, y)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, gw):
        x, y = ctx.saved_tensors
        return _Adjoint.apply(y, gw), _Product.apply(x, gw)

    @staticmethod
    def jvp(ctx, gx, gy):
        x, y = ctx.saved_tensors
        return _sum(gx is not None and _Outer.apply(gx, y), gy is not None and _Outer.apply(x, gy))


def _sum(a: Any, b: Any) -> Any:
    """The sum of what is there of two terms of a product rule."""
    return b if a is False else a if b is False else a + b


def _product(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """Real and imaginary parts of x as further rows, those of w as further columns: no operand is rearranged."""
    m, _, b, i = x.shape
    o = w.shape[2]
    p = torch.bmm(x.reshape(m, 2 * b, i), w.reshape(m, i, 2 * o)).reshape(m, 2, b, o, 2)
    (rr, ri), (ir, ii) = (part.unbind(-1) for part in p.unbind(1))
    return torch.stack([rr - ii, ri + ir], 1)


def _columns(y: torch.Tensor) -> torch.Tensor:
    """y (m, 2, b, o) as the factor (m, 2·b, o·2) of both adjoints: rows Re x, Im x; columns Re w, Im w."""
    m, _, b, o = y.shape
    real, imaginary = y.unbind(1)
    factor = torch.stack([torch.stack([real, imaginary], -1), torch.stack([imaginary, -real], -1)], 1)
    return factor.reshape(m, 2 * b, 2 * o)


def _adjoint(y: torch.Tensor, w: torch.Tensor, columns: torch.Tensor | None = None) -> torch.Tensor:
    """x = y wᴴ: y (m, 2, b, o), w (m, i, o, 2), x (m, 2, b, i)."""
    m, i, o, _ = w.shape
    return torch.bmm(_columns(y) if columns is None else columns, w.reshape(m, i, 2 * o).transpose(1, 2)).reshape(
        m, 2, y.shape[2], i
    )


def _outer(x: torch.Tensor, y: torch.Tensor, columns: torch.Tensor | None = None) -> torch.Tensor:
    """w = xᴴ y: x (m, 2, b, i), y (m, 2, b, o), w (m, i, o, 2)."""
    m, _, b, i = x.shape
    columns = _columns(y) if columns is None else columns
    return torch.bmm(x.reshape(m, 2 * b, i).transpose(1, 2), columns).reshape(m, i, y.shape[3], 2)


def shared_product(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """y = x w with one matrix for all modes: x (m, 2, b, i), w (i, o, 2), y (m, 2, b, o)."""
    m, _, b, i = x.shape
    o = w.shape[1]
    p = (x.reshape(-1, i) @ w.reshape(i, 2 * o)).reshape(m, 2, b, o, 2)
    (rr, ri), (ir, ii) = (part.unbind(-1) for part in p.unbind(1))
    return torch.stack([rr - ii, ri + ir], 1)


def scale(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """y = w x, channel by channel: x (m, 2, b, c), w (m, c, 2), y (m, 2, b, c)."""
    real, imaginary = x.unbind(1)
    w_real, w_imaginary = w.unsqueeze(1).unbind(-1)
    return torch.stack([real * w_real - imaginary * w_imaginary, real * w_imaginary + imaginary * w_real], 1)


def einsum(equation: str, *operands: torch.Tensor) -> torch.Tensor:
    """`torch.einsum` of complex numbers whose parts are the trailing axis of every operand and of the result."""
    inputs, output = equation.split("->")
    terms = inputs.split(",")
    result, term = operands[0], terms[0]
    for i, (operand, other) in enumerate(zip(operands[1:], terms[1:], strict=True), 1):
        later = "".join(terms[i + 1 :]) + output
        kept = output if i == len(terms) - 1 else "".join(dict.fromkeys(c for c in term + other if c in later))
        real, imaginary = result.unbind(-1)
        other_real, other_imaginary = operand.unbind(-1)
        pair = f"{term},{other}->{kept}"
        result = torch.stack(
            [
                torch.einsum(pair, real, other_real) - torch.einsum(pair, imaginary, other_imaginary),
                torch.einsum(pair, real, other_imaginary) + torch.einsum(pair, imaginary, other_real),
            ],
            -1,
        )
        term = kept
    return result
