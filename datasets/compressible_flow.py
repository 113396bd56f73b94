"""Compressible flow: random smooth fields, random turbulence, and shock tubes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.datasets.evolution import EvolutionRecipe
from opforge.datasets.random_series import FourierSeries
from opforge.errors import InputError
from opforge.pdes._numbers import not_negative, positive
from opforge.pdes.compressible_flow import CompressibleFlow
from opforge.solvers.stepping.conservation import FiniteVolumes

_WAVES = 4

# Of the CFL number, and bounds of the random states of shock tubes.
_COURANT = 0.4
_DENSITIES, _SPEEDS, _PRESSURES, _MEMBRANES = (0.3, 2.0), (-0.3, 0.3), (0.3, 2.0), (0.35, 0.65)


@dataclass(frozen=True)
class CompressibleFlowRecipe(EvolutionRecipe):
    """Gases: the compressible Euler or Navier–Stokes equations on the unit box, γ = 1.4 or as given.

    Args:
        ndim: axes of space: 1 or 2.
        initial: ``"waves"``: smooth periodic random fields, density and pressure around 1, velocities of root mean
            square ``mach`` times the speed of sound; ``"tube"``: a membrane at a random place between two random
            states, outflow at the ends (in 2-D along x).
        mach: greater than 0; waves only.
        shear_viscosity, bulk_viscosity: η and ζ >= 0; none makes the Euler equations.
        gamma: γ > 1.

    Raises:
        InputError: a parameter out of range.

    Example:
        >>> recipe = CompressibleFlowRecipe(frames=3, end_time=0.1)
        >>> recipe.sample(np.random.default_rng(0), recipe.grid(48)).fields["p"].shape
        (3, 48)

    Source:
        Takamoto et al., "PDEBench: An Extensive Benchmark for Scientific Machine Learning", appendix D.5, has random
        fields with a Mach number, η = ζ, and shock tubes, solved by second-order HLLC and MUSCL too.
    """

    ndim: int = 1
    initial: Literal["waves", "tube"] = "waves"
    mach: float = 0.3
    shear_viscosity: float = 0.0
    bulk_viscosity: float = 0.0
    gamma: float = 1.4
    frames: int = 21
    end_time: float = 0.5
    tolerance: float = 5e-2

    name: ClassVar[str] = "compressible_flow"
    summary: ClassVar[str] = "Compressible Euler and Navier–Stokes: random waves, shock tubes (1-D, 2-D)"
    solver: ClassVar[str] = CompressibleFlow.method
    points: ClassVar[Points] = "cells"
    least_resolution: ClassVar[int] = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.initial not in ("waves", "tube"):
            raise InputError(f"initial must be one of waves, tube, got {self.initial!r}")
        object.__setattr__(self, "mach", positive("mach", self.mach))
        for name in ("shear_viscosity", "bulk_viscosity"):
            object.__setattr__(self, name, not_negative(name, getattr(self, name)))
        _ = self.equation

    @property
    def equation(self) -> CompressibleFlow:
        boundary = "periodic" if self.initial == "waves" else "outflow"
        return CompressibleFlow(self.ndim, self.shear_viscosity, self.bulk_viscosity, self.gamma, boundary)

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        return np.stack([(self._tube if self.initial == "tube" else self._waves)(rng, grid) for rng in rngs])

    def _waves(self, rng: np.random.Generator, grid: Grid) -> np.ndarray:
        around = Grid(grid.shape, grid.lengths, "periodic")  # the same cells, by points: as good as their centres
        rho, *velocity, p = (FourierSeries(_WAVES).sample(rng, around) for _ in range(self.ndim + 2))
        sound = math.sqrt(self.gamma)
        return np.stack([np.exp(0.1 * rho), *(self.mach * sound * u for u in velocity), np.exp(0.1 * self.gamma * p)])

    def _tube(self, rng: np.random.Generator, grid: Grid) -> np.ndarray:
        membrane = rng.uniform(*_MEMBRANES)
        sides = [[rng.uniform(*bounds) for bounds in (_DENSITIES, _SPEEDS, _PRESSURES)] for _ in range(2)]
        left = grid.mesh()[0] < membrane
        rho, u, p = (np.where(left, a, b) for a, b in zip(*sides, strict=True))
        return np.stack([rho, u, *((np.zeros_like(u),) if self.ndim == 2 else ()), p])

    def stepper(self, grid: Grid, dt: float) -> FiniteVolumes:
        return FiniteVolumes(self.equation, grid, dt)

    def usual_step(self, grid: Grid) -> float:
        fastest = 3.5 if self.initial == "tube" else math.sqrt(self.gamma) * (1.4 + 4 * self.mach)
        viscous = 2 * (4 / 3 * self.shear_viscosity + self.bulk_viscosity) / 0.5
        return _COURANT / sum((fastest + viscous / h) / h for h in grid.spacing)
