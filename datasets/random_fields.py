"""Gaussian random fields as functions: a seed gives the same function on every grid, up to the modes it resolves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from opforge.core import Grid
from opforge.datasets._eigenfunctions import POINTS, Boundary, Eigenfunctions
from opforge.datasets.arguments import numbers
from opforge.errors import InputError


@dataclass(frozen=True)
class GaussianField:
    """The law N(0, σ²(−Δ + τ²I)^(−α)) on a box, in one to three dimensions.

    Its samples are the Karhunen–Loève sums v(x) = Σ_k σ (λ_k + τ²)^(−α/2) z_k φ_k(x) with independent standard normal
    z_k and the eigenpairs (λ_k, φ_k) of −Δ under the boundary condition, orthonormal in L² of the box. A grid keeps
    the modes that it resolves. The z_k are drawn in shells of growing max |k|, so that a mode has the same z_k on every
    grid: a seed stands for one function, to which a finer grid adds finer modes.

    Args:
        alpha: smoothness α, greater than half the number of axes (or the variance at a point is infinite).
        tau: inverse correlation length τ >= 0; 0 only where the constant mode is left out.
        sigma: amplitude σ > 0.
        boundary: ``"neumann"``, ``"dirichlet"`` or ``"periodic"``. The first two live on cells and nodes, the last on
            periodic points and cells.
        constant_mode: whether the mode k = 0 belongs to the field; without it the mean over the box is 0. Dirichlet
            fields have no such mode.

    Raises:
        InputError: parameters out of range.

    Example:
        >>> law = GaussianField(alpha=2.0, tau=3.0)
        >>> coarse = law.sample(np.random.default_rng(0), Grid.cube(2, 32))
        >>> fine = law.sample(np.random.default_rng(0), Grid.cube(2, 96), modes=32)
        >>> np.allclose(fine[1::3, 1::3], coarse)  # every third cell centre coincides
        True

    Source:
        Li et al., "Fourier Neural Operator for Parametric Partial Differential Equations", appendix A.3, uses it with
        Neumann conditions, τ = 3, α = 2 and without the constant mode.
    """

    alpha: float = 2.0
    tau: float = 3.0
    sigma: float = 1.0
    boundary: Boundary = "neumann"
    constant_mode: bool = True

    def __post_init__(self) -> None:
        if self.boundary not in POINTS:
            raise InputError(f"boundary must be one of {', '.join(POINTS)}, got {self.boundary!r}")
        for name in ("alpha", "sigma", "tau"):
            object.__setattr__(self, name, numbers(name, (getattr(self, name),), 1)[0])
        for name in ("alpha", "sigma"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} must be positive and finite, got {getattr(self, name)!r}")
        if not 0 <= self.tau < math.inf:
            raise InputError(f"tau must be >= 0 and finite, got {self.tau!r}")
        if self.tau == 0 and self.constant_mode and self.boundary != "dirichlet":
            raise InputError("tau must be > 0 where the field has a constant mode; set constant_mode=False to use 0")

    def sample(self, rng: np.random.Generator, grid: Grid, *, modes: int | None = None) -> np.ndarray:
        """One sample at the grid's points.

        Args:
            rng: where the normals come from.
            grid: points of a kind that the boundary condition has.
            modes: keep only what a grid with this many points per axis resolves; all unless given. The same ``modes``
                on two grids give one and the same function, exactly.

        Returns:
            float64 array of the grid's shape.

        Raises:
            InputError: points of another kind, ``modes`` out of range, an ``alpha`` too small for the grid's axes.
        """
        basis = self._basis(grid, modes)
        z = _nested_normals(rng, basis.wavenumbers())
        return basis.synthesis(self._deviations(basis) * z)

    def variance(self, grid: Grid, *, modes: int | None = None) -> np.ndarray:
        """The variance at the grid's points, Σ_k σ² (λ_k + τ²)^(−α) φ_k(x)² over the modes that `sample` keeps.

        Raises:
            InputError: as in `sample`.

        Example:
            >>> law = GaussianField(boundary="periodic")
            >>> float(law.variance(Grid.cube(1, 64, points="periodic"))[0].round(4))
            0.0133
        """
        basis = self._basis(grid, modes)
        return basis.sum_of_squares(self._deviations(basis) ** 2)

    def _deviations(self, basis: Eigenfunctions) -> np.ndarray:
        """Standard deviations σ (λ_k + τ²)^(−α/2) of the coefficients."""
        eigenvalues = basis.eigenvalues() + self.tau**2
        if not self.constant_mode and self.boundary != "dirichlet":
            eigenvalues[(0,) * eigenvalues.ndim] = np.inf
        return self.sigma * eigenvalues ** (-self.alpha / 2)

    def _basis(self, grid: Grid, modes: int | None) -> Eigenfunctions:
        if self.alpha <= grid.ndim / 2:
            raise InputError(
                f"alpha must be greater than {grid.ndim / 2:g} in {grid.ndim} dimensions (else the variance grows "
                f"without bound as the grid is refined), got {self.alpha}"
            )
        return Eigenfunctions(self.boundary, grid, modes)


@lru_cache(maxsize=32)
def field_of_size(
    size: float, alpha: float, tau: float, lengths: tuple[float, ...] = (1.0,), boundary: Boundary = "neumann"
) -> GaussianField:
    """The `GaussianField` whose root mean square over a box is ``size``, as far as 64 modes per axis have it.

    Args:
        size: greater than 0.
        alpha, tau, boundary: of the field.
        lengths: of the box.

    Example:
        >>> law = field_of_size(2.0, alpha=3.0, tau=7.0, lengths=(1.0, 1.0))
        >>> u = [law.sample(np.random.default_rng(i), Grid.cube(2, 32)) for i in range(100)]
        >>> bool(1.8 < np.sqrt(np.mean(np.square(u))) < 2.2)
        True
    """
    grid = Grid((64,) * len(lengths), lengths, POINTS[boundary][0])
    whole = float(np.sqrt(GaussianField(alpha, tau, boundary=boundary).variance(grid).mean()))
    return GaussianField(alpha, tau, size / whole, boundary=boundary)


def law_boundary(boundary: str) -> Boundary:
    """The boundary condition of random media and sources: periodic where the equation is, else that of cosines.

    Example:
        >>> law_boundary("dirichlet"), law_boundary("periodic")
        ('neumann', 'periodic')
    """
    return "periodic" if boundary == "periodic" else "neumann"


def threshold(field: np.ndarray, high: float = 12.0, low: float = 3.0) -> np.ndarray:
    """The two-valued field: ``high`` where ``field`` >= 0, else ``low``.

    Example:
        >>> threshold(np.array([-0.5, 0.0, 0.5])).tolist()
        [3.0, 12.0, 12.0]
    """
    return np.where(field >= 0, high, low)


def _nested_normals(rng: np.random.Generator, wavenumbers: tuple[np.ndarray, ...]) -> np.ndarray:
    """Standard normals, one for every mode; the modes max |k| <= K take the same ones whatever else is drawn.

    On a grid with unequal axes the shells of the longest axis are drawn in full and what is not needed is dropped.
    """
    longest = max(wavenumbers, key=len)
    shape = (len(longest),) * len(wavenumbers)
    order = _shell_order(len(longest), len(wavenumbers), signed=bool(longest.min() < 0))
    z = np.empty(shape)
    z.ravel()[order] = rng.standard_normal(z.size)
    # periodic axes keep both ends, k = 0, 1, … and …, −2, −1: negative wavenumbers count from the end
    first = min(int(longest[0]), 1)
    return z[np.ix_(*(k - first for k in wavenumbers))]


@lru_cache(maxsize=4)
def _shell_order(count: int, ndim: int, *, signed: bool) -> np.ndarray:
    """Flat positions of a cube of modes in the order in which they are drawn: by max |k|, then by k along x, y, z."""
    k = np.arange(count)
    if signed:
        k[(count + 1) // 2 :] -= count
    axes = np.meshgrid(*(k,) * ndim, indexing="ij")
    shell = np.max(np.abs(axes), axis=0)
    return np.lexsort([axis.ravel() for axis in (*axes[::-1], shell)])
