"""The Cahn–Hilliard equation: a mixture parts into its two phases, which grow and keep their mass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from opforge.core import Grid
from opforge.pdes._arrays import multiply
from opforge.pdes._numbers import axes_of_space, positive
from opforge.pdes._own_parameters import with_own_parameters
from opforge.pdes._spectral_energy import gradient_energy, mean_over_points
from opforge.pdes.allen_cahn import box_symmetries
from opforge.pdes.equation import Field
from opforge.pdes.invariant import Invariant, conserved_mean, falling
from opforge.pdes.semilinear import SemilinearEquation, SpectralForm, squared_length
from opforge.pdes.symmetry import SignChange, Symmetry

# Part of the nonlinear term, that of small waves on the phases u = ±1, which is solved with the linear part: u³ − u is
# taken apart as 2u + (u³ − 3u). What is left over is not stiff where most of the box is in a phase.
_SHIFT = 2.0


@dataclass(frozen=True)
class CahnHilliard(SemilinearEquation):
    """u_t = Δ(u³ − u − ε² Δu) on a periodic box: ∫ ε²|∇u|²/2 + (1 − u²)²/4 falls, and the mean of u is kept.

    All quantities are without dimension; the mobility is 1.

    Args:
        ndim: axes of space: 1, 2 or 3.
        width: ε > 0, in units of length.

    Raises:
        InputError: another number of axes, a width that is not positive.

    Example:
        >>> grid = Grid.cube(2, 32, points="periodic")
        >>> u = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32))
        >>> bool(abs(CahnHilliard().tendency(u, grid).mean()) < 1e-9)  # the mass is kept
        True

    Source:
        Cahn and Hilliard, "Free energy of a nonuniform system. I. Interfacial free energy".
    """

    ndim: int = 2
    width: float = 0.02

    name: ClassVar[str] = "cahn_hilliard"
    fields: ClassVar[tuple[Field, ...]] = (Field("u", "difference of concentrations"),)
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
        linear = -_SHIFT * square - self.width**2 * square**2
        return SpectralForm(linear[None], _cube_less_linear, outer=-square[None, None])

    @with_own_parameters
    def energy(self, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        """∫ ε²|∇u|²/2 + (1 − u²)²/4 over the volume, of fields (..., *space): an array (...)."""
        u = fields["u"]
        return self.width**2 * gradient_energy(u, grid) + mean_over_points((1 - u**2) ** 2, grid) / 4

    invariants: ClassVar[tuple[Invariant, ...]] = (
        conserved_mean("u", tolerance=1e-12),
        falling("energy", "∫ ε²|∇u|²/2 + (1 − u²)²/4", lambda equation, fields, grid: equation.energy(fields, grid)),
    )


def _cube_less_linear(u: Any, out: Any = None) -> Any:
    """u³ − (1 + s) u."""
    return multiply(u * u - (1 + _SHIFT), u, out)
