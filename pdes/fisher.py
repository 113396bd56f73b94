"""The equation of Fisher, Kolmogorov, Petrovsky and Piskunov: a population that grows and spreads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from opforge.core import Grid
from opforge.pdes._numbers import axes_of_space, not_negative, positive
from opforge.pdes._products import square
from opforge.pdes.allen_cahn import box_symmetries
from opforge.pdes.equation import Field
from opforge.pdes.invariant import Invariant, within
from opforge.pdes.semilinear import SemilinearEquation, SpectralForm, squared_length
from opforge.pdes.symmetry import Symmetry


@dataclass(frozen=True)
class Fisher(SemilinearEquation):
    """u_t = D Δu + r u (1 − u) on a periodic box, 0 <= u <= 1.

    All quantities are without dimension. Fronts travel at a speed of 2√(rD) or more.

    Args:
        ndim: axes of space: 1, 2 or 3.
        diffusivity: D >= 0.
        rate: r > 0.

    Raises:
        InputError: another number of axes, a negative diffusivity, a rate that is not positive.

    Example:
        >>> float(Fisher(ndim=1).exact(Grid((8,), points="periodic"))["u"][0, 0])
        0.5

    Source:
        Fisher, "The wave of advance of advantageous genes"; Ablowitz and Zeppetella, "Explicit solutions of Fisher's
        equation for a special wave speed".
    """

    ndim: int = 2
    diffusivity: float = 1e-3
    rate: float = 1.0

    name: ClassVar[str] = "fisher"
    fields: ClassVar[tuple[Field, ...]] = (Field("u", "density of the population"),)
    unknowns: ClassVar[tuple[str, ...]] = ("u",)
    dimensions: ClassVar[tuple[int, ...]] = (1, 2, 3)
    method: ClassVar[str] = "Fourier, dealiased; ETDRK4"
    order: ClassVar[str] = "spectral in space, 4 in time"
    invariants: ClassVar[tuple[Invariant, ...]] = (within("u", 0.0, 1.0),)

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        object.__setattr__(self, "diffusivity", not_negative("diffusivity", self.diffusivity))
        object.__setattr__(self, "rate", positive("rate", self.rate))

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Shifts, reflections, transpositions."""
        return box_symmetries(self.ndim)

    def spectral(self, wavenumbers: tuple[np.ndarray, ...]) -> SpectralForm:
        linear = self.rate - self.diffusivity * squared_length(wavenumbers)
        return SpectralForm(linear[None], square, outer=np.full((1, 1, *(1,) * self.ndim), -self.rate))

    def front(self, grid: Grid, times: Sequence[float]) -> dict[str, np.ndarray]:
        """Two fronts along x that leave the middle at the speed 5√(rD/6), each 1/(1 + e^{ξ√(r/6D)})²; to their tails.

        Returns:
            ``"u"`` (frames, *space) and ``"time"``.
        """
        self.check_grid(grid)
        t = np.asarray(times, dtype=np.float64)
        distance = np.abs(grid.mesh()[0] - grid.origin[0] - grid.lengths[0] / 2) - grid.lengths[0] / 4
        xi = distance - 5 * np.sqrt(self.rate * self.diffusivity / 6) * t.reshape(-1, *(1,) * grid.ndim)
        with np.errstate(over="ignore"):
            u = (1 + np.exp(xi * np.sqrt(self.rate / (6 * self.diffusivity)))) ** -2.0
        return {"u": u, "time": t}

    def exact(self, grid: Grid, times: Sequence[float] | None = None) -> dict[str, np.ndarray]:
        """The uniform solution from u = ½: 1/(1 + e^(−rt))."""
        self.check_grid(grid)
        t = np.linspace(0.0, 1.0, 6) if times is None else np.asarray(times, dtype=np.float64)
        u = 1 / (1 + np.exp(-self.rate * t))
        return {"u": u.reshape(-1, *(1,) * grid.ndim) * np.ones(grid.shape), "time": t}
