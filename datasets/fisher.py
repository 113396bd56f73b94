"""Populations that grow and spread: the equation of Fisher and KPP from random drops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from opforge.core import Grid
from opforge.datasets.drawing import Drawable
from opforge.datasets.evolution import EvolutionRecipe
from opforge.datasets.random_drops import Drops
from opforge.errors import InputError
from opforge.pdes.fisher import Fisher
from opforge.solvers.stepping.exponential import ETDRK4

_WIDTHS = (0.04, 0.08)

# Growth rates times time after which rounding is as large as what solutions are checked to.
_LONGEST = 25.0


@dataclass(frozen=True)
class FisherRecipe(EvolutionRecipe):
    """Settlements that spread: u_t = D Δu + r u (1 − u) on the periodic unit box.

    The initial state is a number of random drops, u up to ½.

    Args:
        ndim: axes of space: 1, 2 or 3.
        diffusivity: D > 0.
        rate: r > 0.
        draw: ``"diffusivity"``, ``"rate"`` or both, see `DrawingRecipe`; the rate from half of its value to it.
        drops: how many, at least 1.

    Raises:
        InputError: a parameter out of range.

    Example:
        >>> recipe = FisherRecipe(frames=3, end_time=1.0)
        >>> recipe.sample(np.random.default_rng(0), recipe.grid(64)).fields["u"].shape
        (3, 64, 64)
    """

    ndim: int = 2
    diffusivity: float = 1e-3
    rate: float = 1.0
    drops: int = 4
    frames: int = 21
    end_time: float = 10.0

    name: ClassVar[str] = "fisher"
    summary: ClassVar[str] = "Fisher–KPP: populations that grow and spread (1-D to 3-D)"
    solver: ClassVar[str] = "ETDRK4, Fourier, dealiased by the 2/3 rule"
    drawable: ClassVar[tuple[Drawable, ...]] = (
        Drawable("diffusivity", "diffusivity"),
        Drawable("rate", "growth rate", (0.5, 1.0)),
    )
    least_resolution: ClassVar[int] = 32
    why_least: ClassVar[str] = "3 points across the narrowest drop, 0.09 of the box"

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.equation
        rate = self.greatest("rate")
        if rate * self.end_time > _LONGEST:
            raise InputError(
                f"end_time must be at most {_LONGEST / rate:g}: where nobody lives, rounding grows as e^(rt) and "
                f"may fall below 0, got {self.end_time:g}"
            )
        if isinstance(self.drops, bool) or not isinstance(self.drops, int) or self.drops < 1:
            raise InputError(f"drops must be a whole number of at least 1, got {self.drops!r}")
        self.check_draw()

    @property
    def equation(self) -> Fisher:
        return Fisher(self.ndim, self.diffusivity, self.rate)

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        law = Drops(self.drops, _WIDTHS)
        return np.stack([0.5 * law.sample(rng, grid) for rng in rngs])[:, None]

    def stepper(self, grid: Grid, dt: float) -> ETDRK4:
        return ETDRK4(self.equation, grid, dt)

    def usual_step(self, grid: Grid) -> float:
        return 0.1 / self.greatest("rate")
