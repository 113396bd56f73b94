"""Operations that compute in the precision of their arguments, whatever autocast says.

Some back ends are made of operations that autocast sends to half precision, others are not. Precision must not depend
on which of them serves, so none of them sees autocast; who wants half precision hands over half-precision tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


def without_autocast(function: Callable[P, R]) -> Callable[P, R]:
    """``function`` with autocast off for the devices of the tensors among its positional arguments.

    For a static method of a `torch.autograd.Function` as well: backward passes may run inside an autocast block.

    Example:
        >>> product = without_autocast(torch.mm)
        >>> with torch.autocast("cpu", torch.bfloat16):
        ...     product(torch.ones(2, 2), torch.ones(2, 2)).dtype
        torch.float32
    """

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        device = _device(args)
        if device is None or not torch.is_autocast_enabled(device):
            return function(*args, **kwargs)
        with torch.autocast(device, enabled=False):
            return function(*args, **kwargs)

    return wrapped


def _device(args: tuple[Any, ...]) -> str | None:
    for arg in args:
        if isinstance(arg, torch.Tensor):
            return arg.device.type
    return None
