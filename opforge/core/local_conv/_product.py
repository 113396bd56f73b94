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

from opforge.core.operation import Operation


def product(x: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """X conj(K), summed over the input channels: (F, 2, M, in) and (F, 2, out, in) to (F, 2, M, out)."""
    return _ToOutput.apply(x, kernels)


class _Bilinear(Operation):
    """What the three have in common: two operands that are kept for derivatives of either kind."""

    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)


class _ToOutput(_Bilinear):
    """The derivative by G: Y = X conj(K)."""

    @staticmethod
    def forward(x: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
        n, _, rows, n_in = x.shape
        n_out = kernels.shape[2]
        parts = torch.bmm(x.reshape(n, 2 * rows, n_in), kernels.reshape(n, 2 * n_out, n_in).transpose(1, 2))
        parts = parts.reshape(n, 2, rows, 2, n_out)
        real = parts[:, 0, :, 0] + parts[:, 1, :, 1]
        return torch.stack([real, parts[:, 1, :, 0] - parts[:, 0, :, 1]], 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        x, kernels = ctx.saved_tensors
        to_x, to_kernels = ctx.needs_input_grad
        (g,) = gradients
        if to_x and to_kernels and not torch.is_grad_enabled():  # no further derivatives: one preparation does for both
            parts = _spread(g)
            return _to_input(parts, kernels), _to_kernels(parts, x)
        return _ToInput.apply(g, kernels) if to_x else None, _ToKernels.apply(g, x) if to_kernels else None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        return _product_rule(_ToOutput, ctx, *tangents)


class _ToInput(_Bilinear):
    """The derivative by X: G K."""

    @staticmethod
    def forward(g: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
        return _to_input(_spread(g), kernels)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        g, kernels = ctx.saved_tensors
        (x,) = gradients
        return _ToOutput.apply(x, kernels), _ToKernels.apply(g, x)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        return _product_rule(_ToInput, ctx, *tangents)


class _ToKernels(_Bilinear):
    """The derivative by K: X conj(G)."""

    @staticmethod
    def forward(g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return _to_kernels(_spread(g), x)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        g, x = ctx.saved_tensors
        (kernels,) = gradients
        return _ToOutput.apply(x, kernels), _ToInput.apply(g, kernels)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        return _product_rule(_ToKernels, ctx, *tangents)


def _product_rule(function: Any, ctx: Any, of_a: torch.Tensor | None, of_b: torch.Tensor | None) -> Any:
    a, b = ctx.saved_tensors
    terms = [] if of_a is None else [function.apply(of_a, b)]
    terms += [] if of_b is None else [function.apply(a, of_b)]
    return sum(terms[1:], terms[0])


def _spread(g: torch.Tensor) -> torch.Tensor:
    """The gradient of all products of parts: (F, 2, M, out) to (F, 2M, 2·out)."""
    n, _, rows, channels = g.shape
    real, imaginary = g.unbind(1)
    of_real, of_imaginary = torch.stack([real, -imaginary], 2), torch.stack([imaginary, real], 2)
    return torch.stack([of_real, of_imaginary], 1).reshape(n, 2 * rows, 2 * channels)


def _to_input(parts: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    n, _, n_out, n_in = kernels.shape
    return torch.bmm(parts, kernels.reshape(n, 2 * n_out, n_in)).reshape(n, 2, -1, n_in)


def _to_kernels(parts: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    n, _, rows, n_in = x.shape
    return torch.bmm(parts.transpose(1, 2), x.reshape(n, 2 * rows, n_in)).reshape(n, 2, -1, n_in)
