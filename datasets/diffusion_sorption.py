"""Diffusion with sorption from random concentrations: PDEBench's one-dimensional problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.datasets.evolution import EvolutionRecipe
from opforge.pdes.diffusion_sorption import DiffusionSorption
from opforge.solvers.stepping.stiff import BDF

_CONCENTRATIONS = (0.0, 0.2)

# Tolerance of a step that rounding leaves meaning to.
_FINEST = 1e-13


@dataclass(frozen=True)
class DiffusionSorptionRecipe(EvolutionRecipe):
    """A pollutant that seeps in: u_t = D/R(u) u_xx on the unit interval, u(0, t) = 1, outflow at the right end.

    The initial concentration is the same everywhere, uniform from 0 to 0.2, as in the source.

    Args:
        diffusivity, porosity, bulk_density, isotherm, exponent: see `opforge.pdes.DiffusionSorption`; those of the
            source unless given.
        tolerance: bound of a sample's residual, see `EvolutionRecipe`; BDF's local error is bounded by a thousandth.

    Raises:
        InputError: a parameter out of range.

    Example:
        >>> recipe = DiffusionSorptionRecipe(frames=3, end_time=50.0)
        >>> recipe.sample(np.random.default_rng(0), recipe.grid(32)).fields["u"].shape
        (3, 32)

    Source:
        Takamoto et al., "PDEBench: An Extensive Benchmark for Scientific Machine Learning", appendix D.3: 1024 cells,
        101 frames until t = 500.
    """

    diffusivity: float = 5e-4
    porosity: float = 0.29
    bulk_density: float = 2880.0
    isotherm: float = 3.5e-4
    exponent: float = 0.874
    frames: int = 101
    end_time: float = 500.0
    tolerance: float = 1e-3

    name: ClassVar[str] = "diffusion_sorption"
    summary: ClassVar[str] = "Diffusion–sorption: PDEBench's pollutant that seeps through soil (1-D)"
    solver: ClassVar[str] = DiffusionSorption.method
    points: ClassVar[Points] = "cells"
    least_resolution: ClassVar[int] = 16
    why_least: ClassVar[str] = "with fewer the front that seeps in has no shape"

    @property
    def equation(self) -> DiffusionSorption:
        return DiffusionSorption(1, self.diffusivity, self.porosity, self.bulk_density, self.isotherm, self.exponent)

    def __post_init__(self) -> None:
        super().__post_init__()
        known = self.equation  # which refuses what is out of range
        for name in ("diffusivity", "porosity", "bulk_density", "isotherm", "exponent"):
            object.__setattr__(self, name, getattr(known, name))

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        return np.stack([np.full((1, *grid.shape), rng.uniform(*_CONCENTRATIONS)) for rng in rngs])

    def stepper(self, grid: Grid, dt: float) -> BDF:
        rtol = max(self.tolerance / 1000 * 10.0 ** (1 - (self.refinement or 1)), _FINEST)
        return BDF(partial(self.equation.tendency, grid=grid), dt, rtol=rtol, atol=rtol / 100)

    def usual_step(self, grid: Grid) -> float:
        return self.end_time / (self.frames - 1)

    def steps(self, grid: Grid) -> tuple[int, float]:
        return 1, self.end_time / (self.frames - 1)

    def at_once(self, grid: Grid) -> int:
        return 1
