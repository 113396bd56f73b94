"""The Allen–Cahn equation: two phases part, and their boundaries move by their curvature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from opforge.core import Grid
from opforge.pdes._numbers import axes_of_space, positive
from opforge.pdes._own_parameters import with_own_parameters
from opforge.pdes._products import cube
from opforge.pdes._spectral_energy import gradient_energy, mean_over_points
from opforge.pdes.equation import Field
from opforge.pdes.invariant import Invariant, falling
from opforge.pdes.semilinear import SemilinearEquation, SpectralForm, squared_length
from opforge.pdes.symmetry import PeriodicReflection, SignChange, Symmetry, Transposition, shifts


@dataclass(frozen=True)
class AllenCahn(SemilinearEquation):
    """u_t = ε² Δu + u − u³ on a periodic box: the steepest descent of ∫ ε²|∇u|²/2 + (1 − u²)²/4.

    All quantities are without dimension. Where phases u = ±1 meet, u changes as tanh(x/(√2 ε)).

    Args:
        ndim: axes of space: 1, 2 or 3.
        width: ε > 0, in units of length.

    Raises:
        InputError: another number of axes, a width that is not positive.

    Example:
        >>> grid = Grid.cube(1, 32, points="periodic")
        >>> bool(abs(AllenCahn(ndim=1).tendency(np.ones((1, 32)), grid)).max() < 1e-12)  # a phase stays
        True

    Source:
        Allen and Cahn, "A microscopic theory for antiphase boundary motion and its application to antiphase domain
        coarsening".
    """

    ndim: int = 2
    width: float = 0.02

    name: ClassVar[str] = "allen_cahn"
    fields: ClassVar[tuple[Field, ...]] = (Field("u", "order parameter"),)
    unknowns: ClassVar[tuple[str, ...]] = ("u",)
    dimensions: ClassVar[tuple[int, ...]] = (1, 2, 3)
    degree: ClassVar[int] = 3
    method: ClassVar[str] = "Fourier, dealiased; ETDRK4"
    order: ClassVar[str] = "spectral in space, 4 in time"

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        object.__setattr__(self, "width", positive("width", self.width))

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Shifts, reflections, transpositions, and the change of sign."""
        return (*box_symmetries(self.ndim), SignChange(("u",)))

    def spectral(self, wavenumbers: tuple[np.ndarray, ...]) -> SpectralForm:
        square = squared_length(wavenumbers)
        return SpectralForm((1 - self.width**2 * square)[None], cube, outer=-np.ones((1, 1, *(1,) * self.ndim)))

    @with_own_parameters
    def energy(self, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        """∫ ε²|∇u|²/2 + (1 − u²)²/4 over the volume, of fields (..., *space): an array (...)."""
        u = fields["u"]
        return self.width**2 * gradient_energy(u, grid) + mean_over_points((1 - u**2) ** 2, grid) / 4

    def exact(self, grid: Grid, times: Sequence[float] | None = None) -> dict[str, np.ndarray]:
        """The uniform solution from u = ½: u² = 1/(1 + 3 e^(−2t))."""
        self.check_grid(grid)
        t = np.linspace(0.0, 1.0, 6) if times is None else np.asarray(times, dtype=np.float64)
        u = 1 / np.sqrt(1 + 3 * np.exp(-2 * t))
        return {"u": u.reshape(-1, *(1,) * grid.ndim) * np.ones(grid.shape), "time": t}

    invariants: ClassVar[tuple[Invariant, ...]] = (
        falling("energy", "∫ ε²|∇u|²/2 + (1 − u²)²/4", lambda equation, fields, grid: equation.energy(fields, grid)),
    )


def box_symmetries(ndim: int) -> tuple[Any, ...]:
    """Shifts, reflections and transpositions of a periodic box, for scalar fields without a sign.

    Example:
        >>> len(box_symmetries(2))
        9
    """
    axes = range(ndim)
    return (
        *shifts(ndim),
        *(PeriodicReflection(axis) for axis in axes),
        *(Transposition(i, j) for i in axes for j in axes if i < j),
    )
