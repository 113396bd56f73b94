"""Activator and inhibitor: PDEBench's two-dimensional diffusion–reaction, from noise or from smooth random fields."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.datasets.drawing import Drawable
from opforge.datasets.evolution import EvolutionRecipe
from opforge.datasets.random_fields import field_of_size
from opforge.errors import InputError
from opforge.pdes.fitzhugh_nagumo import FitzHughNagumo
from opforge.solvers.stepping.diffusion import ExactDiffusion
from opforge.solvers.stepping.runge_kutta import RK4, StrangSplitting

_SIDE = 2.0

# Cells that √D_u, the thickness of fronts of the activator, needs: with so many states are a few per cent off.
_CELLS_PER_WIDTH = 0.5

# D_v for which the usual time step is.
_DIFFUSIVITY = 5e-3


@dataclass(frozen=True)
class FitzHughNagumoRecipe(EvolutionRecipe):
    """Random fields that react: u_t = D_u Δu + u − u³ − k − v, v_t = D_v Δv + u − v on a box of side 2.

    Nothing flows through the boundary.

    Args:
        ndim: axes of space: 1 or 2.
        initial: ``"smooth"`` for Gaussian fields N(0, σ²(−Δ + 64 I)^(−3)) of root mean square 1, the same
            functions on every grid;
            ``"noise"`` for independent standard normal numbers in every cell, as in the source: another function on
            every grid.
        diffusivity_u, diffusivity_v: D_u and D_v >= 0; those of the source unless given.
        threshold: k; that of the source unless given.
        draw: any of these three, see `DrawingRecipe`; the threshold uniform, between −k and k unless given.

    Raises:
        InputError: a parameter out of range.

    Example:
        >>> recipe = FitzHughNagumoRecipe(frames=3, end_time=0.5)
        >>> recipe.sample(np.random.default_rng(0), recipe.grid(32)).fields["v"].shape
        (3, 32, 32)

    Source:
        Takamoto et al., "PDEBench: An Extensive Benchmark for Scientific Machine Learning", appendix D.4: 128 x 128
        cells, 101 frames until t = 5.
    """

    ndim: int = 2
    initial: Literal["smooth", "noise"] = "smooth"
    diffusivity_u: float = 1e-3
    diffusivity_v: float = 5e-3
    threshold: float = 5e-3
    frames: int = 101
    end_time: float = 5.0
    tolerance: float = 1e-3

    name: ClassVar[str] = "fitzhugh_nagumo"
    summary: ClassVar[str] = "FitzHugh–Nagumo: PDEBench's diffusion–reaction, nothing through the walls (1-D, 2-D)"
    solver: ClassVar[str] = FitzHughNagumo.method
    points: ClassVar[Points] = "cells"
    drawable: ClassVar[tuple[Drawable, ...]] = (
        Drawable("diffusivity_u", "diffusivity of the activator"),
        Drawable("diffusivity_v", "diffusivity of the inhibitor"),
        Drawable("threshold", "threshold k", (-1.0, 1.0), uniform=True),
    )
    least_resolution: ClassVar[int] = 16
    why_least: ClassVar[str] = "8 cells per unit of length, with fewer patterns have no shape"

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.equation
        if self.initial not in ("smooth", "noise"):
            raise InputError(f"initial must be one of smooth, noise, got {self.initial!r}")
        self.check_draw()

    @property
    def equation(self) -> FitzHughNagumo:
        return FitzHughNagumo(self.ndim, self.diffusivity_u, self.diffusivity_v, self.threshold)

    @property
    def lengths(self) -> tuple[float, ...]:
        return (_SIDE,) * self.ndim

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        if self.initial == "noise":
            return np.stack([rng.standard_normal((2, *grid.shape)) for rng in rngs])
        law = field_of_size(1.0, 3.0, 8.0, self.lengths)
        return np.stack([np.stack([law.sample(child, grid) for child in rng.spawn(2)]) for rng in rngs])

    def stepper(self, grid: Grid, dt: float) -> StrangSplitting:
        equation = self.equation
        rates = np.array([equation.diffusivity_u, equation.diffusivity_v])
        reaction = RK4(partial(equation.reaction, ndim=self.ndim), dt, limit=equation.longest_step)
        return StrangSplitting(ExactDiffusion(grid, rates, dt / 2, "neumann"), reaction)

    def check(self, grid: Grid) -> None:
        """Refuse a grid that does not resolve the fronts of the activator.

        Raises:
            InputError: such a grid.
        """
        super().check(grid)
        diffusivity = self.least("diffusivity_u")
        least = math.ceil(_CELLS_PER_WIDTH * _SIDE / math.sqrt(diffusivity)) if diffusivity > 0 else 0
        if min(self.solved_on(grid).shape) < least:
            raise InputError(
                f"resolution is too coarse for diffusivity_u={diffusivity:g}: take at least {least} cells per axis, or "
                f"oversampling; got {'x'.join(map(str, grid.shape))}"
            )

    def usual_step(self, grid: Grid) -> float:
        # the error of splitting grows with the stronger diffusion
        return 0.0125 * math.sqrt(_DIFFUSIVITY / max(self.greatest("diffusivity_v"), _DIFFUSIVITY))
