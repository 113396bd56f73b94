"""Waves from random pulses, in a homogeneous or a random medium."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.datasets.drawing import Drawable
from opforge.datasets.evolution import EvolutionRecipe
from opforge.datasets.random_drops import Drops
from opforge.datasets.random_fields import field_of_size, law_boundary
from opforge.errors import InputError
from opforge.pdes.wave import Wave
from opforge.solvers.stepping.stepper import Stepper
from opforge.solvers.stepping.waves import ExactWave, Leapfrog

_PULSES, _WIDTHS, _MARGIN = 3, (0.04, 0.06), 0.25

# Root mean square of the speed's logarithm, and how many times shorter than its limit the time step is.
_CONTRAST, _SHORTER = 0.25, 8.0


@dataclass(frozen=True)
class WaveRecipe(EvolutionRecipe):
    """Pulses that spread, are reflected and scattered: u_tt = ∇·(c²∇u) on the unit box, from rest.

    Args:
        ndim: axes of space: 1, 2 or 3.
        speed: c > 0, the median of random media.
        draw: ``"speed"``, see `DrawingRecipe`; from half of it to twice as much unless given; in homogeneous media.
        medium: ``"homogeneous"``, solved exactly; ``"random"``, c e^g with a smooth Gaussian field g, by leapfrog, an
            input beside u and v.
        boundary: ``"dirichlet"``, ``"neumann"`` or ``"periodic"``.

    Raises:
        InputError: a parameter out of range.

    Example:
        >>> recipe = WaveRecipe(frames=3)
        >>> recipe.sample(np.random.default_rng(0), recipe.grid(48)).fields["u"].shape
        (3, 48, 48)
    """

    ndim: int = 2
    speed: float = 1.0
    medium: Literal["homogeneous", "random"] = "homogeneous"
    boundary: Literal["dirichlet", "neumann", "periodic"] = "dirichlet"
    frames: int = 21
    tolerance: float = 5e-2

    name: ClassVar[str] = "wave"
    summary: ClassVar[str] = "Waves: pulses that spread and are scattered, homogeneous or random medium (1-D to 3-D)"
    points: ClassVar[Points] = "cells"
    drawable: ClassVar[tuple[Drawable, ...]] = (Drawable("speed", "speed of sound", (0.5, 2.0)),)
    least_resolution: ClassVar[int] = 32
    why_least: ClassVar[str] = "3 cells across the narrowest pulse, 0.09 of the box"
    lost_by_coarsening: ClassVar[str] = "the energy"

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.equation
        if self.medium not in ("homogeneous", "random"):
            raise InputError(f"medium must be one of homogeneous, random, got {self.medium!r}")
        if self.medium == "random" and self.draw is not None:
            raise InputError(f"draw must be left out for medium='random', whose speed is a field, got {self.draw!r}")
        self.check_draw()

    @property
    def equation(self) -> Wave:
        return Wave(self.ndim, self.speed, boundary=self.boundary)

    @property
    def solver(self) -> str:
        if self.medium == "homogeneous":
            return "exact in time, eigenfunctions of the Laplacian"
        return "leapfrog (velocity Verlet), finite volumes with harmonic means"

    @property
    def inputs(self) -> tuple[str, ...]:
        return ("u", "v") if self.medium == "homogeneous" else ("c", "u", "v")

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        u = np.stack([Drops(_PULSES, _WIDTHS, _MARGIN).sample(rng, grid) for rng in rngs])
        return np.stack([u, np.zeros_like(u)], 1)

    def media(self, rngs: Sequence[np.random.Generator], grid: Grid) -> dict[str, np.ndarray]:
        law = field_of_size(_CONTRAST, 3.0, 8.0, self.lengths, law_boundary(self.boundary))
        return {"c": self.speed * np.exp(np.stack([law.sample(rng, grid) for rng in rngs]))}

    def stepper(self, grid: Grid, dt: float) -> Stepper:
        if self.medium == "homogeneous":
            return ExactWave(self.equation, grid, dt)
        return Leapfrog(self.equation, grid, dt)

    def stepper_in(self, media: Mapping[str, np.ndarray], grid: Grid, dt: float) -> Stepper:
        if self.drawn:
            return ExactWave(self.equation, grid, dt, media["speed"])
        return Leapfrog(self.equation, grid, dt, media["c"]) if "c" in media else self.stepper(grid, dt)

    def usual_step(self, grid: Grid) -> float:
        if self.medium == "homogeneous":
            return self.end_time / (self.frames - 1)
        return self.equation.longest_step(grid) / _SHORTER
