"""Differentiable operations that cost no more Python than they must."""

from __future__ import annotations

from typing import Any

import torch

# Without an answer torch's own `apply` serves everything.
_function_transforms_active = getattr(torch._C, "_are_functorch_transforms_active", lambda: True)


class Operation(torch.autograd.Function):
    """A `torch.autograd.Function` in the newer of its two forms, with `setup_context`, called as fast as the older.

    At each call of that form torch binds the arguments to the signature of `forward`, for the sake of defaults and
    keywords: 75 µs on a CPU, as much as a small transform takes. Operations have neither, and need that only under
    the transforms of `torch.func`.

    Example:
        >>> class Doubled(Operation):
        ...     @staticmethod
        ...     def forward(x):
        ...         return 2 * x
        ...     @staticmethod
        ...     def setup_context(ctx, inputs, output):
        ...         pass
        ...     @staticmethod
        ...     def backward(ctx, gradient):
        ...         return 2 * gradient
        >>> x = torch.ones(2, requires_grad=True)
        >>> torch.autograd.grad(Doubled.apply(x).sum(), x)
        (tensor([2., 2.]),)
    """

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """The operation on ``args``, in the order of `forward`'s."""
        if _function_transforms_active():
            return super().apply(*args)
        return super(torch.autograd.Function, cls).apply(*args)  # pyright: ignore[reportAttributeAccessIssue]
