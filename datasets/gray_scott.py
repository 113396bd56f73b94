"""Patterns of two substances that react: the Gray–Scott equations from random drops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from opforge.core import Grid
from opforge.datasets.drawing import Drawable
from opforge.datasets.evolution import EvolutionRecipe
from opforge.datasets.random_drops import Drops
from opforge.errors import InputError
from opforge.pdes._numbers import axes_of_space, not_negative, positive
from opforge.pdes.gray_scott import PATTERNS, GrayScott
from opforge.solvers.stepping.exponential import ETDRK4

# How wide drops are, in parts of the box's side.
_WIDTHS = (0.04, 0.06)

# Points that √(D_v/(F + k)), the length over which the edges of v fade, needs where half of the modes are kept: with so
# many u is up to 5 and v up to 10 per cent off at t = 2000, for spots that are about to divide; with a quarter fewer, v
# is up to 46 per cent off.
_POINTS_PER_WIDTH = 1.5


@dataclass(frozen=True)
class GrayScottRecipe(EvolutionRecipe):
    """Drops that grow to patterns: u_t = D_u Δu − u v² + F(1 − u), v_t = D_v Δv + u v² − (F + k) v, periodic.

    The initial state is u = 1, v = 0 with random drops of u = ½, v = ½. D_u = 2e-5 and D_v = 1e-5. A larger box has
    more spots and takes more points (see `check`).

    Args:
        ndim: axes of space: 1, 2 or 3.
        pattern: ``"spots"``, ``"maze"``, ``"holes"``, ``"spirals"`` or ``"chaos"``: names for rates F and k.
        feed, kill: F and k, instead of a pattern's.
        draw: ``"feed"``, ``"kill"`` or both, see `DrawingRecipe`; within 10 % and 3 % of their values unless given.
        drops: how many, at least 1.
        side: of the box, greater than 0; unless given one that 64 points resolve, the source's is 2.5. Drops grow with
            it: below 0.6 some patterns' fade before they react, and nothing is left (spirals at 0.5, spots at 0.3).

    Raises:
        InputError: a parameter out of range, an unknown pattern.

    Example:
        >>> recipe = GrayScottRecipe(frames=3, end_time=20.0)
        >>> recipe.sample(np.random.default_rng(0), recipe.grid(64)).fields["v"].shape
        (3, 64, 64)

    Source:
        Pearson, "Complex patterns in a simple system".
    """

    ndim: int = 2
    pattern: str = "spots"
    feed: float | None = None
    kill: float | None = None
    drops: int = 8
    side: float = 0.45
    frames: int = 21
    end_time: float = 2000.0
    tolerance: float = 1e-3

    name: ClassVar[str] = "gray_scott"
    summary: ClassVar[str] = "Gray–Scott: drops that grow to spots, mazes, waves (1-D to 3-D)"
    solver: ClassVar[str] = "ETDRK4, Fourier, dealiased by the 1/2 rule"
    drawable: ClassVar[tuple[Drawable, ...]] = (
        Drawable("feed", "rate of feeding", (0.9, 1.1)),
        Drawable("kill", "rate of removal", (0.97, 1.03)),
    )
    least_resolution: ClassVar[int] = 48
    why_least: ClassVar[str] = "4 points across the narrowest drop, 0.09 of the box"

    def __post_init__(self) -> None:
        super().__post_init__()
        axes_of_space(self.ndim, (1, 2, 3))
        if not isinstance(self.pattern, str) or self.pattern not in PATTERNS:
            raise InputError(f"pattern must be one of {', '.join(PATTERNS)}, got {self.pattern!r}")
        for name, usual in zip(("feed", "kill"), PATTERNS[self.pattern], strict=True):
            value = getattr(self, name)
            object.__setattr__(self, name, not_negative(name, usual if value is None else value))
        if isinstance(self.drops, bool) or not isinstance(self.drops, int) or self.drops < 1:
            raise InputError(f"drops must be a whole number of at least 1, got {self.drops!r}")
        object.__setattr__(self, "side", positive("side", self.side))
        self.check_draw()

    @property
    def equation(self) -> GrayScott:
        assert self.feed is not None and self.kill is not None
        return GrayScott(self.ndim, feed=self.feed, kill=self.kill)

    @property
    def lengths(self) -> tuple[float, ...]:
        return (self.side,) * self.ndim

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        law = Drops(self.drops, _WIDTHS)
        there = np.stack([law.sample(rng, grid) for rng in rngs])
        return np.stack([1 - 0.5 * there, 0.5 * there], 1)

    def stepper(self, grid: Grid, dt: float) -> ETDRK4:
        return ETDRK4(self.equation, grid, dt)

    def check(self, grid: Grid) -> None:
        """Refuse a grid that does not resolve the edges of v, which decide when spots divide and where fronts stop.

        Raises:
            InputError: such a grid.
        """
        loss = self.greatest("feed") + self.greatest("kill")
        least = math.ceil(_POINTS_PER_WIDTH * self.side * math.sqrt(loss / self.equation.diffusivity_v))
        if min(self.solved_on(grid).shape) < least:
            raise InputError(
                f"resolution is too coarse for side={self.side:g}, feed={self.greatest('feed'):.3g} and "
                f"kill={self.greatest('kill'):.3g}: take at least {least} points per axis, oversampling, or a smaller "
                f"side; got {'x'.join(map(str, grid.shape))}"
            )
        super().check(grid)

    def usual_step(self, grid: Grid) -> float:
        return 1.0
