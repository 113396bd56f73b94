"""Diffusion from random fields: the heat equation with a constant or a random coefficient, with or without sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.datasets.drawing import Drawable
from opforge.datasets.evolution import EvolutionRecipe
from opforge.datasets.random_drops import Drops
from opforge.datasets.random_fields import GaussianField, field_of_size
from opforge.errors import InputError
from opforge.pdes._numbers import positive
from opforge.pdes.equation import Field
from opforge.pdes.heat import Heat
from opforge.solvers.stepping.crank_nicolson import CrankNicolson
from opforge.solvers.stepping.diffusion import ExactDiffusion
from opforge.solvers.stepping.stepper import EachSample, Stepper

# The laws of initial states and of the logarithm of coefficients.
_SMOOTHNESS, _INVERSE_LENGTH, _CONTRAST = 3.0, 7.0, 0.5

# Sources: how many drops, how wide, how far from the boundary; in parts of the end time how often they swing, when they
# are switched on and off, and how long that takes.
_DROPS, _WIDTHS, _MARGIN = 3, (0.05, 0.1), 0.15
_SWINGS, _ON, _OFF, _SWITCH = (0.5, 3.0), (0.1, 0.4), (0.6, 0.9), 0.04

# Steps until the end time, at least, that follow such a source.
_STEPS = 240


@dataclass(frozen=True)
class HeatRecipe(EvolutionRecipe):
    """Random fields that diffuse: u_t = ∇·(a∇u) + f(x, t) on the unit box.

    The initial state is a Gaussian field with the boundary's conditions, N(0, σ²(−Δ + 49 I)^(−3)), of root
    mean square 1.

    Args:
        ndim: axes of space: 1, 2 or 3.
        diffusivity: a > 0, the median of random coefficients.
        draw: ``"diffusivity"``, see `DrawingRecipe`; with a constant coefficient.
        coefficient: ``"constant"``, solved exactly where there is no source; ``"lognormal"``, a e^g with a Gaussian
            field g, by Crank and Nicolson, an input beside u.
        boundary: ``"neumann"``, ``"dirichlet"`` or ``"periodic"``; the last with a constant coefficient alone.
        source: none unless given; ``"oscillating"``, f = q(x) cos 2π(νt/T + φ); ``"switching"``, f = q(x) between two
            times and 0 outside, with smooth edges; q are three random drops of height ``strength``, ν from ½ to 3, φ
            and the times are random, T is the end time. By Crank and Nicolson; f, at the frames, is an input.
        strength: greatest f; 5 unless given; of a source.

    Raises:
        InputError: a parameter out of range, or one that the kind of source does not have.

    Example:
        >>> recipe = HeatRecipe(frames=3)
        >>> recipe.sample(np.random.default_rng(0), recipe.grid(32)).fields["u"].shape
        (3, 32, 32)
        >>> heated = HeatRecipe(ndim=1, source="switching", frames=11)
        >>> f = heated.sample(np.random.default_rng(0), heated.grid(32)).fields["f"]
        >>> f.shape, bool(abs(f[0]).max() < 0.1 < abs(f[5]).max())
        ((11, 32), True)
    """

    ndim: int = 2
    diffusivity: float = 0.01
    coefficient: Literal["constant", "lognormal"] = "constant"
    boundary: Literal["neumann", "dirichlet", "periodic"] = "neumann"
    source: Literal["oscillating", "switching"] | None = None
    strength: float | None = None
    frames: int = 11
    tolerance: float = 1e-3

    name: ClassVar[str] = "heat"
    summary: ClassVar[str] = "Heat: random fields that diffuse, random coefficients, sources that change (1-D to 3-D)"
    points: ClassVar[Points] = "cells"
    drawable: ClassVar[tuple[Drawable, ...]] = (Drawable("diffusivity", "diffusivity"),)
    described: ClassVar[tuple[Field, ...]] = (Field("a", "diffusivity"),)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.source not in (None, "oscillating", "switching"):
            raise InputError(f"source must be oscillating or switching, or left out, got {self.source!r}")
        _ = self.equation
        if self.coefficient not in ("constant", "lognormal"):
            raise InputError(f"coefficient must be one of constant, lognormal, got {self.coefficient!r}")
        if self.boundary == "periodic" and self.coefficient != "constant":
            raise InputError("boundary='periodic' goes with coefficient='constant'; take 'neumann' or 'dirichlet'")
        if self.coefficient != "constant" and self.draw is not None:
            raise InputError(f"draw must be left out for coefficient={self.coefficient!r}, a field, got {self.draw!r}")
        self._set_strength()
        self.check_draw()

    def _set_strength(self) -> None:
        if self.timed:
            object.__setattr__(self, "strength", positive("strength", 5.0 if self.strength is None else self.strength))
            if self.settling:
                raise InputError(f"settling must be 0 with a source, whose clock starts then, got {self.settling:g}")
        elif self.strength is not None:
            raise InputError(
                f"strength has no effect without a source, got {self.strength!r}; leave it out or set source"
            )

    @property
    def equation(self) -> Heat:
        return Heat(self.ndim, self.diffusivity, self.boundary, forced=self.timed)

    @property
    def timed(self) -> bool:
        return self.source is not None

    @property
    def _exact(self) -> bool:
        return self.coefficient == "constant" and not self.timed

    @property
    def solver(self) -> str:
        if self._exact:
            return "exact in time, eigenfunctions of the Laplacian"
        return "Crank–Nicolson, finite volumes with harmonic means, sparse factors"

    @property
    def inputs(self) -> tuple[str, ...]:
        return (*(("a",) if self.coefficient != "constant" else ()), *(("f",) if self.timed else ()), "u")

    @property
    def has_media(self) -> bool:
        return not self._exact

    @property
    def outputs(self) -> tuple[str, ...]:
        return ("u",)

    @property
    def evolving(self) -> tuple[str, ...]:
        return ("u", "f") if self.timed else ("u",)

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        return np.stack([self._law().sample(rng, grid) for rng in rngs])[:, None]

    def _law(self) -> GaussianField:
        return field_of_size(1.0, _SMOOTHNESS, _INVERSE_LENGTH, self.lengths, self.boundary)

    def stepper(self, grid: Grid, dt: float) -> Stepper:
        return ExactDiffusion(grid, self.diffusivity, dt, self.boundary)

    def usual_step(self, grid: Grid) -> float:
        between = self.end_time / (self.frames - 1)
        if self._exact:
            return between
        return min(between / 8, self.end_time / _STEPS) if self.timed else between / 8

    def at_once(self, grid: Grid) -> int:
        return super().at_once(grid) if self._exact else 1

    def media(self, rngs: Sequence[np.random.Generator], grid: Grid) -> dict[str, np.ndarray]:
        found = {}
        if self.timed:  # drawn apart, for a finer grid draws more numbers for a coefficient
            apart = [rng.spawn(1)[0] for rng in rngs]
            found["clock"] = np.stack([self._clock(rng) for rng in apart])
            drops = [Drops(_DROPS, _WIDTHS, _MARGIN).sample(rng, grid) for rng in apart]
            found["strength"] = (self.strength or 0.0) * np.stack(drops)
        if self.coefficient != "constant":
            law = field_of_size(_CONTRAST, _SMOOTHNESS, _INVERSE_LENGTH, self.lengths)
            found["a"] = self.diffusivity * np.exp(np.stack([law.sample(rng, grid) for rng in rngs]))
        return found

    def _clock(self, rng: np.random.Generator) -> np.ndarray:
        """Two numbers: ν and φ, or the times between which a source is on, in parts of the end time."""
        if self.source == "oscillating":
            return np.array([rng.uniform(*_SWINGS), rng.random()])
        return np.array([rng.uniform(*_ON), rng.uniform(*_OFF)])

    def _swing(self, clock: np.ndarray, time: float) -> float:
        """What the source's strength is multiplied with at a time."""
        t, (first, second) = time / self.end_time, clock
        if self.source == "oscillating":
            return float(np.cos(2 * np.pi * (first * t + second)))
        return float(np.tanh((t - first) / _SWITCH) - np.tanh((t - second) / _SWITCH)) / 2

    def stepper_in(self, media: Mapping[str, np.ndarray], grid: Grid, dt: float) -> Stepper:
        if self._exact:
            rates = media["diffusivity"][:, None] if self.drawn else self.diffusivity
            return ExactDiffusion(grid, rates, dt, self.boundary)
        count = len(next(iter(media.values())))
        rates = media.get("diffusivity", np.full(count, self.diffusivity))
        coefficients = media.get("a", np.multiply.outer(rates, np.ones(grid.shape)))
        if not self.timed:
            return EachSample([CrankNicolson(grid, a, dt, self.boundary) for a in coefficients])
        starts = media.get("start", np.zeros(count))
        sources = [self._source(*each) for each in zip(media["strength"], media["clock"], strict=True)]
        return EachSample(
            [
                CrankNicolson(grid, a, dt, self.boundary, source=source, start=start)
                for a, source, start in zip(coefficients, sources, starts.tolist(), strict=True)
            ]
        )

    def _source(self, strength: np.ndarray, clock: np.ndarray) -> Callable[[float], np.ndarray]:
        return lambda time: self._swing(clock, time) * strength

    def derived(self, stepper: Stepper, states: np.ndarray) -> dict[str, np.ndarray]:
        if not self.timed:
            return {}
        assert isinstance(stepper, EachSample)
        steppers = [one for one in stepper.steppers if isinstance(one, CrankNicolson)]
        return {"f": np.array([[one.source_at(time) for one in steppers] for time in self.times.tolist()])}
