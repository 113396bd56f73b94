"""Tensors that are made once and kept for later calls, whatever the first call was a part of."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import TypeVar, cast

import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode

Make = TypeVar("Make", bound=Callable[..., torch.Tensor])


@contextmanager
def made_to_last() -> Iterator[None]:
    """Where tensors are made that are kept for later calls, whatever this one is a part of.

    What is made in inference mode could not serve training, and under a transform of ``torch.func`` every result
    belongs to the transform and is of no use after it.

    Example:
        >>> with torch.inference_mode(), made_to_last():
        ...     table = torch.ones(2)
        >>> table.is_inference()
        False
    """
    with torch.inference_mode(False), torch._C._DisableFuncTorch():
        yield


def kept(maxsize: int) -> Callable[[Make], Make]:
    """A decorator for functions that make tensors of what identifies them: they are made once and kept.

    They are made as `made_to_last` says, and anew at each call where a ``TorchDispatchMode`` would make something else
    of them, such as fake tensors. While torch compiles, call the function's ``__wrapped__``.

    Args:
        maxsize: how many are kept.
    """

    def decorate(make: Make) -> Make:
        @lru_cache(maxsize)
        def lasting(*what: Hashable) -> torch.Tensor:
            with made_to_last():
                return make(*what)

        @wraps(make)
        def found(*what: Hashable) -> torch.Tensor:
            return lasting(*what) if _get_current_dispatch_mode() is None else make(*what)

        return cast(Make, found)

    return decorate
