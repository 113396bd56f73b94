"""Flexible conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opforge.solvers.krylov._directions import Directions
from opforge.solvers.krylov._run import Run
from opforge.solvers.krylov._system import linear_system
from opforge.solvers.krylov.cg import INDEFINITE
from opforge.solvers.result import SolveResult

# Notay's truncation and restart: as many directions at most.
_MOST = 5

NO_GAIN = "the direction that M gives is orthogonal to the residual, or not finite"


def fcg(
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
    """Conjugate gradients for preconditioners that are not linear, not symmetric, or change: flexible, truncated.

    dᵢ = zᵢ − Σ_k d_k (d_kᴴA zᵢ) / (d_kᴴA d_k) with zᵢ = M(rᵢ), over the latest 1 + (i − 1) mod 5 directions; an exact
    line search along dᵢ. With a fixed, Hermitian, positive definite M the iterates are those of `cg`. Where M is only
    roughly that, as a network, an inner iteration, a float32 multigrid are, it still converges; 10 more vectors are
    kept.

    Args:
        A, b, x0, rtol, atol, maxiter, callback: see `cg`.
        M: any function of residuals, or a matrix, close to A⁻¹. A direction that goes up is turned round.

    Returns:
        See `cg`. A breakdown is a direction d without dᴴAd > 0, or one along which nothing becomes better, dᴴr = 0.

    Warns:
        ConvergenceWarning, SingularWarning: see `cg`.

    Raises:
        InputError: see `cg`.

    Example:
        >>> import numpy as np
        >>> A = np.diag(np.arange(1.0, 101))
        >>> rough = lambda r: r / np.diag(A) * (1 + 0.3 * np.sin(1e3 * r))  # not linear
        >>> result = fcg(A, np.ones(100), M=rough, rtol=1e-8)
        >>> result.converged, result.iterations < 20
        (True, True)

    Source:
        Notay, "Flexible conjugate gradients", algorithm FCG(m) with its truncation and restart.
    """
    system = linear_system(A, b, x0, M, tolerances=(rtol, atol), maxiter=maxiter, callback=callback)
    v, run, earlier = system.vectors, Run(system, symmetric=False), Directions(system.vectors)
    with v.without_gradients():
        x, r = run.start()
        number = 0
        while run.goes_on:
            z = run.only_going(system.M(r))
            d, q = earlier.orthogonal(z, system.A(z))
            curvature, gain = v.dot(d, q).real, v.dot(d, r)
            alpha = v.ratio(gain, curvature, run.going & (curvature > 0))
            x = v.add(x, alpha, d)
            r = r - alpha * q  # not in place: M may have given r itself, which is kept as a direction
            earlier.keep(d, q, curvature, 1 + number % _MOST)
            number += 1
            r, _ = run.note(x, r, (abs(gain), NO_GAIN), (curvature, INDEFINITE))
        return run.result(x)
