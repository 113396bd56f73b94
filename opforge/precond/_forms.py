"""Right-hand sides and solutions as fields, which stencils take, and as columns, which matrices take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError
from opforge.solvers import Stencil

Form = Callable[[Any], Any]


def fields_of(A: Stencil, b: Any) -> tuple[Form, Form]:
    """How arrays of the shape of b become tensors of fields on the device of A, and how solutions go back.

    Args:
        A: the stencil.
        b: of the shape (n,), (*space) or (batch, *space); or (n, k), columns, where A was given as a matrix.

    Raises:
        InputError: another shape.
    """
    shape, n = tuple(b.shape), A.grid.size
    columns = len(shape) == 2 and shape[0] == n and shape != A.space
    if shape not in ((n,), A.space) and shape[1:] != A.space and not columns:
        raise InputError(
            f"b must have the shape ({n},), {A.space} or (batch, *{A.space}) for this operator, got {shape}"
        )

    def there(x: Any) -> Any:
        tensor = x if is_torch(x) else torch.from_numpy(np.ascontiguousarray(x, dtype=_real(x)))
        tensor = tensor.to(A.device, A.dtype)
        if columns:
            return tensor.T.reshape(shape[1], *A.space).contiguous()
        return tensor.reshape(A.space) if shape == (n,) else tensor

    def back(x: Any) -> Any:
        x = x.reshape(shape[1], n).T if columns else x.reshape(shape)
        return x if is_torch(b) else x.cpu().numpy()

    return there, back


def columns_of(A: Any, b: Any) -> tuple[Form, Form]:
    """How arrays of the shape of b become numpy's columns (n,) or (n, k) for a matrix, and how solutions go back."""
    shape = tuple(b.shape)
    if not isinstance(A, Stencil):
        return (lambda x: x), (lambda x: x)
    n, single = A.grid.size, shape in ((A.grid.size,), A.space)
    fields_of(A, b)  # refuses other shapes

    def there(x: Any) -> Any:
        values = x.detach().cpu().numpy() if is_torch(x) else np.asarray(x)
        return values.reshape(n) if single else values.reshape(-1, n).T

    def back(x: Any) -> Any:
        x = x.reshape(shape) if single else np.ascontiguousarray(x.T).reshape(shape)
        return torch.from_numpy(x).to(b.device) if is_torch(b) else x

    return there, back


def _real(x: Any) -> Any:
    if np.iscomplexobj(x):
        raise InputError("b must be real for a stencil, got complex numbers; solve for its two parts")
    return np.float32 if getattr(x, "dtype", None) == np.float32 else np.float64
