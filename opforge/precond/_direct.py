"""Sparse and dense factors."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np

from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError
from opforge.solvers import ConvergenceWarning, SolveResult
from opforge.solvers.preconditioners._matrices import sparse_matrix

# Times that a solution is corrected by that for its residual.
_CORRECTIONS = 2

_SINGULAR = "A must not be singular for method='direct', got a matrix without a factor ({}); take minres, or cg"


def direct(A: Any, b: Any, *, rtol: float, atol: float) -> tuple[SolveResult, float]:
    """Solve A x = b by a factor of A, corrected until the residual is within the tolerance; and when it was ready.

    Args:
        A: a matrix, numpy, scipy.sparse or a dense tensor; symmetric or not.
        b: (n,) or (n, systems).
        rtol, atol: tolerances.

    Returns:
        The result, whose iterations count solutions with the factor, and `time.perf_counter` between factor and
        solution.

    Raises:
        InputError: A that is singular or no matrix, b of another shape or not finite.

    Example:
        >>> result, _ = direct(np.array([[2.0, 1.0], [0.0, 4.0]]), np.array([4.0, 8.0]), rtol=1e-12, atol=0.0)
        >>> result.x.tolist(), result.iterations
        ([1.0, 2.0], 1)
    """
    if not is_torch(A):
        A = sparse_matrix(A, real=False)
    elif A.ndim != 2 or A.shape[0] != A.shape[1] or str(A.layout) != "torch.strided":
        raise InputError(f"A must be a square dense tensor for method='direct', got {tuple(A.shape)} {A.layout}")
    if is_torch(A) != is_torch(b):
        raise InputError("A and b must be of one kind, numpy or torch; convert one of them")
    n = A.shape[0]
    if b.ndim not in (1, 2) or b.shape[0] != n:
        raise InputError(f"b must have the shape ({n},) or ({n}, systems) for A {tuple(A.shape)}, got {tuple(b.shape)}")
    if not bool((b == b).all()) or not bool((abs(b) < np.inf).all()):
        raise InputError("b must be finite, got NaN or infinite numbers in it")
    factor = _factor(A)
    ready = time.perf_counter()
    norms = _norms(b)
    bound, size = np.maximum(atol, rtol * norms), np.where(norms > 0, norms, 1.0)
    x, history, count = 0 * b, [norms], 0
    while count == 0 or (count <= _CORRECTIONS and not np.all(history[-1] <= bound)):
        x = x + factor(b - A @ x)
        history.append(_norms(b - A @ x))
        count += 1
    residuals = np.array(history) / size
    good = history[-1] <= bound
    many = b.ndim == 2
    result = SolveResult(
        x,
        bool(good.all()),
        count,
        residuals if many else residuals[:, 0],
        "" if good.all() else "rounding keeps the residual from becoming smaller; raise rtol",
        converged_each=good if many else None,
        iterations_each=np.full(len(good), count) if many else None,
    )
    if not result.converged:
        warnings.warn(f"{result!r}"[len("SolveResult(") : -1], ConvergenceWarning, stacklevel=5)
    return result, ready


def _factor(A: Any) -> Any:
    if is_torch(A):
        import torch

        try:
            factors = torch.linalg.lu_factor(A)
        except RuntimeError as error:
            raise InputError(_SINGULAR.format(error)) from error
        return lambda r: torch.linalg.lu_solve(*factors, r.reshape(len(r), -1)).reshape(r.shape)
    from scipy.sparse.linalg import splu

    try:
        factors = splu(A.tocsc())
    except RuntimeError as error:
        raise InputError(_SINGULAR.format(error)) from error
    dtype = A.dtype
    return lambda r: factors.solve(np.asarray(r, dtype=np.result_type(dtype, r.dtype)))


def _norms(x: Any) -> np.ndarray:
    values = x.detach().cpu().numpy() if is_torch(x) else np.asarray(x)
    return np.linalg.norm(values.reshape(len(values), -1), axis=0)
