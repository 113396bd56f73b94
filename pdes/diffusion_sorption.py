"""Diffusion with sorption: a pollutant that seeps through soil and clings to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.errors import InputError
from opforge.pdes._arrays import along, concatenate, difference, maximum
from opforge.pdes._numbers import axes_of_space, positive
from opforge.pdes.equation import Field
from opforge.pdes.evolution import EvolutionEquation
from opforge.pdes.invariant import Invariant, within

# Concentrations below are taken for this one where sorption would slow them down without bound.
_LEAST = 1e-6


@dataclass(frozen=True)
class DiffusionSorption(EvolutionEquation):
    """u_t = D/R(u) u_xx with the retardation R(u) = 1 + (1 − φ)/φ ρ k n u^(n−1), Freundlich's isotherm.

    u(0, t) = 1 at the left end; at the right one what arrives flows on, D u_x + u = 0. Space in metres, time in seconds
    where D is in m²/s; u is relative to the concentration at the left end. The discretisation is that of finite volumes
    on cell centres, of order 2.

    Args:
        ndim: 1.
        diffusivity: D > 0.
        porosity: φ, between 0 and 1.
        bulk_density: ρ > 0, of the soil, in kg/m³.
        isotherm: k > 0.
        exponent: n > 0; with 1, R is constant.

    Raises:
        InputError: numbers out of range.

    Example:
        >>> import numpy as np
        >>> float(DiffusionSorption().retardation(np.array([1.0])).round(4)[0])
        3.1569

    Source:
        Takamoto et al., "PDEBench: An Extensive Benchmark for Scientific Machine Learning", appendix D.3; Nowak and
        Guthke, "Entropy-based experimental design for optimal model discrimination in the geosciences".
    """

    ndim: int = 1
    diffusivity: float = 5e-4
    porosity: float = 0.29
    bulk_density: float = 2880.0
    isotherm: float = 3.5e-4
    exponent: float = 0.874

    name: ClassVar[str] = "diffusion_sorption"
    fields: ClassVar[tuple[Field, ...]] = (Field("u", "relative concentration"),)
    unknowns: ClassVar[tuple[str, ...]] = ("u",)
    boundary: ClassVar[str] = "dirichlet left, outflow right"
    points: ClassVar[Points] = "cells"
    dimensions: ClassVar[tuple[int, ...]] = (1,)
    method: ClassVar[str] = "finite volumes; backward differentiation formulas (scipy's BDF)"
    order: ClassVar[str] = "2 in space, adaptive in time (1 to 5)"
    invariants: ClassVar[tuple[Invariant, ...]] = (within("u", 0.0, 1.0, 1e-4),)

    symmetries = ()

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        for name in ("diffusivity", "porosity", "bulk_density", "isotherm", "exponent"):
            object.__setattr__(self, name, positive(name, getattr(self, name)))
        if self.porosity >= 1:
            raise InputError(f"porosity must lie between 0 and 1, got {self.porosity!r}")

    def retardation(self, u: Any) -> Any:
        """R(u) of concentrations, numpy or torch."""
        if self.exponent == 1.0:
            return self._sorbed() + 1 + 0 * u
        return 1 + self._sorbed() * self.exponent * maximum(u, _LEAST) ** (self.exponent - 1)

    def _sorbed(self) -> float:
        return (1 - self.porosity) / self.porosity * self.bulk_density * self.isotherm

    def tendency(self, state: Any, grid: Grid) -> Any:
        self.check_state(state, grid)
        (h,), d = grid.spacing, self.diffusivity
        # ghosts half a cell beyond both ends: (g + u₀)/2 = 1, and D (g − u)/h + (g + u)/2 = 0
        first, last = along(state, -1, None, 1), along(state, -1, -1, None)
        left, right = 2 - first, last * (d / h - 0.5) / (d / h + 0.5)
        slopes = difference(concatenate([left, state, right], -1), -1) / h
        return d * difference(slopes, -1) / h / self.retardation(state)
