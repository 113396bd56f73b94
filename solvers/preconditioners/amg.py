"""Algebraic multigrid, by pyamg."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np

from opforge.errors import InputError, UnknownNameError, WorkError
from opforge.solvers.elliptic import _HIERARCHY
from opforge.solvers.preconditioners._matrices import positive_diagonal, sparse_matrix
from opforge.solvers.preconditioners.preconditioner import Preconditioner

Method = Literal["ruge_stuben", "smoothed_aggregation"]

_METHODS = ("ruge_stuben", "smoothed_aggregation")

# A sweep forward before the coarse correction and its adjoint after it: the cycle is symmetric, as cg needs.
_AGGREGATION = {
    "presmoother": ("gauss_seidel", {"sweep": "forward"}),
    "postsmoother": ("gauss_seidel", {"sweep": "backward"}),
    "max_coarse": 200,
}


class AMG(Preconditioner):
    """One V-cycle of algebraic multigrid; see `amg`.

    Args:
        A: a CSR array.
        method: ``"ruge_stuben"`` or ``"smoothed_aggregation"``.

    Attributes:
        hierarchy: pyamg's ``MultilevelSolver``.
    """

    def __init__(self, A: Any, method: Method):
        super().__init__(A.shape[0], A.dtype)
        singular = np.abs(A @ np.ones(A.shape[0])).max() <= 1e-10 * np.abs(A.diagonal()).max()
        self.hierarchy = _hierarchy(A, method, "pinv" if singular else "cholesky")
        self._cycle = self.hierarchy.aspreconditioner(cycle="V")
        try:
            self.apply(np.ones(A.shape[0]))  # pyamg factors the coarsest matrix when it first needs it
        except ValueError as error:  # LinAlgError is one
            raise WorkError(f"A is not positive definite, and takes more than constants to 0: {error}") from error

    def apply(self, r: Any) -> Any:
        return self._cycle @ r


def amg(A: Any, method: Method = "ruge_stuben") -> AMG:
    """One symmetric V-cycle of algebraic multigrid, set up by pyamg from the matrix alone.

    Iterations hardly grow with the number of unknowns. The set-up takes the time of some ten cycles.

    Args:
        A: real and symmetric, for smoothed aggregation also complex and Hermitian; numpy or scipy.sparse, or a
            `Stencil`; positive definite, or with constants as all that it takes to 0.
        method: ``"ruge_stuben"``, for matrices like −∇·(a∇), with the options that `solve_elliptic` was measured with;
            or ``"smoothed_aggregation"``, which has fewer levels and more iterations.

    Raises:
        InputError: something else than such a matrix, another method.
        WorkError: a matrix that is not positive definite.

    Example:
        >>> import pyamg
        >>> from opforge.solvers import cg
        >>> A, b = pyamg.gallery.poisson((60, 60), format="csr"), np.ones(3600)
        >>> methods = "ruge_stuben", "smoothed_aggregation"
        >>> [5 <= cg(A, b, rtol=1e-8, M=amg(A, method)).iterations <= 15 for method in methods]
        [True, True]

    Source:
        Ruge and Stüben, "Algebraic multigrid"; Vaněk, Mandel and Brezina, "Algebraic multigrid by smoothed
        aggregation"; Bell, Olson and Schroder, "PyAMG".
    """
    if method not in _METHODS:
        raise UnknownNameError("method", method, _METHODS)
    matrix = sparse_matrix(A, real=method == "ruge_stuben")
    positive_diagonal(matrix)
    return AMG(matrix, method)


def _hierarchy(A: Any, method: Method, coarse_solver: str) -> Any:
    import pyamg
    import scipy.sparse

    A = scipy.sparse.csr_array((A.data, *_short_indices(A)), shape=A.shape)
    if method == "ruge_stuben":
        return pyamg.ruge_stuben_solver(A, **{**_HIERARCHY, "coarse_solver": coarse_solver})
    # pyamg estimates spectral radii from numpy's global random numbers
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pyamg.smoothed_aggregation_solver(
                A, symmetry="hermitian", coarse_solver=coarse_solver, **_AGGREGATION
            )
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _short_indices(A: Any) -> tuple[np.ndarray, np.ndarray]:
    """pyamg's compiled parts take 32-bit indices."""
    if A.nnz >= 2**31:
        raise InputError(f"A must have fewer than 2³¹ entries, got {A.nnz}")
    return A.indices.astype(np.int32, copy=False), A.indptr.astype(np.int32, copy=False)
