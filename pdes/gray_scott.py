"""The Gray–Scott equations: two substances that react, and the patterns that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from opforge.core import Grid
from opforge.pdes._arrays import stack
from opforge.pdes._numbers import axes_of_space, not_negative, positive
from opforge.pdes.allen_cahn import box_symmetries
from opforge.pdes.equation import Field
from opforge.pdes.invariant import Invariant, positivity, within
from opforge.pdes.semilinear import SemilinearEquation, SpectralForm, squared_length
from opforge.pdes.symmetry import Symmetry

#: Rates (feed, kill) by what they make of a few drops.
PATTERNS = {
    "spots": (0.026, 0.059),  # spots that divide until they fill the box
    "maze": (0.029, 0.057),  # fronts that turn into a labyrinth
    "holes": (0.039, 0.058),  # stripes and holes
    "spirals": (0.018, 0.051),  # thin fronts that break and curl
    "chaos": (0.026, 0.051),  # waves without end
}

# How far concentrations may be out of bounds: Fourier modes ring where a grid does not resolve the edges of v, by 0.003
# at most on the grids that the recipe takes, by more than this where a quarter of the points are missing.
_RINGING, _REMEDY = 5e-3, "take more points, oversampling, or a smaller box"


@dataclass(frozen=True)
class GrayScott(SemilinearEquation):
    """u_t = D_u Δu − u v² + F (1 − u),  v_t = D_v Δv + u v² − (F + k) v on a periodic box.

    All quantities are without dimension. u is fed at the rate F, v turns u into v and is removed at the rate F + k, so
    that 0 <= u <= 1 and v >= 0 stay.

    Args:
        ndim: axes of space: 1, 2 or 3.
        diffusivity_u, diffusivity_v: D_u and D_v > 0.
        feed: F >= 0.
        kill: k >= 0.

    Raises:
        InputError: another number of axes, numbers out of range.

    Example:
        >>> grid = Grid.cube(2, 16, points="periodic")
        >>> rest = np.stack([np.ones(grid.shape), np.zeros(grid.shape)])
        >>> bool(abs(GrayScott().tendency(rest, grid)).max() < 1e-12)  # u = 1 without v stays
        True

    Source:
        Pearson, "Complex patterns in a simple system": D_u = 2e-5, D_v = 1e-5 on a square of side 2.5.
    """

    ndim: int = 2
    diffusivity_u: float = 2e-5
    diffusivity_v: float = 1e-5
    feed: float = 0.026
    kill: float = 0.059

    name: ClassVar[str] = "gray_scott"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("u", "concentration of the fed substance"),
        Field("v", "concentration of the catalyst"),
    )
    unknowns: ClassVar[tuple[str, ...]] = ("u", "v")
    dimensions: ClassVar[tuple[int, ...]] = (1, 2, 3)
    degree: ClassVar[int] = 3
    method: ClassVar[str] = "Fourier, dealiased; ETDRK4"
    order: ClassVar[str] = "spectral in space, 4 in time"
    invariants: ClassVar[tuple[Invariant, ...]] = (
        within("u", 0.0, 1.0, _RINGING, _REMEDY),
        positivity("v", _RINGING, _REMEDY),
    )

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        for name in ("diffusivity_u", "diffusivity_v"):
            object.__setattr__(self, name, positive(name, getattr(self, name)))
        for name in ("feed", "kill"):
            object.__setattr__(self, name, not_negative(name, getattr(self, name)))

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Shifts, reflections, transpositions."""
        return box_symmetries(self.ndim)

    def spectral(self, wavenumbers: tuple[np.ndarray, ...]) -> SpectralForm:
        square = squared_length(wavenumbers)
        linear = np.stack(
            [-self.diffusivity_u * square - self.feed, -self.diffusivity_v * square - self.feed - self.kill]
        )
        source = np.zeros(linear.shape, np.complex128)
        source[(0, *(0,) * self.ndim)] = self.feed  # of the mean of u
        outer = np.array([[-1.0], [1.0]]).reshape(2, 1, *(1,) * self.ndim)
        return SpectralForm(linear, _reaction, outer=outer, source=source, products=1)

    def exact(self, grid: Grid, times: Sequence[float] | None = None) -> dict[str, np.ndarray]:
        """Without v, u from ½: 1 − e^(−Ft)/2."""
        self.check_grid(grid)
        t = np.linspace(0.0, 1.0, 6) if times is None else np.asarray(times, dtype=np.float64)
        u = (1 - 0.5 * np.exp(-self.feed * t)).reshape(-1, *(1,) * grid.ndim) * np.ones(grid.shape)
        return {"u": u, "v": np.zeros_like(u), "time": t}


def _reaction(fields: Any, out: Any = None) -> Any:
    """u v² of (pairs, 2, *points)."""
    u, v = fields[:, 0], fields[:, 1]
    if out is None:
        return stack([u * v * v], 1)
    np.multiply(u * v, v, out=out[:, 0])
    return out
