"""The course of an iteration: which systems go on, when residuals are believed, why they stop, what comes out."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from opforge.solvers.krylov._system import System
from opforge.solvers.krylov._vectors import copied, epsilon
from opforge.solvers.result import ConvergenceWarning, SolveResult

# A residual that the recurrence says is small enough, and the definition does not, must have become this much smaller
# since that happened last; else rounding keeps it where it is.
_LESS = 0.5

# As many iterations without a smaller residual, and at least as many as there are unknowns, are enough: in exact
# arithmetic conjugate gradients end after as many as unknowns.
_PATIENCE = 1000

# Errors in the norm of A become smaller; so residuals grow by the root of A's condition at most, which is below 10⁸ in
# double precision where a solution means anything: 1/ε^(2/3) times is too much.
_GROWTH = -2 / 3

# Where uᴴMv and its adjoint differ by more than this part of ‖u‖‖Mv‖, M is no symmetric matrix up to rounding.
_ASYMMETRY = 1e-3


class Run:
    """Notes on every system, and masks for those that go on.

    Args:
        system: what is solved.
        symmetric: whether the method needs a symmetric M.

    Attributes:
        going: which systems go on, to multiply and choose vectors.
        goes_on: whether any does.
    """

    def __init__(self, system: System, symmetric: bool = True):
        v = system.vectors
        self._system, self._symmetric = system, symmetric
        self._norm_b = v.host(v.norm(system.b))[0]
        self._active = np.ones(v.systems, bool)
        self._converged = np.zeros(v.systems, bool)
        self._broken = np.zeros(v.systems, bool)
        self._reasons = [""] * v.systems
        self._steps = np.zeros(v.systems, int)
        self._checked = np.full(v.systems, np.inf)
        self._best, self._since = np.full(v.systems, np.inf), np.zeros(v.systems, int)
        self._growth = epsilon(system.b) ** _GROWTH
        self._history: list[np.ndarray] = []
        self._residual: Any = None

    @property
    def goes_on(self) -> bool:
        return bool(self._active.any())

    def start(self) -> tuple[Any, Any]:
        """x and b − A x at the start; systems that x solves go no further."""
        s, v = self._system, self._system.vectors
        x = s.x
        r = s.residual(x) if bool((x != 0).any()) else copied(s.b)
        norms = v.host(v.norm(r))[0]
        self._history.append(norms)
        self._stop(~np.isfinite(norms), "A x0 is not finite", broken=True)
        self._finish(norms)
        self.going = v.mask(self._active)
        return x, r

    def only_going(self, p: Any) -> Any:
        """Directions, 0 in systems that have stopped: their solutions and residuals stay as they are."""
        return p if self._active.all() else self._system.vectors.where(self.going, p, 0.0)

    def note(self, x: Any, r: Any, *positive: tuple[Any, str], exact: bool = False) -> tuple[Any, Any]:
        """Take note of an iteration that led to x and the residual r.

        Args:
            x, r: the solution and its residual, by recurrence unless ``exact``.
            positive: numbers that must be greater than 0, with what is wrong where they are not.
            exact: whether r was computed from its definition.

        Returns:
            The residuals, computed anew where they claimed to be small enough; and which systems must start again from
            them, None where none must.
        """
        v, before = self._system.vectors, int(self._active.sum())
        norms, *numbers = v.host(v.norm(r), *(number for number, _ in positive))
        self._steps[self._active] += 1
        moved = self._active.copy()
        for number, (_, why) in zip(numbers, positive, strict=True):
            self._stop(~((number > 0) & np.isfinite(number)), why, broken=True)
        self._stop(~np.isfinite(norms), "the residual is not finite", broken=True)
        again, claims = None, self._active & (norms <= self._system.tolerance)
        if claims.any() and not exact:
            r, norms, again = self._verified(x, r, claims, norms)
        self._finish(norms)
        self._notice_stagnation(norms)
        self._history.append(np.where(moved & np.isfinite(norms), norms, self._history[-1]))
        if self._system.callback is not None:
            self._system.callback(self._system.finish(copied(x)))
        if len(self._history) > self._system.maxiter:
            self._stop(self._active, f"maxiter={self._system.maxiter} was reached")
        if int(self._active.sum()) != before:
            self.going = v.mask(self._active)
        return r, again

    def _verified(self, x: Any, r: Any, claims: np.ndarray, norms: np.ndarray) -> tuple[Any, np.ndarray, Any]:
        v = self._system.vectors
        r = v.where(v.mask(claims), self._system.residual(x), r)
        norms = v.host(v.norm(r))[0]
        short = claims & ~(norms <= self._system.tolerance)
        self._stop(
            short & ~(norms <= _LESS * self._checked), "rounding keeps the residual from becoming smaller; raise rtol"
        )
        self._checked = np.where(short, norms, self._checked)
        short &= self._active
        return r, norms, v.mask(short) if short.any() else None

    def _notice_stagnation(self, norms: np.ndarray) -> None:
        too_large = norms > self._growth * self._best
        self._stop(too_large, "residuals grow without bound: A is singular, or A or M is not symmetric", broken=True)
        better = norms < self._best
        self._best = np.where(better, norms, self._best)
        self._since = np.where(better, 0, self._since + 1)
        patience = max(_PATIENCE, self._system.vectors.size)
        self._stop(self._since > patience, f"the residual has not become smaller for {patience} iterations")

    def _finish(self, norms: np.ndarray) -> None:
        done = self._active & (norms <= self._system.tolerance)
        self._converged |= done
        self._active &= ~done

    def _stop(self, which: np.ndarray, why: str, broken: bool = False) -> None:
        which = which & self._active
        if not which.any():
            return
        for number in np.flatnonzero(which):
            self._reasons[number] = why
        if broken:
            self._broken |= which
        self._active &= ~which

    def stop(self, numbers: Any, why: str) -> None:
        """Systems that the method itself knows to be as good as they become: those where ``numbers`` are > 0."""
        v = self._system.vectors
        self._stop(v.host(numbers)[0] > 0, why)
        self.going = v.mask(self._active)

    def result(self, x: Any) -> SolveResult:
        """What the caller gets, the last residuals of systems that have not converged from their definition."""
        s, v = self._system, self._system.vectors
        if not self._converged.all():
            r = s.residual(x)
            norms = v.host(v.norm(r))[0]
            self._history[-1] = np.where(self._converged, self._history[-1], norms)
            self._converged |= norms <= s.tolerance
            if not self._converged.all():
                self._suspect_preconditioner(r)
        residuals = np.array(self._history) / np.where(self._norm_b > 0, self._norm_b, 1.0)
        left = np.flatnonzero(~self._converged)
        many = v.layout != "vector" and s.finish(x).shape == x.shape
        reason = self._reasons[left[0]] if len(left) else ""
        if many and len(left):
            reason = f"{len(left)} of {v.systems} systems, the first of them number {left[0]}: {reason}"
        result = SolveResult(
            x=s.finish(x),
            converged=not len(left),
            iterations=len(self._history) - 1,
            residuals=residuals if many else residuals[:, 0],
            reason=reason,
            breakdown=bool(len(left) and self._broken[left].all()),
            converged_each=self._converged if many else None,
            iterations_each=self._steps if many else None,
        )
        if not result.converged:
            warnings.warn(f"{result!r}"[len("SolveResult(") : -1], ConvergenceWarning, stacklevel=3)
        return result

    def _suspect_preconditioner(self, r: Any) -> None:
        """Where no definite reason is known, say so if M is not symmetric: conjugate gradients then go nowhere."""
        s, v = self._system, self._system.vectors
        unclear = ~self._converged & ~self._broken
        if not (self._symmetric and s.preconditioned and unclear.any()):
            return
        Mb, Mr = s.M(s.b), s.M(r)
        one, other = v.dot(s.b, Mr), v.dot(Mb, r)
        size = v.norm(s.b) * v.norm(Mr) + v.norm(Mb) * v.norm(r)
        difference, size = v.host(abs(one - other), size)
        for number in np.flatnonzero(unclear & (difference > _ASYMMETRY * size)):
            self._reasons[number] += "; M is not symmetric: see opforge.solvers.symmetry_error, or use fcg"
