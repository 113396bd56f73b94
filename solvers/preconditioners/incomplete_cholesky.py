"""Incomplete Cholesky factors on the pattern of the matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from opforge.errors import InputError, WorkError
from opforge.solvers.preconditioners._matrices import positive_diagonal, sparse_matrix
from opforge.solvers.preconditioners.preconditioner import Preconditioner

# Where a pivot is not positive the factor is that of A + αD, with α from this on, doubled until all are.
_FIRST_SHIFT, _SHIFTS = 1e-3, 12


class IncompleteCholesky(Preconditioner):
    """(L Lᵀ)⁻¹; see `incomplete_cholesky`.

    Args:
        A: a CSR array with sorted columns.
        modified: part of what is dropped that goes to the diagonal.

    Attributes:
        shift: α of the matrix A + αD that L L^T is like, 0 where A itself has such factors.

    Raises:
        ImportError: no numba.
        WorkError: no factors whatever the shift.
    """

    def __init__(self, A: Any, modified: float):
        from opforge.solvers.preconditioners._compiled_cholesky import factor, solve

        super().__init__(A.shape[0])
        diagonal = positive_diagonal(A)
        lower = _lower(A)
        self._solve, self._starts, self._rows, self.shift = solve, lower.indptr, lower.indices, 0.0
        for number in range(_SHIFTS):
            values = lower.data.copy()
            values[self._starts[:-1]] += self.shift * diagonal
            if factor(self._starts, self._rows, values, modified) < 0:
                self._values = values
                return
            self.shift = _FIRST_SHIFT * 2**number
        raise WorkError(
            f"A has no incomplete Cholesky factors, not even with {self.shift:.3g} D added: it is far from positive "
            "definite; take jacobi or amg"
        )

    def apply(self, r: Any) -> Any:
        return self._solve(self._starts, self._rows, self._values, np.ascontiguousarray(r, dtype=np.float64))


def incomplete_cholesky(A: Any, *, modified: float = 0.0) -> IncompleteCholesky:
    """M = (L Lᵀ)⁻¹, L on the pattern of A's lower triangle: (L Lᵀ)ᵢⱼ = Aᵢⱼ there, what falls beside it is dropped.

    With ``modified`` close to 1 what is dropped goes to the diagonal instead, so that L Lᵀ and A do nearly the same to
    smooth vectors: for −Δ_h on n points along an axis, iterations then grow like √n instead of n. Where a pivot is not
    positive, A + αD is factored.

    Args:
        A: symmetric, real, with a positive diagonal; numpy or scipy.sparse, or a `Stencil`. The lower triangle is read.
        modified: 0 to 1.

    Raises:
        ImportError: numba is not installed.
        InputError: something else than such a matrix, ``modified`` out of range.
        WorkError: no factors, whatever is added.

    Example:
        >>> import pyamg
        >>> from opforge.solvers import cg
        >>> A, b = pyamg.gallery.poisson((60, 60), format="csr"), np.ones(3600)
        >>> preconditioners = None, incomplete_cholesky(A), incomplete_cholesky(A, modified=0.97)
        >>> counts = [cg(A, b, rtol=1e-8, M=M).iterations for M in preconditioners]
        >>> counts[0] > 2 * counts[1] > 3 * counts[2]
        True

    Source:
        Meijerink and van der Vorst, "An iterative solution method for linear systems of which the coefficient matrix is
        a symmetric M-matrix"; modified: Gustafsson, "A class of first order factorization methods"; the shift:
        Manteuffel, "An incomplete factorization technique for positive definite linear systems".
    """
    if isinstance(modified, bool) or not isinstance(modified, (int, float)) or not 0 <= modified <= 1:
        raise InputError(f"modified must lie between 0 and 1, got {modified!r}")
    return IncompleteCholesky(sparse_matrix(A), float(modified))


def _lower(A: Any) -> Any:
    """The lower triangle by columns, rows ascending."""
    import scipy.sparse

    lower = scipy.sparse.csc_array(scipy.sparse.tril(A))
    lower.sort_indices()
    return lower
