"""Random Fourier series: smooth periodic functions of few waves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opforge.core import Grid
from opforge.errors import InputError


@dataclass(frozen=True)
class FourierSeries:
    """u(x) = Σ A_k cos(2π k·x/L + φ_k) over the wavenumbers with components from −K to K, scaled to a given size.

    The waves' amplitudes are independent and standard normal, their phases uniform; the sum is scaled so that
    its root mean square over the box, which is known from the amplitudes, is ``amplitude``. A generator stands for one
    function, whatever the grid.

    Args:
        highest: K, at least 1.
        amplitude: root mean square of every sample, greater than 0.
        decay: a wave's standard deviation is |k|^(−decay); 0 for equal ones.
        mean: what is added.

    Raises:
        InputError: parameters out of range.

    Example:
        >>> law = FourierSeries(highest=3)
        >>> coarse = law.sample(np.random.default_rng(0), Grid.cube(1, 8, points="periodic"))
        >>> fine = law.sample(np.random.default_rng(0), Grid.cube(1, 16, points="periodic"))
        >>> np.allclose(fine[::2], coarse), float(np.mean(fine**2).round(12))
        (True, 1.0)
    """

    highest: int = 5
    amplitude: float = 1.0
    decay: float = 0.0
    mean: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.highest, bool) or not isinstance(self.highest, int) or self.highest < 1:
            raise InputError(f"highest must be a wavenumber of at least 1, got {self.highest!r}")
        if not 0 < self.amplitude < np.inf:
            raise InputError(f"amplitude must be a number greater than 0, got {self.amplitude!r}")

    def sample(self, rng: np.random.Generator, grid: Grid) -> np.ndarray:
        """One sample at the grid's points, a float64 array of its shape.

        Raises:
            InputError: a grid that is not periodic or too coarse for the waves.
        """
        if grid.points != "periodic" or min(grid.shape) < 2 * self.highest + 1:
            raise InputError(
                f"grid must be periodic with at least {2 * self.highest + 1} points per axis for waves up to "
                f"{self.highest}, got {grid.points!r} of shape {grid.shape}"
            )
        k = np.arange(-self.highest, self.highest + 1)
        waves = np.stack(np.meshgrid(*(k,) * grid.ndim, indexing="ij"))
        # one of k and −k, and not 0: the first half in C order
        waves = waves.reshape(grid.ndim, -1)[:, : waves[0].size // 2]
        deviations = np.linalg.norm(waves, axis=0) ** -self.decay
        amplitudes = deviations * rng.standard_normal(waves.shape[1])
        phases = 2 * np.pi * rng.random(waves.shape[1])
        amplitudes *= self.amplitude / np.sqrt(np.sum(amplitudes**2) / 2)
        return self.mean + sum_of_waves(waves, amplitudes * np.exp(1j * phases), grid)


def sum_of_waves(waves: np.ndarray, coefficients: np.ndarray, grid: Grid) -> np.ndarray:
    """Re Σ_j c_j exp(2πi k_j·x/L), axis by axis."""
    size = int(np.abs(waves).max())
    table = np.zeros((2 * size + 1,) * grid.ndim, np.complex128)
    table[tuple(waves + size)] = coefficients
    k = np.arange(-size, size + 1)
    for x, start, length in zip(grid.coordinates(), grid.origin, grid.lengths, strict=True):
        # takes the first axis of wavenumbers away and puts the axis of points last
        table = np.tensordot(table, np.exp(2j * np.pi * np.outer(k, (x - start) / length)), (0, 0))
    return table.real
