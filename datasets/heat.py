"""Diffusion from random fields: the heat equation with a constant or a random coefficient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.datasets.drawing import Drawable
from opforge.datasets.evolution import EvolutionRecipe
from opforge.datasets.random_fields import GaussianField, field_of_size
from opforge.errors import InputError
from opforge.pdes.heat import Heat
from opforge.solvers.stepping.diffusion import CrankNicolson, ExactDiffusion
from opforge.solvers.stepping.stepper import EachSample, Stepper

# The laws of initial states and of the logarithm of coefficients.
_SMOOTHNESS, _INVERSE_LENGTH, _CONTRAST = 3.0, 7.0, 0.5


@dataclass(frozen=True)
class HeatRecipe(EvolutionRecipe):
    """Random fields that diffuse: u_t = ∇·(a∇u) on the unit box.

    The initial state is a Gaussian field with the boundary's conditions, N(0, σ²(−Δ + 49 I)^(−3)), of root
    mean square 1.

    Args:
        ndim: axes of space: 1, 2 or 3.
        diffusivity: a > 0, the median of random coefficients.
        draw: ``"diffusivity"``, see `DrawingRecipe`; with a constant coefficient.
        coefficient: ``"constant"``, solved exactly; ``"lognormal"``, a e^g with a Gaussian field g, by Crank and
            Nicolson, an input beside u.
        boundary: ``"neumann"``, ``"dirichlet"`` or ``"periodic"``; the last with a constant coefficient alone.

    Raises:
        InputError: a parameter out of range.

    Example:
        >>> recipe = HeatRecipe(frames=3)
        >>> recipe.sample(np.random.default_rng(0), recipe.grid(32)).fields["u"].shape
        (3, 32, 32)
    """

    ndim: int = 2
    diffusivity: float = 0.01
    coefficient: Literal["constant", "lognormal"] = "constant"
    boundary: Literal["neumann", "dirichlet", "periodic"] = "neumann"
    frames: int = 11
    tolerance: float = 1e-3

    name: ClassVar[str] = "heat"
    summary: ClassVar[str] = "Heat: random fields that diffuse, constant or random coefficient (1-D to 3-D)"
    points: ClassVar[Points] = "cells"
    drawable: ClassVar[tuple[Drawable, ...]] = (Drawable("diffusivity", "diffusivity"),)

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.equation
        if self.coefficient not in ("constant", "lognormal"):
            raise InputError(f"coefficient must be one of constant, lognormal, got {self.coefficient!r}")
        if self.boundary == "periodic" and self.coefficient != "constant":
            raise InputError("boundary='periodic' goes with coefficient='constant'; take 'neumann' or 'dirichlet'")
        if self.coefficient != "constant" and self.draw is not None:
            raise InputError(f"draw must be left out for coefficient={self.coefficient!r}, a field, got {self.draw!r}")
        self.check_draw()

    @property
    def equation(self) -> Heat:
        return Heat(self.ndim, self.diffusivity, self.boundary)

    @property
    def solver(self) -> str:
        if self.coefficient == "constant":
            return "exact in time, eigenfunctions of the Laplacian"
        return "Crank–Nicolson, finite volumes with harmonic means, sparse factors"

    @property
    def inputs(self) -> tuple[str, ...]:
        return ("u",) if self.coefficient == "constant" else ("a", "u")

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        return np.stack([self._law().sample(rng, _points(grid, self.boundary)) for rng in rngs])[:, None]

    def _law(self) -> GaussianField:
        return field_of_size(1.0, _SMOOTHNESS, _INVERSE_LENGTH, self.lengths, self.boundary)

    def stepper(self, grid: Grid, dt: float) -> Stepper:
        return ExactDiffusion(grid, self.diffusivity, dt, self.boundary)

    def usual_step(self, grid: Grid) -> float:
        return self.end_time / (self.frames - 1) / (1 if self.coefficient == "constant" else 8)

    def at_once(self, grid: Grid) -> int:
        return super().at_once(grid) if self.coefficient == "constant" else 1

    def media(self, rngs: Sequence[np.random.Generator], grid: Grid) -> dict[str, np.ndarray]:
        law = field_of_size(_CONTRAST, _SMOOTHNESS, _INVERSE_LENGTH, self.lengths)
        return {"a": self.diffusivity * np.exp(np.stack([law.sample(rng, grid) for rng in rngs]))}

    def stepper_in(self, media: Mapping[str, np.ndarray], grid: Grid, dt: float) -> Stepper:
        if "a" not in media:
            rates = media["diffusivity"][:, None] if self.drawn else self.diffusivity
            return ExactDiffusion(grid, rates, dt, self.boundary)
        return EachSample([CrankNicolson(grid, a, dt, self.boundary) for a in media["a"]])


def _points(grid: Grid, boundary: str) -> Grid:
    """The same cells for a periodic field: its points are their centres, which are as good as any."""
    return Grid(grid.shape, grid.lengths, "periodic", grid.origin) if boundary == "periodic" else grid
