"""Complex products of pairs of real tensors."""

from __future__ import annotations

import sys

import torch

from opforge.core.spectral import bilinear


def product(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """y = x w in complex numbers: x (m, 2, b, i), w (m, i, o, 2), y (m, 2, b, o)."""
    return bilinear.product(sys.modules[__name__], x, w)


def forward(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
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


def adjoint(y: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """x = y wᴴ: y (m, 2, b, o), w (m, i, o, 2), x (m, 2, b, i)."""
    m, i, o, _ = w.shape
    return torch.bmm(_columns(y), w.reshape(m, i, 2 * o).transpose(1, 2)).reshape(m, 2, y.shape[2], i)


def outer(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """w = xᴴ y: x (m, 2, b, i), y (m, 2, b, o), w (m, i, o, 2)."""
    m, _, b, i = x.shape
    return torch.bmm(x.reshape(m, 2 * b, i).transpose(1, 2), _columns(y)).reshape(m, i, y.shape[3], 2)


def both(x: torch.Tensor, w: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """`adjoint` and `outer`, which share a factor."""
    m, i, o, _ = w.shape
    b, columns = x.shape[2], _columns(y)
    gx = torch.bmm(columns, w.reshape(m, i, 2 * o).transpose(1, 2)).reshape(m, 2, b, i)
    return gx, torch.bmm(x.reshape(m, 2 * b, i).transpose(1, 2), columns).reshape(m, i, o, 2)


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
