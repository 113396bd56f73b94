"""Sums of random Gaussian bumps in a box: smooth fields of a few large hills."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opforge.core import Grid
from opforge.errors import InputError


@dataclass(frozen=True)
class Bumps:
    """Σ_i exp(−|x − m_i|²/s_i) with centres m_i uniform in the box and s_i uniform between bounds.

    A generator stands for one function, whatever the grid.

    Args:
        count: how many bumps.
        spreads: bounds of s_i, in parts of the square of the shortest side.

    Raises:
        InputError: parameters out of range.

    Example:
        >>> u = Bumps().sample(np.random.default_rng(0), Grid.cube(2, 32))
        >>> u.shape, bool(0 < u.min() and u.max() < 5)
        ((32, 32), True)

    Source:
        Takamoto et al., "PDEBench: An Extensive Benchmark for Scientific Machine Learning": the published script of its
        Darcy flow has five, with spreads up to a half.
    """

    count: int = 5
    spreads: tuple[float, float] = (0.0, 0.5)

    def __post_init__(self) -> None:
        if isinstance(self.count, bool) or not isinstance(self.count, int) or self.count < 1:
            raise InputError(f"count must be a whole number of at least 1, got {self.count!r}")
        if not 0 <= self.spreads[0] < self.spreads[1] < np.inf:
            raise InputError(f"spreads must be a lower and a higher number of at least 0, got {self.spreads!r}")

    def sample(self, rng: np.random.Generator, grid: Grid) -> np.ndarray:
        """One sample at the grid's points, a float64 array of its shape, from 0 to ``count``."""
        found, side = np.zeros(grid.shape), min(grid.lengths)
        low, high = self.spreads
        for _ in range(self.count):
            centre = rng.random(grid.ndim)
            spread = side**2 * (high - (high - low) * rng.random())  # never 0
            bump = np.ones((1,) * grid.ndim)
            for axis, (x, start, length) in enumerate(zip(grid.coordinates(), grid.origin, grid.lengths, strict=True)):
                factor = np.exp(-((x - start - centre[axis] * length) ** 2) / spread)
                bump = bump * factor.reshape([-1 if i == axis else 1 for i in range(grid.ndim)])
            found += bump
        return found

    def mean(self, ndim: int) -> float:
        """The expectation of a sample's mean over the unit box.

        Of one bump it is I(s)^d, where I(s) = ∫₀¹ 2(1 − r) e^(−r²/s) dr for two places at the distance r on an axis.

        Example:
            >>> samples = [Bumps().sample(np.random.default_rng(i), Grid.cube(2, 16)).mean() for i in range(400)]
            >>> bool(abs(np.mean(samples) - Bumps().mean(2)) < 0.1)
            True
        """
        from scipy.special import erf

        nodes, weights = np.polynomial.legendre.leggauss(64)
        low, high = np.sqrt(self.spreads)
        root = low + (high - low) * (nodes + 1) / 2  # √s, in which the integrand is smooth
        along = np.sqrt(np.pi) * root * erf(1 / root) - root**2 * -np.expm1(-1 / root**2)
        weights = weights / 2 * (high - low) * 2 * root / (high**2 - low**2)
        return float(self.count * np.sum(weights * along**ndim))
