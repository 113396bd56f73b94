"""Checks of the matrices that preconditioners are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError

if TYPE_CHECKING:
    import scipy.sparse


def sparse_matrix(A: Any, *, real: bool = True) -> scipy.sparse.csr_array:
    """A as a square CSR array in double precision with sorted columns, no copy where it is one.

    Raises:
        InputError: something else than a matrix of numbers, one that is not square, not finite, or complex where it
            must be real.
    """
    import scipy.sparse

    if hasattr(A, "matrix") and not scipy.sparse.issparse(A):  # a stencil
        A = A.matrix()
    if is_torch(A) or not (scipy.sparse.issparse(A) or isinstance(A, np.ndarray)):
        raise InputError(f"A must be a matrix of numpy or scipy.sparse, got {type(A).__name__}; convert it")
    shape = tuple(A.shape)
    if len(shape) != 2 or shape[0] != shape[1] or not shape[0]:
        raise InputError(f"A must be square, got shape {shape}")
    A = scipy.sparse.csr_array(A)
    if np.iscomplexobj(A) and real:
        raise InputError("A must be real, got complex numbers")
    A = A.astype(np.complex128 if np.iscomplexobj(A) else np.float64, copy=False)
    if not np.all(np.isfinite(A.data)):
        raise InputError("A must be finite, got NaN or infinite numbers in it")
    if not A.has_canonical_format:
        A = A.copy()
        A.sum_duplicates()
    return A


def positive_diagonal(A: scipy.sparse.csr_array) -> np.ndarray:
    """The diagonal of a matrix.

    Raises:
        InputError: one that is not positive.
    """
    diagonal = A.diagonal().real
    if not np.all(diagonal > 0):
        row = int(np.argmin(diagonal > 0))
        raise InputError(
            f"A must have a positive diagonal, as every positive definite matrix, got {diagonal[row]:.3g} in row {row}"
        )
    return diagonal
