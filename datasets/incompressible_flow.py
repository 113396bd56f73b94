"""Incompressible flow: plumes of smoke that rise past obstacles, and vortices that die out in a box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.datasets.evolution import EvolutionRecipe
from opforge.datasets.random_drops import Drops
from opforge.datasets.random_obstacles import Obstacles
from opforge.errors import InputError
from opforge.pdes._numbers import not_negative
from opforge.pdes.incompressible_flow import IncompressibleFlow
from opforge.solvers.stepping.projection import ProjectionStepper
from opforge.solvers.stepping.stepper import EachSample, Stepper

_SMOKE, _WIDTHS, _WAVES = 2, (0.06, 0.1), 3

# Of the CFL number, and the fastest flow that is counted on.
_COURANT, _FASTEST = 0.4, 1.5


@dataclass(frozen=True)
class IncompressibleFlowRecipe(EvolutionRecipe):
    """Smoke that rises, or vortices that die out, in a closed box of sides 1.

    Velocities are those through the upper faces of cells.

    Args:
        ndim: axes of space: 2 or 3; 2 for vortices.
        scene: ``"plume"``: random drops of smoke in the lower half, at rest, rise by their buoyancy; ``"vortices"``:
            random vortices between walls, without smoke.
        viscosity: ν >= 0.
        buoyancy: β of the smoke.
        obstacles: how many solid bodies stand in the box, an input ``solid`` where there are any; plumes only.

    Raises:
        InputError: a parameter out of range.

    Example:
        >>> recipe = IncompressibleFlowRecipe(frames=3, end_time=0.2)
        >>> sorted(recipe.sample(np.random.default_rng(0), recipe.grid(32)).fields)
        ['s', 'u', 'v']
    """

    ndim: int = 2
    scene: Literal["plume", "vortices"] = "plume"
    viscosity: float = 1e-3
    buoyancy: float = 1.0
    obstacles: int = 0
    frames: int = 21
    end_time: float = 2.0
    tolerance: float = 5e-2

    name: ClassVar[str] = "incompressible_flow"
    summary: ClassVar[str] = "Incompressible flow in a box: smoke plumes past obstacles, vortices (2-D, 3-D)"
    solver: ClassVar[str] = IncompressibleFlow.method
    points: ClassVar[Points] = "cells"
    least_resolution: ClassVar[int] = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scene not in ("plume", "vortices"):
            raise InputError(f"scene must be one of plume, vortices, got {self.scene!r}")
        object.__setattr__(self, "viscosity", not_negative("viscosity", self.viscosity))
        if isinstance(self.obstacles, bool) or not isinstance(self.obstacles, int) or self.obstacles < 0:
            raise InputError(f"obstacles must be a whole number of at least 0, got {self.obstacles!r}")
        if self.scene == "vortices" and (self.obstacles or self.ndim != 2):
            raise InputError("scene='vortices' goes with two axes and without obstacles; take 'plume'")
        _ = self.equation

    @property
    def equation(self) -> IncompressibleFlow:
        smoke = self.buoyancy if self.scene == "plume" else None
        return IncompressibleFlow(self.ndim, self.viscosity, buoyancy=smoke)

    @property
    def inputs(self) -> tuple[str, ...]:
        return (*(("solid",) if self.obstacles else ()), *self.equation.unknowns)

    def media(self, rngs: Sequence[np.random.Generator], grid: Grid) -> dict[str, np.ndarray]:
        law = Obstacles(self.obstacles)
        return {"solid": np.stack([law.sample(rng, grid) for rng in rngs]).astype(np.float64)}

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        if self.scene == "plume":
            s = np.stack([self._smoke(rng, grid) for rng in rngs])
            return np.stack([*(np.zeros_like(s),) * self.ndim, s], 1)
        return np.stack([self._vortices(rng, grid) for rng in rngs])

    def _smoke(self, rng: np.random.Generator, grid: Grid) -> np.ndarray:
        """Drops in the lower half of the box."""
        drops = Drops(_SMOKE, _WIDTHS, 0.25).sample(rng, grid)
        height = (grid.mesh()[-1] - grid.origin[-1]) / grid.lengths[-1]
        return drops / (1 + np.exp(40 * (height - 0.5)))  # smoothly nothing above the middle

    def _vortices(self, rng: np.random.Generator, grid: Grid) -> np.ndarray:
        """The velocity of a stream function at the corners of cells that is 0 at the walls."""
        corners = Grid(tuple(n + 1 for n in grid.shape), grid.lengths, "nodes")
        x, y = corners.mesh()
        psi = np.zeros(corners.shape)
        for m in range(1, _WAVES + 1):
            for n in range(1, _WAVES + 1):
                psi += rng.standard_normal() * np.sin(np.pi * m * x) * np.sin(np.pi * n * y) / np.hypot(m, n)
        u, v = np.zeros((2, *grid.shape))
        u[:, :] = (psi[1:, 1:] - psi[1:, :-1]) / grid.spacing[1]
        v[:, :] = -(psi[1:, 1:] - psi[:-1, 1:]) / grid.spacing[0]
        u[-1], v[:, -1] = 0.0, 0.0
        return np.stack([u, v]) / np.sqrt((u**2 + v**2).mean()) * 0.5

    def stepper(self, grid: Grid, dt: float) -> Stepper:
        return ProjectionStepper(self.equation, grid, dt)

    def stepper_in(self, media: Mapping[str, np.ndarray], grid: Grid, dt: float) -> Stepper:
        if "solid" not in media:
            return self.stepper(grid, dt)
        return EachSample([ProjectionStepper(self.equation, grid, dt, solid=solid) for solid in media["solid"]])

    def usual_step(self, grid: Grid) -> float:
        return _COURANT / sum((_FASTEST + 4 * self.viscosity / h) / h for h in grid.spacing)

    def at_once(self, grid: Grid) -> int:
        return 2 if self.obstacles else super().at_once(grid)
