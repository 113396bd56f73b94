"""Waves of one frequency: the Helmholtz equation from random sources in random media, with drawn wavenumbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.datasets.drawing import Drawable, DrawingRecipe
from opforge.datasets.random_drops import Drops
from opforge.datasets.random_fields import field_of_size
from opforge.datasets.recipe import Sample
from opforge.errors import InputError, WorkError
from opforge.pdes._numbers import positive
from opforge.pdes.helmholtz import Helmholtz
from opforge.solvers.helmholtz import solve_helmholtz

_SOURCES, _WIDTHS, _MARGIN, _CONTRAST = 2, (0.015, 0.025), 0.3, 0.15

# Cells that a wavelength needs.
_CELLS = 8


@dataclass(frozen=True)
class HelmholtzRecipe(DrawingRecipe):
    """Sources to waves: Δu + (k/c)² u = f on the unit interval or square, which waves leave through a layer.

    Two drops at random places are the source.

    Args:
        ndim: axes of space: 1 or 2.
        wavenumber: k > 0.
        draw: ``"wavenumber"``, see `DrawingRecipe`; uniform, from half of it to it unless given.
        medium: ``"homogeneous"``, c = 1; ``"random"``, c = e^g with a smooth Gaussian field g, an input.
        tolerance: bound of the relative residual.

    Raises:
        InputError: a parameter out of range.

    Example:
        >>> recipe = HelmholtzRecipe(wavenumber=20.0)
        >>> sorted(recipe.sample(np.random.default_rng(0), recipe.grid(56)).fields)
        ['f', 'u_imag', 'u_real']
    """

    ndim: int = 2
    wavenumber: float = 40.0
    medium: Literal["homogeneous", "random"] = "homogeneous"
    tolerance: float = 1e-8

    name: ClassVar[str] = "helmholtz"
    summary: ClassVar[str] = "Helmholtz: waves of one frequency with an absorbing layer, random media (1-D, 2-D)"
    outputs: ClassVar[tuple[str, ...]] = ("u_real", "u_imag")
    solver: ClassVar[str] = "finite volumes with a perfectly matched layer, sparse factors (SuperLU)"
    points: ClassVar[Points] = "cells"
    bytes_per_point: ClassVar[int] = 3000
    drawable: ClassVar[tuple[Drawable, ...]] = (Drawable("wavenumber", "wavenumber", (0.5, 1.0), uniform=True),)
    least_resolution: ClassVar[int] = 56
    why_least: ClassVar[str] = "2 cells across the narrowest source, 0.035 of the box"

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.equation
        if self.medium not in ("homogeneous", "random"):
            raise InputError(f"medium must be one of homogeneous, random, got {self.medium!r}")
        positive("tolerance", self.tolerance)
        self.check_draw()

    @property
    def equation(self) -> Helmholtz:
        return Helmholtz(self.ndim, self.wavenumber)

    @property
    def inputs(self) -> tuple[str, ...]:
        return ("f",) if self.medium == "homogeneous" else ("c", "f")

    def check(self, grid: Grid) -> None:
        """Refuse a grid with too few cells per wavelength.

        Raises:
            InputError: such a grid.
        """
        greatest = self.greatest("wavenumber")
        slowest = 1.0 if self.medium == "homogeneous" else float(np.exp(-2 * _CONTRAST))
        found = self.equation.cells_per_wavelength(grid, greatest, slowest)
        if found < _CELLS:
            least = int(np.ceil(min(grid.shape) * _CELLS / found))
            raise InputError(
                f"resolution must be at least {least} points per axis for wavenumber={greatest:g} "
                f"({_CELLS} cells per wavelength), got {'x'.join(map(str, grid.shape))}"
            )

    def sample(self, rng: np.random.Generator, grid: Grid) -> Sample:
        """Draw sources, medium and wavenumber, each from a generator of its own, and solve.

        Raises:
            WorkError: a residual beyond the tolerance.
        """
        for_f, for_c, for_k = rng.spawn(3)
        fields = {"f": 100 * Drops(_SOURCES, _WIDTHS, _MARGIN).sample(for_f, grid)}
        if self.medium == "random":
            fields = {"c": np.exp(field_of_size(_CONTRAST, 3.0, 10.0, self.lengths).sample(for_c, grid)), **fields}
        drawn = {name: float(values[0]) for name, values in self.numbers([for_k]).items()}
        real, imag, residual = solve_helmholtz(self.equation, {**fields, **drawn}, grid)
        if not residual <= self.tolerance:
            raise WorkError(f"the relative residual is {residual:.1e}, the tolerance is {self.tolerance:.1e}")
        return Sample({**fields, "u_real": real, "u_imag": imag}, residual, drawn)
