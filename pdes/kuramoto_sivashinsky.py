"""The Kuramoto–Sivashinsky equation: waves that grow long, break down short, and become chaos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from opforge.pdes._numbers import axes_of_space, positive
from opforge.pdes._products import square
from opforge.pdes.equation import Field
from opforge.pdes.invariant import Invariant, conserved_mean
from opforge.pdes.semilinear import SemilinearEquation, SpectralForm
from opforge.pdes.symmetry import PeriodicReflection, Symmetry, shifts


@dataclass(frozen=True)
class KuramotoSivashinsky(SemilinearEquation):
    """u_t + u u_x + u_xx + ν u_xxxx = 0 on a periodic interval, whose length sets how chaotic it is.

    All quantities are without dimension. Waves longer than 2π√ν grow, the fastest 2π√(2ν) long; with ν = 1 the
    chaos has about one positive Lyapunov exponent per 22 units of length. An interval of length L is like one of
    L/√ν with ν = 1.

    Args:
        ndim: 1.
        viscosity: ν > 0, of the short waves.

    Raises:
        InputError: more than one axis, a viscosity that is not positive.

    Example:
        >>> from opforge.core import Grid
        >>> grid = Grid((32,), (20.0,), "periodic")
        >>> bool(abs(KuramotoSivashinsky().tendency(np.ones((1, 32)), grid)).max() < 1e-12)  # a constant stays
        True

    Source:
        Kassam and Trefethen, "Fourth-order time-stepping for stiff PDEs", section 4.
    """

    ndim: int = 1
    viscosity: float = 1.0

    name: ClassVar[str] = "kuramoto_sivashinsky"
    fields: ClassVar[tuple[Field, ...]] = (Field("u", "velocity of the front"),)
    unknowns: ClassVar[tuple[str, ...]] = ("u",)
    dimensions: ClassVar[tuple[int, ...]] = (1,)
    method: ClassVar[str] = "Fourier, dealiased; ETDRK4"
    order: ClassVar[str] = "spectral in space, 4 in time"

    invariants: ClassVar[tuple[Invariant, ...]] = (conserved_mean("u"),)

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        object.__setattr__(self, "viscosity", positive("viscosity", self.viscosity))

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Shifts, and the reflection with a change of sign: u(x) ↦ −u(−x)."""
        return (*shifts(self.ndim), PeriodicReflection(0, odd=("u",)))

    def spectral(self, wavenumbers: tuple[np.ndarray, ...]) -> SpectralForm:
        (k,) = wavenumbers
        return SpectralForm(linear=(k**2 - self.viscosity * k**4)[None], product=square, outer=(-0.5j * k)[None, None])
