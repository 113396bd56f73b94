"""Jacobi's preconditioner: the diagonal."""

from __future__ import annotations

from typing import Any

import numpy as np

from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError
from opforge.solvers.preconditioners._matrices import positive_diagonal, sparse_matrix
from opforge.solvers.preconditioners.preconditioner import Preconditioner
from opforge.solvers.stencil import Stencil


class Jacobi(Preconditioner):
    """Products with an array that has the shape of vectors or fields; see `jacobi`.

    Args:
        inverse_diagonal: (n,), or of a stencil (*space) or (batch, *space).
        space: of a stencil.

    Example:
        >>> Jacobi(np.array([0.5, 0.25]))(np.ones(2)).tolist()
        [0.5, 0.25]
    """

    def __init__(self, inverse_diagonal: Any, space: tuple[int, ...] | None = None):
        size = int(np.prod(space)) if space else len(inverse_diagonal)
        super().__init__(size, inverse_diagonal.dtype, space)
        self._inverse = inverse_diagonal
        self.device = inverse_diagonal.device if is_torch(inverse_diagonal) else "cpu"

    def apply(self, r: Any) -> Any:
        return self._inverse * r


def jacobi(A: Any) -> Jacobi:
    """M = D⁻¹, D the diagonal of A: helps where the diagonal varies, and costs nothing.

    Args:
        A: a matrix, numpy, scipy.sparse or a tensor, or a `Stencil`; with a positive diagonal.

    Raises:
        InputError: something else, a diagonal that is not positive.

    Example:
        >>> from opforge.solvers import cg
        >>> A = np.diag(10.0 ** np.arange(5)) + 0.1
        >>> cg(A, np.ones(5), rtol=1e-8).iterations, cg(A, np.ones(5), rtol=1e-8, M=jacobi(A)).iterations
        (6, 4)
    """
    if isinstance(A, Stencil):
        # cells that nothing holds, such as fluid enclosed by obstacles, have a row of zeros
        return Jacobi(1 / A.diagonal.where(A.diagonal > 0, 1.0), A.space)
    if is_torch(A):
        if A.ndim != 2 or A.shape[0] != A.shape[1]:
            raise InputError(f"A must be square, got shape {tuple(A.shape)}")
        diagonal = _of_tensor(A)
        if not bool((diagonal.real > 0).all()):
            raise InputError(f"A must have a positive diagonal, got {float(diagonal.real.min()):.3g} in it")
        return Jacobi(1 / diagonal)
    matrix = sparse_matrix(A, real=False)
    return Jacobi((1 / positive_diagonal(matrix)).astype(matrix.dtype, copy=False))


def _of_tensor(A: Any) -> Any:
    import torch

    if A.layout == torch.strided:
        return A.diagonal()
    entries = A.to_sparse_coo().coalesce()
    rows, columns = entries.indices()
    on = rows == columns
    return A.new_zeros(A.shape[0], dtype=A.dtype, layout=torch.strided).index_add(0, rows[on], entries.values()[on])
