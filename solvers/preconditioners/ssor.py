"""Symmetric successive over-relaxation."""

from __future__ import annotations

from typing import Any

import numpy as np

from opforge.errors import InputError
from opforge.solvers.preconditioners._matrices import positive_diagonal, sparse_matrix
from opforge.solvers.preconditioners.preconditioner import Preconditioner


class SSOR(Preconditioner):
    """A sweep forward and one backward; see `ssor`.

    Args:
        A: a CSR array with sorted columns.
        omega: between 0 and 2.

    Example:
        >>> import scipy.sparse
        >>> SSOR(scipy.sparse.eye_array(3, format="csr"), 1.0)(np.ones(3)).tolist()
        [1.0, 1.0, 1.0]
    """

    def __init__(self, A: Any, omega: float):
        import scipy.sparse

        super().__init__(A.shape[0], A.dtype)
        diagonal = A.diagonal()
        self._middle = (2 / omega - 1) * diagonal
        # its sweeps of Gauss and Seidel from 0 are (D/ω + L)⁻¹ and (D/ω + U)⁻¹
        self._shifted = scipy.sparse.csr_array(A + scipy.sparse.diags_array((1 / omega - 1) * diagonal))

    def apply(self, r: Any) -> Any:
        return self._sweep(self._middle * self._sweep(r, "forward"), "backward")

    def _sweep(self, r: Any, sweep: str) -> np.ndarray:
        from pyamg.relaxation.relaxation import gauss_seidel

        z = np.zeros(len(r), dtype=self._shifted.dtype)
        gauss_seidel(self._shifted, z, np.ascontiguousarray(r, dtype=z.dtype), sweep=sweep)
        return z


def ssor(A: Any, omega: float = 1.0) -> SSOR:
    """M = (2/ω − 1) (D/ω + U)⁻¹ D (D/ω + L)⁻¹ of A = L + D + U, by compiled sweeps; ω = 1 is symmetric Gauss–Seidel.

    Args:
        A: a Hermitian matrix, numpy or scipy.sparse, or a `Stencil`; with a positive diagonal.
        omega: relaxation, 0 < ω < 2; for −Δ on n points along every axis 2 / (1 + π/n) or so is best.

    Raises:
        InputError: something else than a matrix, a diagonal that is not positive, ω out of range.

    Example:
        >>> import pyamg
        >>> from opforge.solvers import cg
        >>> A, b = pyamg.gallery.poisson((60, 60), format="csr"), np.ones(3600)
        >>> counts = [cg(A, b, rtol=1e-8, M=M).iterations for M in (None, ssor(A), ssor(A, 1.9))]
        >>> counts[0] > 1.5 * counts[1] > 2 * counts[2]
        True

    Source:
        Saad, "Iterative methods for sparse linear systems", section 10.2.
    """
    if isinstance(omega, bool) or not isinstance(omega, (int, float, np.floating)) or not 0 < omega < 2:
        raise InputError(f"omega must lie between 0 and 2, got {omega!r}")
    matrix = sparse_matrix(A, real=False)
    positive_diagonal(matrix)
    return SSOR(matrix, float(omega))
