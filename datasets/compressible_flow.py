"""Compressible flow: random smooth fields, shock tubes, and the distributions of PDEBench."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.datasets import random_gases
from opforge.datasets.drawing import Drawable
from opforge.datasets.evolution import EvolutionRecipe
from opforge.errors import InputError
from opforge.pdes._numbers import not_negative, positive
from opforge.pdes.compressible_flow import CompressibleFlow
from opforge.solvers.stepping.conservation import FiniteVolumes


class _Law(NamedTuple):
    """What goes with a kind of initial state."""

    dimensions: tuple[int, ...]
    mach: float | None  # None where there is none to choose
    viscosity: float  # both
    gamma: float
    end_time: float
    boundary: Literal["periodic", "outflow"]


_LAWS = {
    "waves": _Law((1, 2), 0.3, 0.0, 1.4, 0.5, "periodic"),
    "tube": _Law((1, 2), None, 0.0, 1.4, 0.5, "outflow"),
    "pdebench": _Law((1, 2), 0.1, 0.01, 5 / 3, 1.0, "periodic"),
    "pdebench_tube": _Law((1,), None, 1e-8, 5 / 3, 0.4, "outflow"),
    "pdebench_turbulence": _Law((2,), 0.1, 1e-8, 5 / 3, 1.0, "periodic"),
}

# Of the CFL number; the least density that is counted on.
_COURANT, _DENSITY = 0.4, 0.5


@dataclass(frozen=True)
class CompressibleFlowRecipe(EvolutionRecipe):
    """Gases: the compressible Euler or Navier–Stokes equations.

    Args:
        ndim: axes of space: 1 or 2.
        initial: ``"waves"``: smooth periodic random fields on the unit box, density and pressure around 1, velocities
            of root mean square ``mach`` times the speed of sound; ``"tube"``: a membrane at a random place between two
            random states, outflow at the ends (in 2-D along x). Those of the source: ``"pdebench"``: in 1-D on (−1, 1)
            density, velocity and pressure of two random sines each, some bent or cut off, in 2-D waves around a random
            density and temperature with the mean speed ``mach``, some cut off to a rectangle; ``"pdebench_tube"``: two
            random values of density, velocity and pressure each, with jumps at three places of (−1, 1), outflow;
            ``"pdebench_turbulence"``: a random flow without divergence of mean speed 1, the density 1 and the speed of
            sound 1/``mach``, 2-D.
        mach: greater than 0; 0.3 for waves, 0.1 for PDEBench's unless given (the source has 1 as well); not of tubes,
            nor of PDEBench's in 1-D.
        shear_viscosity, bulk_viscosity: η and ζ >= 0; none makes the Euler equations, and is usual; PDEBench's waves
            have 0.01 (the source also 0.1 and 1e-8), its tubes and its turbulence 1e-8.
        draw: ``"shear_viscosity"``, ``"bulk_viscosity"`` or both, see `DrawingRecipe`.
        gamma: γ > 1; 1.4, PDEBench's 5/3 unless given.
        boundary: ``"periodic"``, ``"outflow"``, ``"walls"`` or ``"no-slip"``; that of the initial state unless given.
        end_time: 0.5; PDEBench's 1, of tubes 0.4 unless given.

    Raises:
        InputError: a parameter out of range, or one that the kind of initial state does not have.

    Example:
        >>> recipe = CompressibleFlowRecipe(frames=3, end_time=0.1)
        >>> recipe.sample(np.random.default_rng(0), recipe.grid(48)).fields["p"].shape
        (3, 48)

    Source:
        Takamoto et al., "PDEBench: An Extensive Benchmark for Scientific Machine Learning", appendix D.5; what is left
        open there is taken from the published scripts. These solve by second-order HLLC and MUSCL too; their η and ζ
        are multiplied with the density, and mixed derivatives are left out; here the stress is that of the equation.
    """

    ndim: int = 1
    initial: Literal["waves", "tube", "pdebench", "pdebench_tube", "pdebench_turbulence"] = "waves"
    mach: float | None = None
    shear_viscosity: float | None = None
    bulk_viscosity: float | None = None
    gamma: float | None = None
    boundary: Literal["periodic", "outflow", "walls", "no-slip"] | None = None
    frames: int = 21
    end_time: float | None = None
    tolerance: float = 5e-2

    name: ClassVar[str] = "compressible_flow"
    summary: ClassVar[str] = "Compressible Euler and Navier–Stokes: waves, shock tubes, PDEBench's data (1-D, 2-D)"
    solver: ClassVar[str] = CompressibleFlow.method
    points: ClassVar[Points] = "cells"
    drawable: ClassVar[tuple[Drawable, ...]] = (
        Drawable("shear_viscosity", "shear viscosity η"),
        Drawable("bulk_viscosity", "bulk viscosity ζ"),
    )
    least_resolution: ClassVar[int] = 32
    why_least: ClassVar[str] = "8 cells to the shortest wave, of which 4 go on the box"

    def __post_init__(self) -> None:
        if not isinstance(self.initial, str) or self.initial not in _LAWS:
            raise InputError(f"initial must be one of {', '.join(_LAWS)}, got {self.initial!r}")
        law = _LAWS[self.initial]
        usual = {name: getattr(law, name) for name in ("gamma", "boundary", "end_time")}
        for name, value in {**usual, "shear_viscosity": law.viscosity, "bulk_viscosity": law.viscosity}.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        for name in ("shear_viscosity", "bulk_viscosity"):
            object.__setattr__(self, name, not_negative(name, getattr(self, name)))
        super().__post_init__()
        _ = self.equation
        if self.ndim not in law.dimensions:
            raise InputError(f"ndim must be {law.dimensions[0]} for initial={self.initial!r}, got {self.ndim!r}")
        self._set_mach(law)
        self.check_draw()

    def _set_mach(self, law: _Law) -> None:
        has_one = law.mach is not None and (self.initial, self.ndim) != ("pdebench", 1)
        if has_one:
            object.__setattr__(self, "mach", positive("mach", law.mach if self.mach is None else self.mach))
        elif self.mach is not None:
            raise InputError(
                f"mach has no effect on initial={self.initial!r} with ndim={self.ndim}, got {self.mach!r}; leave it out"
            )

    @property
    def equation(self) -> CompressibleFlow:
        eta, zeta, gamma = self.shear_viscosity or 0.0, self.bulk_viscosity or 0.0, self.gamma or 1.4
        return CompressibleFlow(self.ndim, eta, zeta, gamma, self.boundary or "periodic")

    @property
    def _both_sides(self) -> bool:
        """Whether the box is (−1, 1)."""
        return self.ndim == 1 and self.initial.startswith("pdebench")

    @property
    def lengths(self) -> tuple[float, ...]:
        return (2.0 if self._both_sides else 1.0,) * self.ndim

    @property
    def origin(self) -> tuple[float, ...]:
        return (-1.0 if self._both_sides else 0.0,) * self.ndim

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        return np.stack([self._initial_state(rng, grid) for rng in rngs])

    def _initial_state(self, rng: np.random.Generator, grid: Grid) -> np.ndarray:
        mach, gamma = self.mach or 0.0, self.equation.gamma
        if self.initial == "waves":
            return random_gases.smooth_waves(rng, grid, mach, gamma)
        if self.initial == "tube":
            return random_gases.shock_tube(rng, grid)
        if self.initial == "pdebench_tube":
            return random_gases.pdebench_tube(rng, grid)
        if self.initial == "pdebench_turbulence":
            return random_gases.pdebench_turbulence(rng, grid, mach, gamma)
        if self.ndim == 1:
            return random_gases.pdebench_line(rng, grid)
        return random_gases.pdebench_square(rng, grid, mach, gamma)

    def stepper(self, grid: Grid, dt: float) -> FiniteVolumes:
        return self.stepper_in({}, grid, dt)

    def stepper_in(self, media: Mapping[str, np.ndarray], grid: Grid, dt: float) -> FiniteVolumes:
        own = None
        if media:
            count = len(next(iter(media.values())))
            names = ("shear_viscosity", "bulk_viscosity")
            own = np.stack([media.get(name, np.full(count, getattr(self, name))) for name in names], -1)
        return FiniteVolumes(self.equation, grid, dt, own, strict=self.time_step is not None)

    def usual_step(self, grid: Grid) -> float:
        gamma, mach = self.equation.gamma, self.mach or 0.0
        fastest = {
            "waves": math.sqrt(gamma) * (1.4 + 4 * mach),
            "tube": 3.5,
            "pdebench": 20.0 if self.ndim == 1 else math.sqrt(10 * gamma) * (1.5 + 3 * mach),
            "pdebench_tube": 16.0,
            "pdebench_turbulence": 1.2 / mach + 3.0 if mach else 0.0,
        }[self.initial]
        greatest = 4 / 3 * self.greatest("shear_viscosity") + self.greatest("bulk_viscosity")
        viscous = 2 * greatest / _DENSITY
        return _COURANT / sum((fastest + viscous / h) / h for h in grid.spacing)
