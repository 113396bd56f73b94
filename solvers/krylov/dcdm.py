"""The iteration of deep conjugate directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opforge.solvers.krylov._directions import Directions
from opforge.solvers.krylov._run import Run
from opforge.solvers.krylov._system import linear_system
from opforge.solvers.krylov.cg import INDEFINITE
from opforge.solvers.krylov.fcg import NO_GAIN
from opforge.solvers.result import SolveResult

_MOST = 2


def dcdm(
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
    """Deep conjugate directions: directions from a network M, made A-orthogonal to the last two, exact line searches.

    d = M(r/‖r‖), d ← d − Σ_k d_k (d_kᴴA d) / (d_kᴴA d_k) over the latest two d_k, x ← x + d (dᴴr) / (dᴴAd),
    r ← b − A x from its definition. M is any function: neither linear nor symmetric, whose results may have any length
    and sign. Two products with A an iteration.

    Args:
        A, b, x0, rtol, atol, maxiter, callback: see `cg`.
        M: the network, a function of residuals of norm 1, each system's by itself; or a matrix.

    Returns:
        See `cg`. A breakdown is a direction d without dᴴAd > 0, or one along which nothing becomes better, dᴴr = 0.

    Warns:
        ConvergenceWarning, SingularWarning: see `cg`.

    Raises:
        InputError: see `cg`.

    Example:
        >>> import numpy as np
        >>> A = np.diag(np.arange(1.0, 101))
        >>> result = dcdm(A, np.ones(100), M=lambda r: np.tanh(3 * r) / np.diag(A), rtol=1e-4)
        >>> result.converged, result.iterations < 20
        (True, True)

    Source:
        Kaneda et al., "A deep conjugate direction method for iteratively solving linear systems", algorithm 1.
    """
    system = linear_system(A, b, x0, M, tolerances=(rtol, atol), maxiter=maxiter, callback=callback)
    v, run, earlier = system.vectors, Run(system, symmetric=False), Directions(system.vectors)
    with v.without_gradients():
        x, r = run.start()
        while run.goes_on:
            size = v.norm(r)
            d = run.only_going(system.M(r / v.where(size > 0, size, 1.0)))
            d, q = earlier.orthogonal(d, system.A(d))
            curvature, gain = v.dot(d, q).real, v.dot(d, r)
            x = v.add(x, v.ratio(gain, curvature, run.going & (curvature > 0)), d)
            r = v.where(run.going, system.residual(x), r)
            earlier.keep(d, q, curvature, _MOST)
            run.note(x, r, (abs(gain), NO_GAIN), (curvature, INDEFINITE), exact=True)
        return run.result(x)
