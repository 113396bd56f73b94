"""The Korteweg–de Vries equation: solitary waves that pass through each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import ClassVar

import numpy as np

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes._numbers import axes_of_space, positive
from opforge.pdes._products import square
from opforge.pdes.equation import Field
from opforge.pdes.invariant import Invariant, conserved_mean, conserved_square
from opforge.pdes.semilinear import SemilinearEquation, SpectralForm
from opforge.pdes.symmetry import Symmetry, shifts


@dataclass(frozen=True)
class KortewegDeVries(SemilinearEquation):
    """u_t + 6 u u_x + δ u_xxx = 0 on a periodic interval: long waves on shallow water.

    All quantities are without dimension. A soliton of speed c is (c/2) sech²(√(c/δ) (x − c t)/2).

    Args:
        ndim: 1.
        dispersion: δ > 0.

    Raises:
        InputError: more than one axis, a dispersion that is not positive.

    Example:
        >>> grid = Grid((128,), (40.0,), "periodic")
        >>> float(KortewegDeVries().soliton(grid, [0.0], speed=1.0)["u"].max())
        0.5

    Source:
        Zabusky and Kruskal, "Interaction of solitons in a collisionless plasma and the recurrence of initial states";
        Hirota, "Exact solution of the Korteweg–de Vries equation for multiple collisions of solitons".
    """

    ndim: int = 1
    dispersion: float = 1.0

    name: ClassVar[str] = "korteweg_de_vries"
    fields: ClassVar[tuple[Field, ...]] = (Field("u", "height of the wave"),)
    unknowns: ClassVar[tuple[str, ...]] = ("u",)
    dimensions: ClassVar[tuple[int, ...]] = (1,)
    method: ClassVar[str] = "Fourier, dealiased; ETDRK4"
    order: ClassVar[str] = "spectral in space, 4 in time"
    invariants: ClassVar[tuple[Invariant, ...]] = (conserved_mean("u"), conserved_square("u", "momentum", 1e-4))

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        object.__setattr__(self, "dispersion", positive("dispersion", self.dispersion))

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Shifts. The reflection turns time round."""
        return shifts(self.ndim)

    def spectral(self, wavenumbers: tuple[np.ndarray, ...]) -> SpectralForm:
        (k,) = wavenumbers
        return SpectralForm((1j * self.dispersion * k**3)[None], square, outer=(-3j * k)[None, None])

    def soliton(
        self, grid: Grid, times: Sequence[float] | np.ndarray, speed: float, start: float = 0.25
    ) -> dict[str, np.ndarray]:
        """One soliton, whose centre is at ``start`` (a part of the interval) at time 0 and goes round.

        On an interval that is not infinite it solves the equation up to its tails, e^(−√(c/δ) L/2).

        Returns:
            ``"u"`` (frames, points) and ``"time"``.
        """
        return self.solitons(grid, times, [speed], [start])

    def solitons(
        self, grid: Grid, times: Sequence[float] | np.ndarray, speeds: Sequence[float], starts: Sequence[float]
    ) -> dict[str, np.ndarray]:
        """Solitons that meet: u = 2δ ∂_xx log τ with Hirota's sum τ over all subsets of them.

        Args:
            grid: periodic points on an interval that is long enough for the tails; a single soliton may go round.
            times: at which the solution is wanted.
            speeds: c > 0 of every soliton, all different.
            starts: where each would be at time 0 if those that are slower were not there, as parts of the interval.

        Returns:
            ``"u"`` (frames, points) and ``"time"``.

        Raises:
            InputError: speeds that are not positive and different.
        """
        self.check_grid(grid)
        c, t = np.asarray(speeds, dtype=np.float64), np.asarray(times, dtype=np.float64)
        if not np.all(c > 0) or len(set(c.tolist())) < len(c) or len(starts) != len(c):
            raise InputError(f"speeds must be positive, different and as many as starts, got {speeds} and {starts}")
        (length,), k = grid.lengths, np.sqrt(c / self.dispersion)
        x = grid.coordinates()[0] - grid.origin[0]
        xi = x[:, None] - np.asarray(starts) * length - c * t[:, None, None]  # (frames, points, solitons)
        if len(c) == 1:
            xi = (xi + length / 2) % length - length / 2
        return {"u": self.dispersion * _hirota(k, xi), "time": t}

    def exact(self, grid: Grid, times: Sequence[float] | None = None) -> dict[str, np.ndarray]:
        """A soliton 20 of whose widths fit the interval."""
        t = np.linspace(0.0, 0.1, 5) if times is None else np.asarray(times, dtype=np.float64)
        return self.soliton(grid, t, speed=self.dispersion * (40.0 / grid.lengths[0]) ** 2)


def _hirota(k: np.ndarray, xi: np.ndarray) -> np.ndarray:
    """2 ∂_xx log Σ_S Π_{i<j in S} ((k_i − k_j)/(k_i + k_j))² exp(−Σ_{i in S} k_i ξ_i) over all subsets S of solitons.

    With weights w_S, the terms over their sum, it is twice the variance of Σ_{i in S} k_i.
    """
    subsets = np.array(list(product((0.0, 1.0), repeat=len(k))))
    pairs = np.array(
        [
            sum(2 * np.log(abs(k[i] - k[j]) / (k[i] + k[j])) for i, j in combinations(np.flatnonzero(chosen), 2))
            for chosen in subsets
        ]
    )
    exponents = pairs - (k * xi) @ subsets.T
    weights = np.exp(exponents - exponents.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    sums = subsets @ k
    mean = weights @ sums
    return 2 * np.sum(weights * (sums - mean[..., None]) ** 2, -1)
