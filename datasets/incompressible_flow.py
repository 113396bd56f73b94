"""Incompressible flow: plumes of smoke, vortices, cavities with a moving lid, streams past obstacles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.datasets.drawing import Drawable
from opforge.datasets.evolution import EvolutionRecipe
from opforge.datasets.random_drops import Drops
from opforge.datasets.random_obstacles import Obstacles
from opforge.datasets.restriction import restricted_faces
from opforge.errors import InputError
from opforge.pdes._numbers import axes_of_space, not_negative
from opforge.pdes.equation import Field
from opforge.pdes.incompressible_flow import IncompressibleFlow
from opforge.solvers.stepping.projection import ProjectionStepper
from opforge.solvers.stepping.stepper import EachSample, Stepper

# Each with the fastest flow that time steps count on.
SCENES = {"plume": 1.0, "source": 1.0, "vortices": 1.5, "cavity": 1.0, "stream": 2.0}

_SMOKE, _WIDTHS, _WAVES = 2, (0.06, 0.1), 3

# Bounds of a source's place along the floor, of its height and width, in parts of a side; the smoke it makes.
_PLACES, _HEIGHTS, _RADII, _RATE = (0.3, 0.7), (0.1, 0.2), (0.04, 0.08), 2.0

# Of the CFL number.
_COURANT = 0.8

# Obstacles at most: twenty cover 3/4 of the part of a square in which they stand, a hundred as much of a cube's.
_MOST_OBSTACLES = {2: 20, 3: 100}

# Of a stream, its speed times the width of a cell over the viscosity, at most. Measured against grids twice as fine,
# the velocity across is off by 22 to 27 % there, by 42 % at twice as much (benchmarks/results/streams.csv).
_CELL_REYNOLDS = 16.0


@dataclass(frozen=True)
class IncompressibleFlowRecipe(EvolutionRecipe):
    """Smoke that rises, vortices that die out, flow that a lid drives, streams past obstacles.

    Velocities are those through the upper faces of cells. The box has sides 1, a stream's is twice as long.

    Args:
        ndim: axes of space: 2 or 3; 2 for vortices.
        scene: ``"plume"``: random drops of smoke in the lower half, at rest, rise by their buoyancy; ``"source"``:
            smoke rises from a source near the floor, of random place and size, an input ``q``; ``"vortices"``: random
            vortices between walls, without smoke; ``"cavity"``: a lid of speed 1 sets a fluid at rest in motion;
            ``"stream"``: flow of speed 1 past obstacles, from the potential flow around them.
        viscosity: ν >= 0.
        draw: ``"viscosity"``, see `DrawingRecipe`.
        buoyancy: β of the smoke.
        diffusivity: κ >= 0 of the smoke.
        obstacles: how many solid bodies stand in the box, an input ``solid`` where there are any, at most 20, in three
            dimensions 100; not with vortices.
        pressure: whether to keep the pressure ``p`` too.
        convection: ``"limited"`` or ``"central"`` fluxes of momentum, see `opforge.pdes.IncompressibleFlow`.

    Raises:
        InputError: a parameter out of range.

    Example:
        >>> recipe = IncompressibleFlowRecipe(frames=3, end_time=0.2)
        >>> sorted(recipe.sample(np.random.default_rng(0), recipe.grid(32)).fields)
        ['s', 'u', 'v']
        >>> cavity = IncompressibleFlowRecipe(scene="cavity", draw="viscosity", frames=2, end_time=0.1)
        >>> bool(0.001 < cavity.sample(np.random.default_rng(0), cavity.grid(16)).drawn["viscosity"] < 0.01)
        True
    """

    ndim: int = 2
    scene: Literal["plume", "source", "vortices", "cavity", "stream"] = "plume"
    viscosity: float = 1e-3
    buoyancy: float = 1.0
    diffusivity: float = 0.0
    obstacles: int = 0
    pressure: bool = False
    convection: Literal["limited", "central"] = "limited"
    frames: int = 21
    end_time: float = 2.0
    tolerance: float = 5e-2

    name: ClassVar[str] = "incompressible_flow"
    summary: ClassVar[str] = "Incompressible flow: smoke plumes, vortices, cavities, streams past obstacles (2-D, 3-D)"
    points: ClassVar[Points] = "cells"
    drawable: ClassVar[tuple[Drawable, ...]] = (Drawable("viscosity", "viscosity"),)
    least_resolution: ClassVar[int] = 16
    why_least: ClassVar[str] = "2 cells across the smallest cloud, 0.14 of the box"
    described: ClassVar[tuple[Field, ...]] = (
        Field("solid", "obstacles"),
        Field("q", "source of the smoke"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        axes_of_space(self.ndim, (2, 3))
        if not isinstance(self.scene, str) or self.scene not in SCENES:
            raise InputError(f"scene must be one of {', '.join(SCENES)}, got {self.scene!r}")
        for name in ("viscosity", "diffusivity"):
            object.__setattr__(self, name, not_negative(name, getattr(self, name)))
        if not isinstance(self.pressure, bool):
            raise InputError(f"pressure must be true or false, got {self.pressure!r}")
        if isinstance(self.obstacles, bool) or not isinstance(self.obstacles, int) or self.obstacles < 0:
            raise InputError(f"obstacles must be a whole number of at least 0, got {self.obstacles!r}")
        if self.obstacles > (most := _MOST_OBSTACLES.get(self.ndim, self.obstacles)):
            raise InputError(
                f"obstacles must be at most {most} in {self.ndim} dimensions, got {self.obstacles}: more of them, of "
                "radii from 0.05 to 0.12 sides, leave hardly any fluid between them; take fewer"
            )
        if self.scene == "vortices" and (self.obstacles or self.ndim != 2):
            raise InputError("scene='vortices' goes with two axes and without obstacles; take 'plume'")
        if self.scene == "stream" and not self.obstacles:
            raise InputError("obstacles must be at least 1 for scene='stream', got 0")
        _ = self.equation
        self.check_draw()

    @property
    def smoky(self) -> bool:
        """Whether there is smoke."""
        return self.scene in ("plume", "source")

    @property
    def equation(self) -> IncompressibleFlow:
        driven = {
            "cavity": {"lid": 1.0},
            "stream": {"boundary": "stream", "inflow": 1.0},
        }.get(self.scene, {})
        if self.smoky:
            driven = {"buoyancy": self.buoyancy, "diffusivity": self.diffusivity}
        return IncompressibleFlow(self.ndim, self.viscosity, convection=self.convection, **driven)

    @property
    def solver(self) -> str:
        return IncompressibleFlow.method if self.convection == "limited" else IncompressibleFlow.central_method

    @property
    def lengths(self) -> tuple[float, ...]:
        return (2.0 if self.scene == "stream" else 1.0, *(1.0,) * (self.ndim - 1))

    @property
    def inputs(self) -> tuple[str, ...]:
        return (*self._still, *self.equation.unknowns)

    @property
    def outputs(self) -> tuple[str, ...]:
        return (*self.equation.unknowns, *(("p",) if self.pressure else ()))

    @property
    def evolving(self) -> tuple[str, ...]:
        return self.outputs

    @property
    def _still(self) -> tuple[str, ...]:
        return (*(("solid",) if self.obstacles else ()), *(("q",) if self.scene == "source" else ()))

    @property
    def has_media(self) -> bool:
        return bool(self._still)

    def media(self, rngs: Sequence[np.random.Generator], grid: Grid) -> dict[str, np.ndarray]:
        found = {}
        if self.obstacles:
            law = Obstacles(self.obstacles, margin=0.25 if self.scene == "stream" else 0.2)
            found["solid"] = np.stack([law.sample(rng, grid) for rng in rngs]).astype(np.float64)
        if self.scene == "source":
            found["q"] = np.stack([self._source(rng, grid) for rng in rngs])
            if self.obstacles:  # no smoke comes from inside of them
                found["q"] *= 1 - found["solid"]
        return found

    def _source(self, rng: np.random.Generator, grid: Grid) -> np.ndarray:
        centre = [*rng.uniform(*_PLACES, grid.ndim - 1), rng.uniform(*_HEIGHTS)]
        radius = rng.uniform(*_RADII)
        away = [(x - start - c) ** 2 for x, start, c in zip(grid.mesh(), grid.origin, centre, strict=True)]
        return _RATE * np.exp(-sum(away) / radius**2)

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        if self.scene == "vortices":
            return np.stack([self._vortices(rng, grid) for rng in rngs])
        states = np.zeros((len(rngs), len(self.equation.unknowns), *grid.shape))
        if self.scene == "plume":
            states[:, -1] = [self._smoke(rng, grid) for rng in rngs]
        if self.scene == "stream":
            states[:, 0] = 1.0
        return states

    def first_states(self, stepper: Stepper, states: np.ndarray) -> np.ndarray:
        return stepper.finish(stepper.prepare(states)) if self.scene == "stream" else states

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
        u = (psi[1:, 1:] - psi[1:, :-1]) / grid.spacing[1]
        v = -(psi[1:, 1:] - psi[:-1, 1:]) / grid.spacing[0]
        u[-1], v[:, -1] = 0.0, 0.0
        return np.stack([u, v]) / np.sqrt((u**2 + v**2).mean()) * 0.5

    def stepper(self, grid: Grid, dt: float) -> Stepper:
        return self.stepper_in({}, grid, dt)

    def stepper_in(self, media: Mapping[str, np.ndarray], grid: Grid, dt: float) -> Stepper:
        own = {name: values for name, values in media.items() if name != "solid"}
        if "solid" not in media:
            return ProjectionStepper(self.equation, grid, dt, strict=False, own=own)
        made: dict[bytes, ProjectionStepper] = {}
        steppers = []
        for i, solid in enumerate(media["solid"]):
            row = {name: values[i : i + 1] for name, values in own.items()}
            key = b"".join(values.tobytes() for values in (solid, *row.values()))
            if key not in made:  # its matrix is factored once
                made[key] = ProjectionStepper(self.equation, grid, dt, solid=solid, strict=False, own=row)
            steppers.append(made[key])
        return EachSample(steppers)

    def derived(self, stepper: Stepper, states: np.ndarray) -> dict[str, np.ndarray]:
        if not self.pressure:
            return {}
        if isinstance(stepper, ProjectionStepper):
            return {"p": np.stack([stepper.pressure(frame) for frame in states])}
        assert isinstance(stepper, EachSample)
        ones = [one for one in stepper.steppers if isinstance(one, ProjectionStepper)]
        frames = [[one.pressure(frame[i : i + 1])[0] for i, one in enumerate(ones)] for frame in states]
        return {"p": np.array(frames)}

    def coarser(self, name: str, u: np.ndarray, grid: Grid, factor: int = 2) -> np.ndarray:
        if name in ("u", "v", "w"):
            return restricted_faces(u, "uvw".index(name), grid, factor)
        return super().coarser(name, u, grid, factor)

    def check(self, grid: Grid) -> None:
        """Refuse steps that no flow bears on the grid, and streams whose layers along obstacles it does not carry.

        Raises:
            InputError: such a time step, such a grid.
        """
        fine = self.solved_on(grid)
        greatest = replace(self.equation, viscosity=self.greatest("viscosity"))
        rate = float(greatest.courant(np.zeros((len(greatest.unknowns), *fine.shape)), fine))
        if self.steps(fine)[1] * rate > 1 + 1e-12:  # what the flow itself asks for, steps are taken in parts for
            stream = " and the speed of the stream" if self.scene == "stream" else ""
            raise InputError(
                f"time_step must be at most {1 / rate:.4g} for the viscosity{stream} on this grid, got "
                f"{self.time_step:g}; lower it or leave it out"
            )
        if self.scene == "stream":
            self._check_layers(fine)

    def _check_layers(self, grid: Grid) -> None:
        least, width = self.least("viscosity"), max(grid.spacing)
        if width > _CELL_REYNOLDS * least * (1 + 1e-12):
            enough = [math.ceil(length / (_CELL_REYNOLDS * least)) for length in grid.lengths] if least else []
            finer = f"take at least {'x'.join(map(str, enough))} points, oversampling, or " if enough else "take "
            raise InputError(
                f"resolution is too coarse for viscosity={least:.3g}: a stream of speed 1 has the Reynolds number "
                f"{width / least if least else math.inf:.3g} in a cell, at most {_CELL_REYNOLDS:g} carry the layers "
                f"along obstacles; {finer}a viscosity of at least {1.001 * width / _CELL_REYNOLDS:.3g}"
            )

    def usual_step(self, grid: Grid) -> float:
        viscosity = max(self.greatest("viscosity"), self.diffusivity)
        speed = SCENES[self.scene] * (2 if self.smoky else 1)  # see `IncompressibleFlow.courant`
        return _COURANT / sum((speed + 4 * viscosity / h) / h for h in grid.spacing)

    @property
    def bytes_per_point(self) -> int:
        """With the work of steps on eight states at once, and around obstacles the sparse factors of three steppers."""
        factors = (2000 if self.ndim == 2 else 12000) if self.obstacles else 0
        finer = (self.oversampling or 1) ** self.ndim
        return super().bytes_per_point + (1000 + factors + 16 * self.frames * self.pressure) * finer

    def at_once(self, grid: Grid) -> int:
        return 2 if self.obstacles else super().at_once(grid)
