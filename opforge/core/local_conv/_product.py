"""The product of spectra, channel by channel at every frequency, with derivatives of every order.

X conj(K) is linear in both. With G the gradient of its result, the real number Σ Re(conj(G) X conj(K)) is linear in
all three, and its derivatives by G, X and K are three products, each of which has the other two as its gradients.
Autograd would find the same by itself, but leave the kernels' gradient in an order that has to be copied.

All numbers are real: fields are (F, 2, M, channels) and kernels (F, 2, out, in), the axis of size 2 holding real and
imaginary parts. One real matrix product per frequency then makes all four products of parts.
"""

from __future__ import annotations

from typing import Any

import torch


def product(x: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """X conj(K), summed over the input channels: (F, 2, M, in) and (F, 2, out, in) to (F, 2, M, out)."""
    return _ToOutput.apply(x, kernels)


class _ToOutput(torch.autograd.Function):
    """The derivative by G: Y = X conj(K)."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, kernels)
        n, _, rows, n_in = x.shape
        n_out = kernels.shape[2]
        parts = torch.bmm(x.reshape(n, 2 * rows, n_in), kernels.reshape(n, 2 * n_out, n_in).transpose(1, 2))
        parts = parts.reshape(n, 2, rows, 2, n_out)
        out = parts.new_empty((n, 2, rows, n_out))
        torch.add(parts[:, 0, :, 0], parts[:, 1, :, 1], out=out[:, 0])
        torch.sub(parts[:, 1, :, 0], parts[:, 0, :, 1], out=out[:, 1])
        return out

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple:
        x, kernels = ctx.saved_tensors
        to_x, to_kernels = ctx.needs_input_grad
        (g,) = grads
        if to_x and to_kernels and not torch.is_grad_enabled():  # no further derivatives: one preparation does for both
            parts = _spread(g)
            return _to_input(parts, kernels), _to_kernels(parts, x)
        return _ToInput.apply(g, kernels) if to_x else None, _ToKernels.apply(g, x) if to_kernels else None


class _ToInput(torch.autograd.Function):
    """The derivative by X: G K."""

    @staticmethod
    def forward(ctx: Any, g: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(g, kernels)
        return _to_input(_spread(g), kernels)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple:
        g, kernels = ctx.saved_tensors
        (x,) = grads
        return _ToOutput.apply(x, kernels), _ToKernels.apply(g, x)


class _ToKernels(torch.autograd.Function):
    """The derivative by K: X conj(G)."""

    @staticmethod
    def forward(ctx: Any, g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(g, x)
        return _to_kernels(_spread(g), x)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple:
        g, x = ctx.saved_tensors
        (kernels,) = grads
        return _ToOutput.apply(x, kernels), _ToInput.apply(g, kernels)


def _spread(g: torch.Tensor) -> torch.Tensor:
    """The gradient of all products of parts: (F, 2, M, out) to (F, 2M, 2·out)."""
    n, _, rows, channels = g.shape
    out = g.new_empty((n, 2, rows, 2, channels))
    real, imaginary = g.unbind(1)
    out[:, 0, :, 0] = real
    out[:, 1, :, 1] = real
    out[:, 1, :, 0] = imaginary
    torch.neg(imaginary, out=out[:, 0, :, 1])
    return out.reshape(n, 2 * rows, 2 * channels)


def _to_input(parts: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    n, _, n_out, n_in = kernels.shape
    return torch.bmm(parts, kernels.reshape(n, 2 * n_out, n_in)).reshape(n, 2, -1, n_in)


def _to_kernels(parts: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    n, _, rows, n_in = x.shape
    return torch.bmm(parts.transpose(1, 2), x.reshape(n, 2 * rows, n_in)).reshape(n, 2, -1, n_in)
