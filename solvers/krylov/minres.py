"""Minimal residuals, for matrices that are symmetric and not definite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from opforge.solvers.krylov._run import Run
from opforge.solvers.krylov._system import System, linear_system
from opforge.solvers.krylov._vectors import Vectors, epsilon, zeros_like
from opforge.solvers.result import SolveResult

_INDEFINITE_M = "M is not positive definite, or not finite: rᴴMr > 0 is wrong for a vector r"
_LEAST_SQUARES = "A is singular and no x has A x = b; x makes the residual as small as it becomes"
_NOT_FINITE = "A times a vector is not finite"

# Rounding, in units of the precision, below which a Krylov space ends.
_ROUNDING = 64

# So many iterations that make the residual smaller by less than ε^(2/3) of it, with ‖Aᴴr‖ ≤ ε^(1/3) ‖A‖‖r‖, and it is
# the least. More than one, for residuals of indefinite systems may stay as they are in every other iteration; no more,
# for rounding then leads x away.
_STILL = 6


def minres(
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
    """Solve A x = b, A Hermitian, definite or not, to ‖b − A x‖ ≤ max(rtol ‖b‖, atol), by minimal residuals.

    x_k makes the residual's norm, √(rᴴMr) with a preconditioner, as small as it can be in the Krylov space. Unlike
    scipy's, which stops at ‖r‖ ≤ rtol ‖A‖‖x‖ with estimates of both, it stops at the true residual; and it takes atol,
    and complex Hermitian matrices.

    Args:
        A, b, x0, rtol, atol, callback: see `cg`.
        maxiter: most iterations, 5 n unless given.
        M: approximates |A|⁻¹, Hermitian and positive definite.

    Returns:
        See `cg`. Of a singular system that has no solution, the x with the smallest residual, with ``converged`` False.

    Warns:
        ConvergenceWarning, SingularWarning: see `cg`.

    Raises:
        InputError: see `cg`.

    Example:
        >>> import numpy as np
        >>> A = np.diag(np.array([-3.0, -1.0, 2.0, 5.0]))
        >>> result = minres(A, np.ones(4), rtol=1e-10)
        >>> result.converged, result.iterations, result.x.round(3).tolist()
        (True, 4, [-0.333, -1.0, 0.5, 0.2])

    Source:
        Paige and Saunders, "Solution of sparse indefinite systems of linear equations".
    """
    system = linear_system(A, b, x0, M, tolerances=(rtol, atol), maxiter=maxiter, callback=callback, most=5)
    v, run = system.vectors, Run(system)
    with v.without_gradients():
        x, r = run.start()
        state = _State.begin(system, r)
        while run.goes_on:
            step, positive, stuck = state.advance(system, run)
            finite = state.alpha == state.alpha
            x = x + v.where(run.going & finite, step, 0.0)
            r = v.where(run.going, state.r, r)
            r, again = run.note(x, r, (1.0 * finite, _NOT_FINITE), (positive, _INDEFINITE_M))
            if again is not None:
                state = state.where(v, again, _State.begin(system, r))
            if run.goes_on and again is None:
                run.stop(1.0 * (stuck & run.going), _LEAST_SQUARES)
        return run.result(x)


@dataclass
class _State:
    """What an iteration leaves to the next one; the names are those of the source.

    Lanczos' vectors u, the last and the one before, times their lengths β; y = M u; the directions w; the rotations.
    """

    u: Any
    u_before: Any
    y: Any
    w: Any
    w_before: Any
    r: Any
    beta: Any
    beta_before: Any
    phi: Any
    delta: Any
    epsilon: Any
    cosine: Any
    sine: Any
    alpha: Any
    size: Any
    still: Any

    @classmethod
    def begin(cls, system: System, r: Any) -> _State:
        v = system.vectors
        y = system.M(r)
        square = v.dot(r, y).real
        beta = v.where(square > 0, square, 0.0) ** 0.5
        none, zero = zeros_like(r), 0 * beta
        return cls(r, none, y, none, none, r, beta, zero, beta, zero, zero, zero - 1, zero, zero, zero, zero)

    def where(self, v: Vectors, again: Any, fresh: _State) -> _State:
        """The fresh state in systems that start again, this one in the others."""
        parts = (v.where(again, getattr(fresh, f.name), getattr(self, f.name)) for f in fields(self))
        return _State(*parts)

    def advance(self, system: System, run: Run) -> tuple[Any, Any, Any]:
        """What is added to x; numbers that are > 0 unless M is at fault; which systems have reached a least square."""
        v = system.vectors
        some = run.going & (self.beta > 0)
        q = v.ratio(self.y, self.beta, some)
        Aq = system.A(q) - v.ratio(self.beta, self.beta_before, some & (self.beta_before > 0)) * self.u_before
        self.alpha = v.dot(q, Aq).real
        u = Aq - v.ratio(self.alpha, self.beta, some) * self.u
        y = run.only_going(system.M(u))
        square = v.dot(u, y).real
        largest = self.alpha**2 + self.beta_before**2 + v.where(square > 0, square, 0.0)
        self.size = v.where(largest > self.size, largest, self.size)
        tiny = _ROUNDING * epsilon(u)
        # the space has come to its end where the next vector is one of rounding
        beta = v.where(square > tiny**2 * self.size, square, 0.0) ** 0.5
        root = self._rotate(v, beta, u, q)
        self.u_before, self.u, self.y = self.u, u, y
        self.beta_before, self.beta = self.beta, beta
        fine = (self.beta_before > 0) & (square >= -(tiny * self.size))
        self.still = v.where(self.sine >= 1 - epsilon(u) ** (2 / 3), self.still + 1, 0 * self.still)
        small = root <= (epsilon(u) ** (1 / 3)) * self.size**0.5
        return self._step, 1.0 * fine, small & (self.still >= _STILL)

    def _rotate(self, v: Vectors, beta: Any, u: Any, q: Any) -> Any:
        """Turn the last column of the tridiagonal matrix; √((φ⁻)² + …) of it tells how small A r is to r."""
        before, self.epsilon = self.epsilon, self.sine * beta
        delta = self.cosine * self.delta + self.sine * self.alpha
        gamma_bar = self.sine * self.delta - self.cosine * self.alpha
        self.delta = -self.cosine * beta
        root = (gamma_bar**2 + self.delta**2) ** 0.5
        gamma = (gamma_bar**2 + beta**2) ** 0.5
        whole = gamma > _ROUNDING * epsilon(u) * self.size**0.5
        self.cosine, self.sine = v.ratio(gamma_bar, gamma, whole), v.where(whole, v.ratio(beta, gamma, whole), 1.0)
        tau, self.phi = self.cosine * self.phi, self.sine * self.phi
        w = v.ratio(q - before * self.w_before - delta * self.w, gamma, whole)
        self.w_before, self.w = self.w, w
        self.r = self.sine**2 * self.r - v.ratio(self.phi * self.cosine, beta, beta > 0) * u
        self._step = tau * w
        return root
