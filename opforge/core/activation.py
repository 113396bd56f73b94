"""Pointwise nonlinearities that need not be kept for the backward pass, because they are cheap to compute again."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

Activation = Callable[[torch.Tensor], torch.Tensor]

# They have no parameters, and neither randomness nor state: computed again they give the same.
RECOMPUTABLE: tuple[Activation, ...] = (F.gelu, F.relu, F.silu, F.softplus, torch.relu, torch.sigmoid, torch.tanh)


def recomputable(activation: Activation | None) -> bool:
    """Whether ``activation`` is known to give the same numbers when it is computed again; None is the identity."""
    return activation is None or any(activation is known for known in RECOMPUTABLE)


def pulled_back(activation: Activation | None, x: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
    """The gradient with respect to ``x`` for the gradient ``grad`` of ``activation(x)``.

    Differentiable where gradients are recorded; otherwise ``grad`` is overwritten if that saves memory.
    """
    if activation is None:
        return grad
    if torch.is_grad_enabled() and (x.requires_grad or grad.requires_grad):
        x = x if x.requires_grad else x.requires_grad_()
        return torch.autograd.grad(activation(x), x, grad, create_graph=True)[0]
    if activation is F.gelu:
        return torch.ops.aten.gelu_backward.grad_input(grad, x, approximate="none", grad_input=grad)
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        return torch.autograd.grad(activation(leaf), leaf, grad)[0]
