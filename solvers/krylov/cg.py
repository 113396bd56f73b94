"""Conjugate gradients with a preconditioner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opforge.solvers.krylov._run import Run
from opforge.solvers.krylov._system import linear_system
from opforge.solvers.krylov._vectors import copied
from opforge.solvers.result import SolveResult

INDEFINITE = "A is not positive definite, or not finite: pᴴAp > 0 is wrong for a direction p"
_INDEFINITE_M = "M is not positive definite, or not finite: rᴴMr > 0 is wrong for a residual r"


def cg(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Any], None] | None = None,
) -> SolveResult:
    """Solve A x = b, A Hermitian and positive definite, to ‖b − A x‖ ≤ max(rtol ‖b‖, atol), by conjugate gradients.

    Takes the place of ``scipy.sparse.linalg.cg``. What differs: convergence is believed of residuals computed from
    their definition alone, and the iteration goes on where its recurrence was too hopeful; a matrix or preconditioner
    that is not positive definite, NaN, and residuals that rounding keeps up are noticed; there is a warning where the
    tolerance is not reached; tensors and many systems at once are solved too.

    **Many systems.** Each has its own step lengths, and stops by itself: it then stays as it is.

    ============================================  ====================  ============================================
    A                                             b, x0, x              M
    ============================================  ====================  ============================================
    numpy, scipy.sparse, ``LinearOperator``,      (n,)                  a matrix, or a function of (n,)
    a tensor, dense or sparse: (n, n)             (n, systems)          the same
    a tensor (batch, n, n)                        (batch, n)            a matrix, or a function of (batch, n)
    a function                                    (n,)                  a matrix, or a function of (n,)
    a function of (batch, *space)                 (batch, *space)       a function of (batch, *space)
    the same with ``A.space``, a tuple            (*space) as well      a function of (batch, *space)
    ============================================  ====================  ============================================

    As in scipy, b of shape (n, 1) gives x of shape (n,). A matrix M may be a ``LinearOperator``.

    Args:
        A: see the table; applied 2 to 4 times more than there are iterations, to check it and the solution.
        b: right-hand side, numpy or torch on any device; real or complex, single or double precision.
        x0: where to start, 0 unless given; ``"Mb"`` starts at M b.
        rtol, atol: tolerances, at least 0.
        maxiter: most iterations, 10 n unless given.
        M: approximates A⁻¹, Hermitian and positive definite; has a precision of its own: if ``M.dtype`` is float32 and
            b float64, it gets residuals of norm 1 in float32.
        callback: is called with a copy of x after every iteration.

    Returns:
        The solution with ``converged``, ``iterations`` and ``residuals``; unpacks as ``x, info``. ``info`` is 0 where
        it converged, -1 after a breakdown, else the number of iterations, maxiter or those after which rounding kept
        the residual as it was; ``reason`` says why. Without gradients. Where A takes constants to 0, as with Neumann
        conditions, and the mean of b is 0, the solution with the mean of x0, after one `SingularWarning`.

    Warns:
        ConvergenceWarning: the tolerance was not reached.

    Raises:
        InputError: shapes, kinds or precisions that do not fit, numbers that are not finite, a tolerance or maxiter out
            of range; a singular system whose b has another mean than 0.

    Example:
        >>> import numpy as np, scipy.sparse
        >>> A = scipy.sparse.diags_array([np.full(50, 2.0), np.full(49, -1.0), np.full(49, -1.0)], offsets=[0, 1, -1])
        >>> result = cg(A, np.ones(50), rtol=1e-10)
        >>> result.converged, result.iterations
        (True, 25)
        >>> x, info = result
        >>> info, bool(abs(A @ x - 1).max() < 1e-9)
        (0, True)

    Source:
        Hestenes and Stiefel, "Methods of conjugate gradients for solving linear systems"; Saad, "Iterative methods for
        sparse linear systems", algorithm 9.1.
    """
    system = linear_system(A, b, x0, M, tolerances=(rtol, atol), maxiter=maxiter, callback=callback)
    v, run = system.vectors, Run(system)
    with v.without_gradients():
        x, r = run.start()
        p, before = 0.0, None
        while run.goes_on:
            z = system.M(r)
            rho = v.dot(r, z).real
            p = copied(z) if before is None else v.turned(p, v.ratio(rho, before, run.going & (before > 0)), z)
            p = run.only_going(p)
            q = system.A(p)
            curvature = v.dot(p, q).real
            alpha = v.ratio(rho, curvature, run.going & (rho > 0) & (curvature > 0))
            x, r = v.add(x, alpha, p), v.add(r, -alpha, q)
            r, again = run.note(x, r, (rho, _INDEFINITE_M), (curvature, INDEFINITE))
            # a system that starts again does so with the next z alone
            before = rho if again is None else v.where(again, 0.0, rho)
        return run.result(x)
