"""What a linear solver hands back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np


class ConvergenceWarning(UserWarning):
    """A linear system whose solution does not reach the tolerance; the text says how far it came, and why."""


class PreconditionerWarning(UserWarning):
    """A preconditioner that makes things worse than the diagonal alone does; the text says by how much."""


class SingularWarning(UserWarning):
    """A matrix that takes constants to 0: the solution is determined up to a constant, which is chosen."""


@dataclass(frozen=True, repr=False)
class SolveResult:
    """The solution of a linear system, or of many at once; unpacks as ``x, info`` in scipy's manner.

    Args:
        x: the solution.
        converged: whether the tolerance was reached, by all systems if there are many.
        iterations: how many iterations were done, for the slowest system if there are many.
        residuals: relative residuals ‖b − A x_k‖ / ‖b‖, the start's first; the last one belongs to ``x`` and is
            computed from the definition, not by the iteration's recurrence. (iterations + 1,), or with many systems
            (iterations + 1, systems), where those of a system that has stopped repeat its last.
        reason: why the tolerance was not reached, "" where it was.
        breakdown: whether the iteration could not go on: a matrix or a preconditioner that is not positive definite,
            numbers that are not finite.
        converged_each: with many systems, whether each reached the tolerance, (systems,).
        iterations_each: with many systems, the iterations of each, (systems,).

    Example:
        >>> x, info = SolveResult(np.ones(2), True, 1, np.array([1.0, 0.0]))
        >>> info
        0
        >>> SolveResult(np.ones(2), False, 9, np.array([1.0, 0.03]), "maxiter was reached")
        SolveResult(NOT converged after 9 iterations, relative residual 3.0e-02: maxiter was reached)
    """

    x: Any
    converged: bool
    iterations: int
    residuals: np.ndarray
    reason: str = ""
    breakdown: bool = False
    converged_each: np.ndarray | None = None
    iterations_each: np.ndarray | None = None

    @property
    def info(self) -> int:
        """0 when converged, -1 after a breakdown, else the number of iterations (at least 1)."""
        if self.converged:
            return 0
        return -1 if self.breakdown else max(self.iterations, 1)

    @property
    def residual(self) -> float:
        """The relative residual of ``x``, the largest of many systems."""
        return float(np.max(self.residuals[-1]))

    def __iter__(self) -> Iterator:
        return iter((self.x, self.info))

    def __getitem__(self, number: int) -> Any:
        return (self.x, self.info)[number]

    def __len__(self) -> int:
        return 2

    def __repr__(self) -> str:
        many = "" if self.converged_each is None else f"{len(self.converged_each)} systems, "
        state = "converged after" if self.converged else "NOT converged after"
        why = f": {self.reason}" if self.reason else ""
        text = f"{many}{state} {self.iterations} iterations, relative residual {self.residual:.1e}{why}"
        return f"SolveResult({text})"
