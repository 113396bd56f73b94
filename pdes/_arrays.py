"""The few array operations that numpy and torch spell differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from opforge.core.full_transforms.transforms import is_torch


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
