"""The few array operations that numpy and torch spell differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError


def check_array(name: str, value: Any) -> None:
    """Refuse what is no array of numpy or torch.

    Raises:
        InputError: something else.

    Example:
        >>> check_array("state", [1.0])
        Traceback (most recent call last):
        ...
        opforge.errors.InputError: state must be an array of numpy or torch, got list; convert it
    """
    if not (isinstance(value, np.ndarray) or is_torch(value)):
        raise InputError(f"{name} must be an array of numpy or torch, got {type(value).__name__}; convert it")


def concatenate(parts: Sequence[Any], axis: int) -> Any:
    if is_torch(parts[0]):
        import torch

        return torch.cat(tuple(parts), dim=axis)
    return np.concatenate(parts, axis=axis)


def flip(x: Any, axis: int) -> Any:
    return x.flip(axis) if is_torch(x) else np.flip(x, axis)


def full_like(x: Any, value: float) -> Any:
    return x.new_full(x.shape, value) if is_torch(x) else np.full_like(x, value)


def along(x: Any, axis: int, start: int | None, stop: int | None) -> Any:
    """``x[start:stop]`` on the axis ``axis``, which is counted from the end (negative)."""
    return x[(..., slice(start, stop), *(slice(None),) * (-axis - 1))]


def difference(x: Any, axis: int) -> Any:
    """x_{i+1} − x_i along ``axis``, which is counted from the end (negative)."""
    return along(x, axis, 1, None) - along(x, axis, None, -1)


def stack(parts: Sequence[Any], axis: int) -> Any:
    if is_torch(parts[0]):
        import torch

        return torch.stack(tuple(parts), axis)
    return np.stack(parts, axis)


def like(x: Any, constant: np.ndarray) -> Any:
    """A numpy array as one of the kind, the precision and the device of ``x``; complex where either of them is."""
    if is_torch(x):
        import torch

        single = x.dtype in (torch.float32, torch.complex64)
        kinds = (torch.float32, torch.complex64) if single else (torch.float64, torch.complex128)
        return torch.as_tensor(constant, dtype=kinds[np.iscomplexobj(constant)], device=x.device)
    single = x.dtype in (np.float32, np.complex64)
    kinds = (np.float32, np.complex64) if single else (np.float64, np.complex128)
    return np.asarray(constant).astype(kinds[np.iscomplexobj(constant)], copy=False)


def multiply(x: Any, y: Any, out: Any = None) -> Any:
    """x y, for numpy written to ``out`` if it is given."""
    return np.multiply(x, y, out=out) if out is not None else x * y


def where(condition: Any, x: Any, y: Any) -> Any:
    if is_torch(condition):
        import torch

        return torch.where(condition, x, y)
    return np.where(condition, x, y)


def maximum(x: Any, y: Any) -> Any:
    """The greater of two arrays, or of an array and a number."""
    if is_torch(x):
        import torch

        return torch.maximum(x, torch.as_tensor(y, dtype=x.dtype, device=x.device))
    return np.maximum(x, y)


def minimum(x: Any, y: Any) -> Any:
    """The lesser of two arrays, or of an array and a number."""
    return -maximum(-x, -y)


def unstack(state: Any, ndim: int) -> list[Any]:
    """The components (..., *space) of a state (..., components, *space)."""
    space = (slice(None),) * ndim
    return [state[(..., i, *space)] for i in range(state.shape[-ndim - 1])]


def least(x: Any) -> float:
    """The least value of an array."""
    return float((x.detach() if is_torch(x) else x).min())


def numbers(mask: Any, x: Any) -> Any:
    """A mask as numbers 0 and 1 of the precision of ``x``."""
    return mask.to(x.dtype) if is_torch(mask) else mask.astype(x.dtype)


def rounding(x: Any) -> float:
    """The relative size of rounding in an array's numbers.

    Example:
        >>> rounding(np.ones(2)) < 1e-15 < 1e-8 < rounding(np.ones(2, np.float32))
        True
    """
    if is_torch(x):
        import torch

        return torch.finfo(x.dtype).eps
    return float(np.finfo(x.dtype).eps)


def detached(x: Any) -> np.ndarray:
    """The values of an array or a number as numpy's, without gradients."""
    return x.detach().cpu().numpy() if is_torch(x) else np.asarray(x)
