"""What a linear solver hands back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SolveResult:
    """The solution of a linear system; unpacks as ``x, info`` in scipy's manner.

    Args:
        x: the solution.
        converged: whether the tolerance was reached.
        iterations: how many iterations were done.
        residuals: relative residuals ‖b − A x_k‖ / ‖b‖, the start's first; the last one belongs to ``x`` and is
            computed from the definition, not by the iteration's recurrence.

    Example:
        >>> x, info = SolveResult(np.ones(2), True, 1, np.array([1.0, 0.0]))
        >>> info
        0
    """

    x: np.ndarray
    converged: bool
    iterations: int
    residuals: np.ndarray

    @property
    def info(self) -> int:
        """0 when converged, else the number of iterations (at least 1)."""
        return 0 if self.converged else max(self.iterations, 1)

    @property
    def residual(self) -> float:
        """The relative residual of ``x``."""
        return float(self.residuals[-1])

    def __iter__(self) -> Iterator:
        return iter((self.x, self.info))
