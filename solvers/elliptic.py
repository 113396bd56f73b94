"""Scalar elliptic equations: the assembled system by conjugate gradients with algebraic multigrid."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from opforge.core import Grid
from opforge.errors import InputError, WorkError
from opforge.solvers.result import SolveResult

if TYPE_CHECKING:
    import scipy.sparse

    from opforge.pdes import Equation

# Recorded in data files.
METHOD = "finite volumes, conjugate gradients preconditioned by a Ruge-Stüben multigrid V-cycle (pyamg)"

# Measured on 12:3 and log-normal Darcy coefficients from 64² to 512² and 16³ to 48³: Ruge–Stüben beats smoothed
# aggregation, direct interpolation sets up in three quarters (2-D) to half (3-D) of the time of classical
# interpolation at the same iterations, and levels below 200 unknowns cost more than the dense factor. Sweeping forward
# before and backward after the coarse correction makes the V-cycle symmetric, which conjugate gradients need.
# Couplings from a tenth of the strongest on count as strong: a quarter, the usual bound, takes 10 to 40 % more time
# where the coefficient jumps.
_HIERARCHY = {
    "strength": ("classical", {"theta": 0.1}),
    "interpolation": "direct",
    "presmoother": ("gauss_seidel", {"sweep": "forward"}),
    "postsmoother": ("gauss_seidel", {"sweep": "backward"}),
    "max_coarse": 200,
    "coarse_solver": "cholesky",
}

# How often conjugate gradients start again from the true residual where their recurrence has drifted away from it.
_RESTARTS = 2

# Rounding leaves a relative residual of about ε n² / 4 whatever the dimension and the coefficient, for |A| |u| is about
# n² b. Measured in one to three dimensions with tolerances from 1e-14 to 1e-8 and contrasts from 1 to 10⁶: nearly all
# samples converge up to ε n² = 4 rtol, a third of them at 16 rtol, none at 32 rtol.
_SAFE, _HOPELESS = 2, 32


def solve_elliptic(
    equation: Equation, fields: Mapping[str, np.ndarray], grid: Grid, *, rtol: float = 1e-8, maxiter: int = 100
) -> SolveResult:
    """Solve A u = b of a linear elliptic equation for one sample.

    Conjugate gradients, preconditioned by one V-cycle of algebraic multigrid, until ‖b − A u‖ ≤ rtol ‖b‖; that is
    checked on the residual computed from its definition. ``equation.operator`` must be a symmetric positive definite
    M-matrix, as that of `opforge.pdes.Darcy` is; then b ≥ 0 implies u ≥ 0, which is checked too.

    Args:
        equation: gives ``operator(fields, grid)`` and ``right_hand_side(fields, grid)``.
        fields: what the equation needs to know, float64 arrays of the grid's shape.
        grid: where the unknowns are.
        rtol: bound of the relative residual, between 0 and 1.
        maxiter: most iterations.

    Returns:
        The solution, of the grid's shape, with ``converged``, ``iterations`` and ``residuals``; unpacks as ``x, info``.

    Raises:
        InputError: a tolerance out of range; a field that is not finite; what the equation refuses.
        WorkError: no convergence within ``maxiter`` iterations; an operator that is not positive definite; a solution
            that breaks the maximum principle.

    Example:
        >>> from opforge.pdes import Darcy
        >>> grid = Grid.cube(2, 16)
        >>> result = solve_elliptic(Darcy(), {"a": np.ones(grid.shape)}, grid)
        >>> result.residual < 1e-8, round(float(result.x.max()), 3)
        (True, 0.073)
    """
    check_fraction("rtol", rtol)
    if isinstance(maxiter, bool) or not isinstance(maxiter, int | np.integer) or maxiter < 1:
        raise InputError(f"maxiter must be a whole number of at least 1, got {maxiter!r}")
    check_finite(fields)
    A, b = equation.operator(fields, grid), equation.right_hand_side(fields, grid)
    result = _multigrid_cg(A, b, rtol, maxiter)
    if not result.converged:
        raise WorkError(_why_not(A, b, result, rtol, maxiter))
    _check_sign(b, result.x, rtol)
    return SolveResult(result.x.reshape(grid.shape), True, result.iterations, result.residuals)


def check_fraction(name: str, value: Any) -> None:
    """Refuse what is no number between 0 and 1.

    Raises:
        InputError: something else.

    Example:
        >>> check_fraction("rtol", 1e-8)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < 1:
        raise InputError(f"{name} must be a number between 0 and 1, got {value!r}")


