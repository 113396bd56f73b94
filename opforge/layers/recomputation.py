"""Tensors that autograd makes again instead of keeping them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class recomputed(torch.autograd.graph.saved_tensors_hooks):
    """Within this context, autograd keeps ``make`` for the backward pass where it would have kept ``tensor``.

    For a large tensor that is cheap to make from small ones. ``make`` must give the same numbers again.

    Args:
        tensor: what is not to be kept.
        make: makes it again; called without arguments, with gradients disabled.

    Example:
        >>> x = torch.ones(2, requires_grad=True)
        >>> wide = x[:, None] * torch.ones(1000)
        >>> with recomputed(wide, lambda: x[:, None] * torch.ones(1000)):
        ...     y = wide.square().sum()
        >>> y.backward()
        >>> x.grad.tolist()
        [2000.0, 2000.0]
    """

    def __init__(self, tensor: torch.Tensor, make: Callable[[], torch.Tensor]):
        pointer, shape, strides = tensor.data_ptr(), tensor.shape, tensor.stride()

        def pack(saved: torch.Tensor) -> torch.Tensor | None:
            same = saved.data_ptr() == pointer and saved.shape == shape and saved.stride() == strides
            return None if same else saved

        def unpack(packed: Any) -> torch.Tensor:
            if packed is not None:
                return packed
            with torch.no_grad():
                return make()

        super().__init__(pack, unpack)
