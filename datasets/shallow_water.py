"""Shallow water: PDEBench's radial dam break, and smooth random surfaces over random bottoms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.datasets.evolution import EvolutionRecipe
from opforge.datasets.random_fields import GaussianField, field_of_size, law_boundary
from opforge.errors import InputError
from opforge.pdes.shallow_water import ShallowWater
from opforge.solvers.stepping.conservation import FiniteVolumes

# Radii of the dam, the depths inside and outside, and the side of its box.
_RADII, _INSIDE, _OUTSIDE, _DAM_SIDE = (0.3, 0.7), 2.0, 1.0, 5.0

# Root mean squares of surfaces and bottoms, relative to the depth 1.
_SURFACE, _BOTTOM = 0.05, 0.1

# Of the CFL number, and the fastest wave that is counted on.
_COURANT, _FASTEST = 0.4, 2.5


@dataclass(frozen=True)
class ShallowWaterRecipe(EvolutionRecipe):
    """Waves on shallow water: h_t + ∇·(hu) = 0, (hu)_t + ∇·(h u uᵀ + g h²/2 I) = −g h ∇b.

    Args:
        ndim: axes of space: 1 or 2; 2 for the dam.
        initial: ``"dam"`` or ``"pdebench"``, the data of the source: water 2 deep within a random radius from 0.3 to
            0.7 around the middle of the square (−2.5, 2.5)², 1 deep outside, that breaks at time 0; ``"waves"``: a
            smooth random surface around the level 1 on the unit box, from rest; ``"bottom"``: the same over a random
            bottom ``b``, which is an input.
        boundary: ``"outflow"``, ``"walls"`` or ``"periodic"``; outflow for the dam and walls for others unless given.
        gravity: g > 0; waves are √g times as fast.
        end_time: of the last frame; 1 unless given.

    Raises:
        InputError: a parameter out of range.

    Example:
        >>> recipe = ShallowWaterRecipe(frames=3, end_time=0.2)
        >>> recipe.sample(np.random.default_rng(0), recipe.grid(48)).fields["h"].shape
        (3, 48, 48)

    Source:
        Takamoto et al., "PDEBench: An Extensive Benchmark for Scientific Machine Learning", appendix D.6: 128 x 128
        cells, 101 frames until t = 1.
    """

    ndim: int = 2
    initial: Literal["dam", "pdebench", "waves", "bottom"] = "dam"
    boundary: Literal["outflow", "walls", "periodic"] | None = None
    gravity: float = 1.0
    frames: int = 21
    tolerance: float = 5e-2

    name: ClassVar[str] = "shallow_water"
    summary: ClassVar[str] = "Shallow water: PDEBench's radial dam break, waves over random bottoms (1-D, 2-D)"
    solver: ClassVar[str] = ShallowWater.method
    points: ClassVar[Points] = "cells"
    least_resolution: ClassVar[int] = 16
    why_least: ClassVar[str] = "2 cells across the smallest dam, an eighth of the box"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.initial not in ("dam", "pdebench", "waves", "bottom"):
            raise InputError(f"initial must be one of dam, pdebench, waves, bottom, got {self.initial!r}")
        if self.is_dam and self.ndim != 2:
            raise InputError(
                f"ndim must be 2 for initial={self.initial!r}, got {self.ndim!r}; take 'waves' or 'bottom'"
            )
        if self.boundary is None:
            object.__setattr__(self, "boundary", "outflow" if self.is_dam else "walls")
        object.__setattr__(self, "gravity", self.equation.gravity)  # the equation refuses what is out of range

    @property
    def is_dam(self) -> bool:
        """Whether a dam breaks."""
        return self.initial in ("dam", "pdebench")

    @property
    def equation(self) -> ShallowWater:
        return ShallowWater(self.ndim, self.gravity, boundary=self.boundary or "walls")

    @property
    def lengths(self) -> tuple[float, ...]:
        return (_DAM_SIDE if self.is_dam else 1.0,) * self.ndim

    @property
    def origin(self) -> tuple[float, ...]:
        return (-_DAM_SIDE / 2 if self.is_dam else 0.0,) * self.ndim

    @property
    def inputs(self) -> tuple[str, ...]:
        return (*(("b",) if self.initial == "bottom" else ()), *self.equation.unknowns)

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        if self.is_dam:
            h = np.stack([self._dam(rng.uniform(*_RADII), grid) for rng in rngs])
        else:
            law = self._law(_SURFACE)
            h = 1 + np.stack([law.sample(rng, grid) for rng in rngs])
        return np.stack([h, *(np.zeros_like(h),) * self.ndim], 1)

    def _law(self, size: float) -> GaussianField:
        return field_of_size(size, 3.0, 10.0, self.lengths, law_boundary(self.equation.boundary))

    def _dam(self, radius: float, grid: Grid) -> np.ndarray:
        x, y = grid.mesh()
        return np.where(np.hypot(x, y) <= radius, _INSIDE, _OUTSIDE)

    def media(self, rngs: Sequence[np.random.Generator], grid: Grid) -> dict[str, np.ndarray]:
        law = self._law(_BOTTOM)
        return {"b": np.stack([law.sample(rng, grid) for rng in rngs])}

    def stepper(self, grid: Grid, dt: float) -> FiniteVolumes:
        return self.stepper_in({}, grid, dt)

    def stepper_in(self, media: Mapping[str, np.ndarray], grid: Grid, dt: float) -> FiniteVolumes:
        return FiniteVolumes(self.equation, grid, dt, media.get("b"), strict=self.time_step is not None)

    def usual_step(self, grid: Grid) -> float:
        return _COURANT / (_FASTEST * math.sqrt(self.gravity) * sum(1 / h for h in grid.spacing))
