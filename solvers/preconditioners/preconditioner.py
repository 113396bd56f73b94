"""The interface of preconditioners."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError
from opforge.solvers._operators import symmetric_operator

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator


class Preconditioner(ABC):
    """M ≈ A⁻¹, symmetric and positive definite, as ``M=`` of cg of scipy, of pyamg and of opforge.

    Called with a residual it gives M r. A subclass implements ``apply``; what it knows of A it learns once, in its
    constructor.

    Args:
        size: unknowns.
        dtype: of the numbers, a type of numpy or torch; `opforge.solvers.cg` gives it residuals in this precision.
        space: shape of a field where it acts on fields (batch, *space), None where on vectors (n,).

    Attributes:
        shape: that of the matrix.
        dtype: one of numpy's.

    Example:
        >>> class Half(Preconditioner):
        ...     def apply(self, r):
        ...         return r / 2
        >>> Half(3)(np.ones(3)).tolist(), Half(3).aspreconditioner().shape
        ([0.5, 0.5, 0.5], (3, 3))
    """

    def __init__(self, size: int, dtype: Any = np.float64, space: tuple[int, ...] | None = None):
        name = dtype if isinstance(dtype, (type, np.dtype)) else str(dtype).removeprefix("torch.")
        self.shape, self.dtype, self.space = (size, size), np.dtype(name), space

    @abstractmethod
    def apply(self, r: Any) -> Any:
        """M r of a vector (n,), or of tensors (batch, *space)."""

    def __call__(self, r: Any) -> Any:
        """M r, of the shape and kind of r: a vector (n,), where it acts on fields also (*space) or (batch, *space).

        Raises:
            InputError: another shape.
        """
        given, n = tuple(r.shape), self.shape[0]
        if self.space is None:
            if given not in ((n,), (n, 1)):
                raise InputError(f"r must have the shape ({n},), got {given}")
            return self.apply(r.reshape(n)).reshape(given)
        if given != (n,) and given[-len(self.space) :] != self.space:
            raise InputError(f"r must have the shape ({n},) or (batch, *{self.space}), got {given}")
        fields = r.reshape(-1, *self.space)
        import torch

        if is_torch(r):
            return self.apply(fields.to(getattr(torch, self.dtype.name))).reshape(given).to(r.dtype)
        z = self.apply(torch.from_numpy(np.ascontiguousarray(fields)).to(self._device))
        return z.cpu().numpy().reshape(given)

    @property
    def _device(self) -> Any:
        return getattr(self, "device", "cpu")

    def matvec(self, r: np.ndarray) -> np.ndarray:
        """M r of a vector (n,), for scipy and pyamg: in M's precision, given back in r's."""
        r = np.asarray(r).reshape(-1)
        if r.dtype == self.dtype:
            return self(r)
        size = np.linalg.norm(r) or 1.0  # single precision has a smaller range
        return self((r / size).astype(self.dtype)).astype(r.dtype) * size

    rmatvec = matvec

    def aspreconditioner(self, A: Any = None) -> LinearOperator:
        """As scipy's ``LinearOperator``, of vectors in double precision.

        Args:
            A: what it is to be used with; its shape is compared.

        Raises:
            InputError: another shape than A's.
        """
        if A is not None and tuple(getattr(A, "shape", self.shape)) != self.shape:
            raise InputError(f"A must have the shape {self.shape} of the preconditioner, got {tuple(A.shape)}")
        dtype = np.result_type(self.dtype, np.float64)
        return symmetric_operator(self.shape[0], self.matvec, dtype)
