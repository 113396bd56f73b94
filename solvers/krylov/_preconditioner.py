"""Preconditioners of any kind as functions of residuals, each in its own precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError
from opforge.solvers.krylov._vectors import Vectors, with_precision

# The complex numbers of the same precision.
_COMPLEX = {"float32": "complex64", "complex64": "complex64", "float64": "complex128", "complex128": "complex128"}


def as_function(M: Any, vectors: Vectors, b: Any) -> Callable[[Any], Any]:
    """M as a function of arrays of b's shape; no M is the identity.

    A matrix or a ``LinearOperator`` multiplies; anything else is called, with one vector (n,) or a batch
    (batch, *space). One that says by ``dtype`` that it has another precision gets residuals in it, scaled to
    norm 1.

    Raises:
        InputError: a matrix of another shape, something that is no function; when applied, another shape or kind than
            that of residuals.
    """
    if M is None:
        return lambda r: r
    apply = _application(M, vectors, b)

    def checked(r: Any) -> Any:
        z = apply(r)
        if is_torch(z) != is_torch(r) or tuple(getattr(z, "shape", ())) != tuple(r.shape):
            what = tuple(z.shape) if hasattr(z, "shape") else type(z).__name__
            raise InputError(f"M must give an array like the residual, of shape {tuple(r.shape)}, got {what}")
        return with_precision(z, r.dtype)

    own = _own_precision(M, b)
    return checked if own is None else _scaled(checked, vectors, own)


def _application(M: Any, vectors: Vectors, b: Any) -> Callable[[Any], Any]:
    from scipy.sparse import issparse
    from scipy.sparse.linalg import LinearOperator

    shape = tuple(getattr(M, "shape", ()))
    n = vectors.size
    if shape and shape != (n, n):
        raise InputError(f"M must have the shape {(n, n)} of A, got {shape}")
    if is_torch(M) or isinstance(M, (np.ndarray, LinearOperator)) or issparse(M):
        if is_torch(M) != is_torch(b):
            raise InputError("M must be of the kind of b, numpy or torch; convert it, or give a function")
        if vectors.layout != "batch":
            return lambda r: M @ r
        return lambda r: (M @ r.reshape(vectors.systems, n).T).T.reshape(r.shape)
    if not callable(M):
        remedy = "; give M.aspreconditioner()" if hasattr(M, "aspreconditioner") else ""
        raise InputError(f"M must be a matrix, a LinearOperator or a function, got {type(M).__name__}{remedy}")
    if vectors.layout != "columns":
        return M
    return lambda r: _stack([M(r[:, j]) for j in range(r.shape[1])])


def _stack(columns: list[Any]) -> Any:
    if is_torch(columns[0]):
        import torch

        return torch.stack(columns, 1)
    return np.stack(columns, 1)


def _own_precision(M: Any, b: Any) -> Any:
    """The type in which M takes residuals, where M says that it is another one than b's; else None."""
    own, mine = _name(getattr(M, "dtype", None)), _name(b.dtype)
    if own not in _COMPLEX or _COMPLEX[own] == _COMPLEX[mine]:
        return None
    name = _COMPLEX[own] if mine == _COMPLEX[mine] else own
    if not is_torch(b):
        return np.dtype(name)
    import torch

    return getattr(torch, name)


def _name(dtype: Any) -> str:
    """That of a type of torch or numpy, of which numpy has two kinds; "" of anything else."""
    name = dtype.__name__ if isinstance(dtype, type) else str(dtype)
    return name.removeprefix("torch.")


def _scaled(apply: Callable[[Any], Any], vectors: Vectors, own: Any) -> Callable[[Any], Any]:
    """Single precision has a smaller range: residuals are small in the end, their squares smaller."""

    def scaled(r: Any) -> Any:
        size = vectors.norm(r)
        size = vectors.where(size > 0, size, 1.0)
        z = apply(with_precision(r / size, own))
        return with_precision(z, r.dtype) * size

    return scaled
