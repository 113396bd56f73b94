"""Elastic waves from explosions and pushes, in homogeneous, random and layered solids and around inclusions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.datasets.evolution import EvolutionRecipe
from opforge.datasets.random_drops import Drops
from opforge.datasets.random_fields import field_of_size, law_boundary
from opforge.datasets.random_obstacles import Obstacles
from opforge.datasets.restriction import restricted_halves
from opforge.errors import InputError
from opforge.pdes._solid import halves
from opforge.pdes.elastic import Elastic
from opforge.pdes.equation import Field
from opforge.solvers.stepping.elastic import ElasticLeapfrog
from opforge.solvers.stepping.stepper import Stepper

_MEDIA, _SOURCES = ("homogeneous", "random", "layers", "inclusions"), ("push", "explosion")

# Bumps of a source; an inclusion's size.
_BUMPS, _WIDTHS, _MARGIN, _SIZES = 2, (0.05, 0.07), 0.2, (0.06, 0.14)

# Speeds of waves are from e^−_CONTRAST to e^_CONTRAST times their median; a random field's logarithm has the root mean
# square _SPREAD before it is bounded. Of the ratio c_s/c_p at least _LEAST_RATIO is left.
_CONTRAST, _SPREAD, _LEAST_RATIO = 0.5, 0.25, 0.8

# Density grows as the fourth root of the speed: Gardner, Gardner and Gregory, "Formation velocity and density", 1974.
_GARDNER = 0.25

# How many times shorter than its limit the time step is.
_SHORTER = 4.0


@dataclass(frozen=True)
class ElasticRecipe(EvolutionRecipe):
    """Waves in a solid, ρ v_t = ∇·σ, σ_t = λ (∇·v) I + μ (∇v + ∇vᵀ), on the unit box.

    Velocities are half a spacing above the points along their axis, shear stresses along both of theirs. In a medium of
    its own the speeds of a sample and its density are inputs: ``cp`` is up to e^½ times greater or less than
    ``p_speed``, ``cs`` as much, times a ratio from 0.8 to 1, and ``rho`` as the fourth root of the speed.

    Args:
        ndim: axes of space: 2 or 3.
        p_speed, s_speed: c_p and c_s, of random media the medians; see `Elastic` for their bounds.
        density: ρ > 0.
        medium: ``"homogeneous"``; ``"random"``, smooth random fields; ``"layers"`` with wavy interfaces across the last
            axis; ``"inclusions"``, stiffer or softer bodies.
        source: what moves at time 0: ``"push"``, two bumps of velocity in random directions; ``"explosion"``, two bumps
            of pressure, from rest.
        boundary: ``"free"``, ``"surface"``, ``"rigid"``, ``"slip"`` or ``"periodic"``; see `Elastic`.
        waves: whether to keep the divergence and the curl of the velocity too, which tell P and S waves apart; in two
            dimensions.

    Raises:
        InputError: a parameter out of range.

    Example:
        >>> recipe = ElasticRecipe(medium="layers", frames=3, end_time=0.1)
        >>> sorted(recipe.sample(np.random.default_rng(0), recipe.grid(33)).fields)
        ['cp', 'cs', 'rho', 'sxx', 'sxy', 'syy', 'u', 'v']
    """

    ndim: int = 2
    p_speed: float = 1.0
    s_speed: float = 0.6
    density: float = 1.0
    medium: Literal["homogeneous", "random", "layers", "inclusions"] = "homogeneous"
    source: Literal["push", "explosion"] = "push"
    boundary: Literal["free", "surface", "rigid", "slip", "periodic"] = "free"
    waves: bool = False
    frames: int = 21
    tolerance: float = 5e-2

    name: ClassVar[str] = "elastic"
    summary: ClassVar[str] = "Elastic waves: pushes and explosions in random, layered solids, free surfaces (2-D, 3-D)"
    solver: ClassVar[str] = Elastic.method
    least_resolution: ClassVar[int] = 32
    why_least: ClassVar[str] = "3 nodes across the narrowest push, 0.12 of the box"
    described: ClassVar[tuple[Field, ...]] = (
        Field("rho", "density"),
        Field("cp", "speed of P waves"),
        Field("cs", "speed of S waves"),
        Field("div", "divergence of velocity"),
        Field("curl", "curl of velocity"),
    )

    lost_by_coarsening: ClassVar[str] = "energy and momentum"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, known in (("medium", _MEDIA), ("source", _SOURCES)):
            if getattr(self, name) not in known:
                raise InputError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if not isinstance(self.waves, bool):
            raise InputError(f"waves must be true or false, got {self.waves!r}")
        if self.waves and self.ndim != 2:
            raise InputError(f"waves must be false unless ndim=2, where the curl is one field, got ndim={self.ndim!r}")
        _ = self.equation

    @property
    def equation(self) -> Elastic:
        return Elastic(self.ndim, self.density, self.p_speed, self.s_speed, self.boundary)

    @property
    def points(self) -> Points:
        return "periodic" if self.boundary == "periodic" else "nodes"

    @property
    def has_media(self) -> bool:
        return self.medium != "homogeneous"

    @property
    def inputs(self) -> tuple[str, ...]:
        return (*(("rho", "cp", "cs") if self.has_media else ()), *self.equation.unknowns)

    @property
    def outputs(self) -> tuple[str, ...]:
        return (*self.equation.unknowns, *(("div", "curl") if self.waves else ()))

    @property
    def evolving(self) -> tuple[str, ...]:
        return self.outputs

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        states = np.zeros((len(rngs), len(self.equation.unknowns), *grid.shape))
        for state, rng in zip(states, rngs, strict=True):
            if self.source == "explosion":
                state[grid.ndim : 2 * grid.ndim] = -Drops(_BUMPS, _WIDTHS, _MARGIN).sample(rng, grid)
            else:
                state[: grid.ndim] = self._pushes(rng, grid)
        return self.equation.admissible(states, grid)

    def _pushes(self, rng: np.random.Generator, grid: Grid) -> np.ndarray:
        """Velocities of bumps at the points, then means of two points: where the velocities are, to order 2."""
        velocity = np.zeros((grid.ndim, *grid.shape))
        for _ in range(_BUMPS):
            direction = rng.standard_normal(grid.ndim)
            bump = Drops(1, _WIDTHS, _MARGIN).sample(rng, grid)
            velocity += np.multiply.outer(direction / np.linalg.norm(direction), bump)
        places = self.equation.places(grid)
        return np.stack([(v + places.above(v, i)) / 2 for i, v in enumerate(velocity)])

    def media(self, rngs: Sequence[np.random.Generator], grid: Grid) -> dict[str, np.ndarray]:
        of = {"random": self._random, "layers": self._layers, "inclusions": self._inclusions}[self.medium]
        made = [of(rng, grid) for rng in rngs]
        speed = np.exp(np.stack([logarithm for logarithm, _ in made]))
        ratio = np.stack([ratio for _, ratio in made])
        return {
            "rho": self.density * speed**_GARDNER,
            "cp": self.p_speed * speed,
            "cs": self.s_speed * speed * (_LEAST_RATIO + (1 - _LEAST_RATIO) * ratio),
        }

    def _random(self, rng: np.random.Generator, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
        """The logarithm of the speed, within ±_CONTRAST, and where between its bounds c_s/c_p is, from 0 to 1."""
        law = field_of_size(1.0, 3.0, 8.0, self.lengths, law_boundary(self.boundary))
        first, second = (law.sample(one, grid) for one in rng.spawn(2))
        return _CONTRAST * np.tanh(_SPREAD / _CONTRAST * first), (1 + np.tanh(second)) / 2

    def _layers(self, rng: np.random.Generator, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
        *across, height = ((x - x0) / side for x, x0, side in zip(grid.mesh(), grid.origin, grid.lengths, strict=True))
        count = rng.integers(2, 5)
        interfaces = (np.arange(count) + rng.uniform(0.2, 0.8, count)) / count
        layer = np.zeros(grid.shape, int)
        for interface in interfaces:
            wave = sum(np.cos(2 * np.pi * (rng.integers(1, 3) * x + rng.random())) for x in across)
            layer += height > interface + rng.uniform(0, 0.04) * wave
        logarithms, ratios = rng.uniform(-_CONTRAST, _CONTRAST, len(interfaces) + 1), rng.random(len(interfaces) + 1)
        return logarithms[layer], ratios[layer]

    def _inclusions(self, rng: np.random.Generator, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
        logarithm, ratio = np.zeros(grid.shape), np.full(grid.shape, rng.random())
        for _ in range(rng.integers(2, 5)):
            inside = Obstacles(1, _SIZES).sample(rng, grid)
            logarithm[inside] = rng.uniform(0.3 * _CONTRAST, _CONTRAST) * rng.choice([-1, 1])
            ratio[inside] = rng.random()
        return logarithm, ratio

    def stepper(self, grid: Grid, dt: float) -> Stepper:
        return ElasticLeapfrog(self.equation, grid, dt)

    def stepper_in(self, media: Mapping[str, np.ndarray], grid: Grid, dt: float) -> Stepper:
        return ElasticLeapfrog(self.equation, grid, dt, media)

    def derived(self, stepper: Stepper, states: np.ndarray) -> dict[str, np.ndarray]:
        if not self.waves:
            return {}
        assert isinstance(stepper, ElasticLeapfrog)
        velocity = [states[:, :, i] for i in range(self.ndim)]
        divergence = self.equation.divergence(velocity, stepper.grid, stepper.media)
        return {"div": divergence, "curl": self.equation.curl(velocity, stepper.grid)}

    def coarser(self, name: str, u: np.ndarray, grid: Grid, factor: int = 2) -> np.ndarray:
        return restricted_halves(u, halves(name), grid, factor)

    def usual_step(self, grid: Grid) -> float:
        fastest = np.exp(_CONTRAST) if self.has_media else 1.0
        return self.equation.longest_step(grid) / (fastest * _SHORTER)

    @property
    def bytes_per_point(self) -> int:
        """With derived fields, the medium's coefficients and the work of steps on four states at once."""
        return super().bytes_per_point + 1000 + 48 * self.frames * self.waves