def check_finite(fields: Mapping[str, Any]) -> None:
    """Refuse fields that hold values which are not finite.

    Raises:
        InputError: the first of them, with the number of its values.

    Example:
        >>> check_finite({"a": np.ones(3), "f": np.array([1.0, np.nan, np.inf])})
        Traceback (most recent call last):
        ...
        opforge.errors.InputError: field 'f' must be finite, got NaN or infinity in 2 of 3 values; correct them
    """
    for name, values in fields.items():
        wrong = ~np.isfinite(np.asarray(values))
        if wrong.any():
            raise InputError(
                f"field {name!r} must be finite, got NaN or infinity in {int(wrong.sum())} of {wrong.size} values; "
                "correct them"
            )


def check_tolerance(grid: Grid, rtol: float) -> None:
    """Refuse a grid on which rounding in float64 keeps `solve_elliptic` from reaching the tolerance.

    Args:
        grid: of an equation of second order with Dirichlet conditions on a unit box.
        rtol: bound of the relative residual.

    Raises:
        InputError: more points along an axis than the tolerance can be reached with. The text names a resolution and a
            tolerance that work.

    Example:
        >>> check_tolerance(Grid((4096,)), 1e-8)
        >>> check_tolerance(Grid((1_000_000,)), 1e-8)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        opforge.errors.InputError: resolution 1000000 is too high for tolerance=1e-08, which rounding keeps ...
    """
    n, eps = max(grid.shape), float(np.finfo(np.float64).eps)
    if eps * n**2 > _HOPELESS * rtol:
        highest = math.isqrt(int(_SAFE * rtol / eps))
        lower = f"lower the resolution to at most {highest} points per axis or " if highest >= 4 else ""
        raise InputError(
            f"resolution {'x'.join(map(str, grid.shape))} is too high for tolerance={rtol:g}, which rounding keeps "
            f"the solver from reaching; {lower}raise the tolerance to {1.1 * eps * n**2 / _SAFE:.1e}"
        )


def _multigrid_cg(A: scipy.sparse.csr_matrix, b: np.ndarray, rtol: float, maxiter: int) -> SolveResult:
    import pyamg  # half a second to import, needed only where something is solved

    norm_b = float(np.linalg.norm(b))
    if norm_b == 0.0:
        return SolveResult(np.zeros_like(b), True, 0, np.zeros(1))
    M = pyamg.ruge_stuben_solver(A, **_HIERARCHY).aspreconditioner(cycle="V")
    x, history, true_residual = np.zeros_like(b), [1.0], 1.0
    for _ in range(1 + _RESTARTS):
        norms: list[float] = []
        try:
            with warnings.catch_warnings(record=True):  # pyamg warns where it breaks down; the true residual tells
                x, _ = pyamg.krylov.cg(A, b, x, tol=rtol, maxiter=maxiter + 1 - len(history), M=M, residuals=norms)
        except ValueError as error:  # LinAlgError is one: the coarsest matrix has no factor or is not finite
            raise WorkError(f"the equation's operator is not positive definite: {error}") from error
        true_residual = float(np.linalg.norm(b - A @ x)) / norm_b
        history += [norm / norm_b for norm in norms[1:-1]] + [true_residual]
        if true_residual <= rtol or len(history) > maxiter:
            break
    return SolveResult(x, true_residual <= rtol, len(history) - 1, np.array(history))


def _why_not(A: scipy.sparse.csr_matrix, b: np.ndarray, result: SolveResult, rtol: float, maxiter: int) -> str:
    """Tell iterations that were too few from a tolerance that float64 cannot reach and from a breakdown."""
    text = (
        f"conjugate gradients reached a relative residual of {result.residual:.1e} in {result.iterations} iterations, "
        f"the tolerance is {rtol:.1e}"
    )
    rounding = np.finfo(np.float64).eps * np.linalg.norm(abs(A) @ abs(result.x)) / np.linalg.norm(b)
    if rounding > 0.1 * rtol:
        return f"{text}; rounding alone leaves about {rounding:.1e} at this resolution: raise the tolerance"
    if result.iterations < maxiter:
        return f"{text}; they broke down, the coefficient varies too much for float64: lower its contrast"
    return f"{text}; allow more iterations"


def _check_sign(b: np.ndarray, u: np.ndarray, rtol: float) -> None:
    """An M-matrix has a non-negative inverse: u ≥ 0 where b ≥ 0, up to the error that the tolerance leaves."""
    if b.min() >= 0 and u.min() < -rtol * u.max():
        raise WorkError(
            f"the solution breaks the maximum principle: its least value is {u.min():.3e} (greatest {u.max():.3e}), "
            "it must be >= 0 where the forcing is; lower the tolerance"
        )
