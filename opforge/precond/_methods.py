"""The methods that `opforge.precond.solve` knows by name, and which of them suits a system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError, UnknownNameError
from opforge.pdes._arrays import along
from opforge.precond.problem import LinearProblem
from opforge.precond.saving import load, pretrained
from opforge.solvers import (
    Stencil,
    amg,
    cg,
    dcdm,
    fast_transforms,
    geometric_multigrid,
    incomplete_cholesky,
    jacobi,
    minres,
    ssor,
)
from opforge.solvers.preconditioners._matrices import sparse_matrix

# Unknowns up to which a sparse factor takes less time than to set up algebraic multigrid.
_FEW = 3000

# How far a matrix may be from its adjoint, and coefficients from a constant, in parts of the largest entry.
_ROUNDING = 1e-10

Make = Callable[[Any], Any]

OF_MATRICES: dict[str, Make] = {
    "jacobi": jacobi,
    "ssor": ssor,
    "incomplete_cholesky": incomplete_cholesky,
    "ruge_stuben": lambda A: amg(A, "ruge_stuben"),
    "smoothed_aggregation": lambda A: amg(A, "smoothed_aggregation"),
}
OF_STENCILS: dict[str, Make] = {
    "geometric_multigrid": geometric_multigrid,
    "fast_transforms": fast_transforms,
    "learned_multigrid": lambda A: load(f"multigrid_{A.grid.ndim}d").on(A),
    "dcdm": lambda A: load(f"dcdm_{A.grid.ndim}d").on(A),
}
PLAIN = ("direct", "cg", "minres")


@dataclass(frozen=True)
class Method:
    """How a system is to be solved.

    Args:
        name: for the result.
        why: it was chosen.
        A: the operator, a `Stencil` where the method needs one.
        make: sets the preconditioner up from A; None for none.
        iterate: of `opforge.solvers`; None for sparse factors.
        assembled: whether a stencil is to be made a matrix first.
    """

    name: str
    why: str
    A: Any
    make: Make | None = None
    iterate: Callable[..., Any] | None = cg
    assembled: bool = False


def known() -> list[str]:
    """All names."""
    return ["auto", *PLAIN, *OF_MATRICES, *OF_STENCILS, *pretrained()]


def method_of(given: Any, problem: LinearProblem) -> Method:
    """The method that a user asked for.

    Args:
        given: a name, of a method or of a learned preconditioner; what `load` gave; a preconditioner.

    Raises:
        UnknownNameError: no such name and no such files.
        InputError: a method that needs a grid or a matrix and has none; what the method itself refuses.
    """
    if isinstance(given, str) and given == "auto":
        return chosen(problem)
    asked = "it was asked for"
    if isinstance(given, str) and given in PLAIN:
        iterate = {"direct": None, "cg": cg, "minres": minres}[given]
        return Method(given, asked, problem.A, None, iterate, assembled=iterate is None)
    if isinstance(given, str) and given in OF_MATRICES:
        if not (_is_matrix(problem.A) or isinstance(problem.A, Stencil) or (given == "jacobi" and is_torch(problem.A))):
            raise InputError(f"A must be a matrix for method={given!r}, got {type(problem.A).__name__}")
        return Method(given, asked, problem.A, OF_MATRICES[given], assembled=given != "jacobi")
    if isinstance(given, str) and given in OF_STENCILS:
        return Method(given, asked, stencil_of(problem, given), OF_STENCILS[given], dcdm if given == "dcdm" else cg)
    if isinstance(given, str | Path):
        try:
            learned = load(given)
        except UnknownNameError as error:
            raise UnknownNameError("method", str(given), known()) from error
        return _learned(learned, str(given), problem)
    if hasattr(given, "on"):
        return _learned(given, type(given).__name__, problem)
    if callable(given) or hasattr(given, "shape"):
        return Method(type(given).__name__, asked, problem.A, lambda A: given)
    raise InputError(f"method must be a name or a preconditioner, got {given!r}; known names: {', '.join(known())}")


def _learned(learned: Any, name: str, problem: LinearProblem) -> Method:
    linear = hasattr(learned, "aspreconditioner")
    return Method(name, "it was asked for", stencil_of(problem, name), learned.on, cg if linear else dcdm)


def stencil_of(problem: LinearProblem, name: str) -> Stencil:
    """A as a stencil.

    Raises:
        InputError: it is none, or its grid is not known.
    """
    if isinstance(problem.A, Stencil):
        return problem.A
    if not _is_matrix(problem.A):
        raise InputError(f"A must be a Stencil or a matrix for method={name!r}, got {type(problem.A).__name__}")
    if problem.grid is None:
        raise InputError(
            f"method={name!r} needs to know where the unknowns are: give LinearProblem(A, b, grid=Grid(...)), or a "
            "Stencil"
        )
    return Stencil.of_matrix(_symmetric(problem.A), problem.grid)


def chosen(problem: LinearProblem) -> Method:
    """The method for a system of which nothing is asked; see `opforge.precond.solving.solve`."""
    A = problem.A
    if isinstance(A, Stencil):
        return _for_stencil(A, "A is a stencil")
    if is_torch(A):
        return _for_tensor(A)
    if not _is_matrix(A):
        return Method("cg", "A is known by its products alone, and taken to be positive definite", A)
    A = _symmetric(A)
    if not np.all(A.diagonal().real > 0):
        return Method("minres", "A has a diagonal that is not positive: it is not positive definite", A, None, minres)
    if np.iscomplexobj(A):
        return Method("jacobi", "A is complex", A, jacobi)
    hint = "; with grid= faster methods are at hand if it is that of a stencil"
    if problem.grid is not None:
        try:
            return _for_stencil(Stencil.of_matrix(A, problem.grid), "A is a stencil on the grid")
        except InputError as error:
            hint = f"; it is no stencil on the grid: {error}"
    if A.shape[0] <= _FEW:
        return Method(
            "direct", f"A is a matrix of {A.shape[0]} unknowns, at most {_FEW}", A, None, None, assembled=True
        )
    entries = A.tocoo()
    positive = entries.data[(entries.row != entries.col) & (entries.data > 0)].sum()
    if positive > 0.1 * A.diagonal().sum():
        return Method("jacobi", f"A is a large matrix with positive entries beside the diagonal{hint}", A, jacobi)
    return Method("ruge_stuben", f"A is a large sparse matrix{hint}", A, OF_MATRICES["ruge_stuben"])


def _for_stencil(A: Stencil, what: str) -> Method:
    if _is_constant(A):
        return Method(
            "fast_transforms", f"{what} with a constant coefficient and no obstacles", A, OF_STENCILS["fast_transforms"]
        )
    if A.grid.ndim == 1:
        return Method("geometric_multigrid", f"{what} in one dimension", A, geometric_multigrid)
    return Method("learned_multigrid", f"{what} in {A.grid.ndim} dimensions", A, OF_STENCILS["learned_multigrid"])


def _is_constant(A: Stencil) -> bool:
    """Whether fast transforms are the inverse: faces as those of one coefficient, half a cell to where u = 0."""
    if A.fluid is not None or A.batched or not _same(A.extra):
        return False
    level = None
    for axis, (k, h) in enumerate(zip(A.faces, A.grid.spacing, strict=True), start=-A.grid.ndim):
        inner = along(k, axis, 1, -1) * h**2
        if inner.numel():
            level = float(inner.mean()) if level is None else level
            if not _same(inner) or abs(float(inner.mean()) - level) > _ROUNDING * level:
                return False
        ends = [] if A.wrapped[axis] else [along(k, axis, None, 1), along(k, axis, -1, None)]
        for end, kind in zip(ends, A.boundary[axis], strict=False):
            wanted = 0.0 if kind == "neumann" or level is None else 2 * level
            if not _same(end) or abs(float(end.mean()) * h**2 - wanted) > _ROUNDING * (level or 1.0):
                return False
    return level is not None and level > 0


def _same(x: Any) -> bool:
    return float(x.max() - x.min()) <= _ROUNDING * float(x.abs().max())


def _for_tensor(A: Any) -> Method:
    if A.ndim == 2:
        return Method("jacobi", "A is a tensor, and taken to be positive definite", A, jacobi)
    return Method("cg", "A is a batch of tensors, and taken to be positive definite", A)


def _is_matrix(A: Any) -> bool:
    return scipy.sparse.issparse(A) or isinstance(A, np.ndarray)


def _symmetric(A: Any) -> Any:
    """A as CSR.

    Raises:
        InputError: it is not Hermitian, not square or not finite.
    """
    A = sparse_matrix(A, real=False)
    off, size = abs(A - A.conj().T), abs(A)
    if off.nnz and off.max() > _ROUNDING * size.max():
        raise InputError(
            f"A must be symmetric (Hermitian), got entries that differ from the adjoint's by {off.max():.3g}; take "
            "method='direct', or a method for such matrices, scipy.sparse.linalg.gmres"
        )
    return A
