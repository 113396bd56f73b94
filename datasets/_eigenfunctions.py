"""Eigenfunctions of the Laplacian on a box, orthonormal in L², and the fast transforms that sum them on a grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from opforge.core import Grid, dctn, dstn, ifftn
from opforge.errors import InputError

Boundary = Literal["neumann", "dirichlet", "periodic"]

# The kinds of points on which each boundary condition's eigenfunctions have a fast transform.
POINTS = {"neumann": ("cells", "nodes"), "dirichlet": ("cells", "nodes"), "periodic": ("periodic", "cells")}


@dataclass(frozen=True)
class Eigenfunctions:
    """The eigenfunctions of −Δ that a grid resolves.

    With ξ = (x − origin)/L on every axis and up to the factor 1/√(volume):

    - Neumann: products of √2 cos πkξ, and 1 for k = 0; 0 ≤ k < n;
    - Dirichlet: products of √2 sin πkξ; 1 ≤ k ≤ n on cells, 1 ≤ k ≤ n − 2 on nodes;
    - periodic: cos 2πk·ξ + sin 2πk·ξ, the real form of the Fourier series; |k| < n/2, the Nyquist mode left out.

    Args:
        boundary: the boundary condition.
        grid: where they are evaluated; its points must be of a kind in `POINTS`.
        modes: keep only what a grid with this many points per axis resolves; all of them unless given.
    """

    boundary: Boundary
    grid: Grid
    modes: int | None = None

    def __post_init__(self) -> None:
        if self.grid.points not in POINTS[self.boundary]:
            raise InputError(
                f"grid must have points={' or '.join(map(repr, POINTS[self.boundary]))} for a "
                f"{self.boundary} boundary, got {self.grid.points!r}"
            )
        least = 3 if (self.boundary, self.grid.points) == ("dirichlet", "nodes") else 1
        smallest = min(self.grid.shape)
        if smallest < least:
            raise InputError(f"grid must have at least {least} nodes per axis (the ends are 0), got {self.grid.shape}")
        if self.modes is not None and not least <= self.modes <= smallest:
            raise InputError(
                f"modes must lie between {least} and the grid's {smallest} points per axis, got {self.modes}"
            )

    def wavenumbers(self) -> tuple[np.ndarray, ...]:
        """The integers k along every axis; periodic ones in the order 0, 1, …, −2, −1."""
        return tuple(self._wavenumbers(self.modes or n) for n in self.grid.shape)

    def _wavenumbers(self, n: int) -> np.ndarray:
        if self.boundary == "neumann":
            return np.arange(n)
        if self.boundary == "dirichlet":
            return np.arange(1, n + 1 if self.grid.points == "cells" else n - 1)
        highest = (n - 1) // 2
        return np.concatenate([np.arange(highest + 1), np.arange(-highest, 0)])

    def eigenvalues(self) -> np.ndarray:
        """λ_k of −Δ for every mode."""
        unit = 2 * math.pi if self.boundary == "periodic" else math.pi
        axes = zip(self.wavenumbers(), self.grid.lengths, strict=True)
        return np.asarray(sum(np.ix_(*((unit * k / length) ** 2 for k, length in axes))), dtype=np.float64)

    def synthesis(self, coefficients: np.ndarray) -> np.ndarray:
        """The sum Σ_k c_k φ_k at the grid's points.

        Args:
            coefficients: c_k, one for every combination of `wavenumbers`.

        Returns:
            float64 array of the grid's shape.
        """
        grid = self.grid
        cells = grid.points == "cells"
        spectrum = np.zeros(tuple(n - 2 for n in grid.shape) if self._drops_ends else grid.shape)
        first = 1 if self.boundary == "dirichlet" else 0
        # negative wavenumbers count from the end, as the Fourier transform has them
        spectrum[np.ix_(*(k - first for k in self.wavenumbers()))] = coefficients / math.sqrt(math.prod(grid.lengths))
        if self.boundary == "periodic":
            waves = spectrum.astype(np.complex128)
            if cells:  # half a spacing from the points of the transform
                for axis, n in enumerate(grid.shape):
                    k = (np.arange(n) + n // 2) % n - n // 2
                    waves *= np.exp(1j * np.pi * k / n).reshape([-1 if i == axis else 1 for i in range(grid.ndim)])
            waves = ifftn(waves, norm="forward")
            return waves.real + waves.imag
        for axis, n in enumerate(grid.shape):
            spectrum *= self._factors(n).reshape([-1 if i == axis else 1 for i in range(grid.ndim)])
        transform = dctn if self.boundary == "neumann" else dstn
        if cells:
            return transform(spectrum, 2, norm="ortho", inverse=True)
        values = transform(spectrum, 1)
        return np.pad(values, 1) if self._drops_ends else values

    @property
    def _drops_ends(self) -> bool:
        return self.boundary == "dirichlet" and self.grid.points == "nodes"

    def _factors(self, n: int) -> np.ndarray:
        """What turns coefficients of φ_k into those of the transform along an axis with n points."""
        if self.grid.points == "cells":
            factors = np.full(n, math.sqrt(n))
            if self.boundary == "dirichlet":
                factors[-1] *= math.sqrt(2)  # sin πnξ alternates on the cells, where the transform counts it half
            return factors
        if self.boundary == "dirichlet":
            return np.full(n - 2, math.sqrt(0.5))
        factors = np.full(n, math.sqrt(0.5))
        factors[0], factors[-1] = (
            1.0,
            math.sqrt(2),
        )  # the type 1 transform counts the first and last mode once, not twice
        return factors

    def sum_of_squares(self, weights: np.ndarray) -> np.ndarray:
        """Σ_k w_k φ_k² at the grid's points, for w_k that do not depend on the signs of k."""
        grid = self.grid
        total = weights / math.prod(grid.lengths)
        if self.boundary == "periodic":  # φ_k² + φ_{−k}² = 2 everywhere
            return np.full(grid.shape, total.sum())
        function = np.cos if self.boundary == "neumann" else np.sin
        coordinates = zip(grid.coordinates(), grid.origin, grid.lengths, strict=True)
        for axis, ((x, origin, length), k) in enumerate(zip(coordinates, self.wavenumbers(), strict=True)):
            squares = 2 * function(np.pi * np.outer((x - origin) / length, k)) ** 2
            squares[:, k == 0] = 1.0
            total = np.moveaxis(np.tensordot(squares, total, axes=(1, axis)), 0, axis)
        return total
