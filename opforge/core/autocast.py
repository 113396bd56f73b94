"""Operations that compute in the precision of their arguments, whatever autocast says.

Some back ends are made of operations that autocast sends to half precision, others are not. Precision must not depend
on which of them serves, so none of them sees autocast; who wants half precision hands over half-precision tensors, all
of them. Activations in half precision that come alone or meet parameters in single precision are raised to it, as for
other operations that autocast keeps there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
            kinds = [tensor.dtype for tensor in _tensors((*args, *kwargs.values()))]
            backward = not isinstance(args[0], torch.Tensor)  # its first argument is the context
            if backward or (len(kinds) > 1 and torch.float32 not in kinds):
                return function(*args, **kwargs)
            named: Any = {name: _raised(arg) for name, arg in kwargs.items()}
            return function(*map(_raised, args), **named)  # pyright: ignore[reportCallIssue]

    return wrapped


def _tensors(args: Iterable[Any]) -> Iterator[torch.Tensor]:
    """All tensors among these, those in tuples and lists too."""
    for arg in args:
        if isinstance(arg, torch.Tensor):
            yield arg
        elif isinstance(arg, tuple | list):
            yield from _tensors(arg)


def _raised(arg: Any) -> Any:
    if isinstance(arg, torch.Tensor) and arg.dtype in (torch.bfloat16, torch.float16):
        return arg.float()
    return arg


def _device(args: tuple[Any, ...]) -> str | None:
    for arg in args:
        if isinstance(arg, torch.Tensor):
            return arg.device.type
    return None
