"""Phases that part: the Allen–Cahn and Cahn–Hilliard equations from random fields."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from opforge.core import Grid
from opforge.datasets.drawing import Drawable
from opforge.datasets.evolution import EvolutionRecipe
from opforge.datasets.random_series import FourierSeries
from opforge.errors import InputError
from opforge.pdes._numbers import axes_of_space, finite, positive
from opforge.pdes.allen_cahn import AllenCahn
from opforge.pdes.cahn_hilliard import CahnHilliard
from opforge.solvers.stepping.exponential import ETDRK4

_WAVES = 6

# Points of a grid, per axis, that the boundary between phases, 2√2 ε wide, needs where half of the modes are kept: with
# so many states are a few per cent off; with half as many, regions merge that should part.
_POINTS_PER_WIDTH = 3.6


@dataclass(frozen=True)
class _PhaseFieldRecipe(EvolutionRecipe):
    """What both have in common; see the public recipes."""

    ndim: int = 2
    width: float = 0.02
    amplitude: float = 0.2
    mean: float = 0.0
    tolerance: float = 1e-3

    solver: ClassVar[str] = "ETDRK4, Fourier, dealiased by the 1/2 rule"
    drawable: ClassVar[tuple[Drawable, ...]] = (Drawable("width", "width of the boundary between phases", (1.0, 2.0)),)
    least_resolution: ClassVar[int] = 4 * _WAVES + 1
    why_least: ClassVar[str] = f"initial states have waves up to {_WAVES}, and modes up to (n − 1)/4 are kept"

    def __post_init__(self) -> None:
        super().__post_init__()
        axes_of_space(self.ndim, (1, 2, 3))
        for name in ("width", "amplitude"):
            object.__setattr__(self, name, positive(name, getattr(self, name)))
        object.__setattr__(self, "mean", finite("mean", self.mean))
        if abs(self.mean) >= 1:
            raise InputError(f"mean must lie between -1 and 1, the phases, got {self.mean!r}")
        self.check_draw()

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        law = FourierSeries(_WAVES, self.amplitude, mean=self.mean)
        return np.stack([law.sample(rng, grid) for rng in rngs])[:, None]

    def stepper(self, grid: Grid, dt: float) -> ETDRK4:
        return ETDRK4(self.equation, grid, dt)

    def check(self, grid: Grid) -> None:
        """Refuse a grid that does not resolve the boundary between phases.

        Raises:
            InputError: such a grid.
        """
        super().check(grid)
        width = self.least("width")
        least = math.ceil(_POINTS_PER_WIDTH / (2 * math.sqrt(2) * width))
        if min(self.solved_on(grid).shape) < least:
            raise InputError(
                f"resolution is too coarse for width={width:g}: take at least {least} points per axis, or "
                f"oversampling; got {'x'.join(map(str, grid.shape))}"
            )


@dataclass(frozen=True)
class AllenCahnRecipe(_PhaseFieldRecipe):
    """Phases that part, and boundaries that move by their curvature: u_t = ε² Δu + u − u³ on the periodic unit box.

    The initial state is a random Fourier series with wavenumbers up to 6 around ``mean``.

    Args:
        ndim: axes of space: 1, 2 or 3.
        width: ε > 0.
        draw: ``"width"``, see `DrawingRecipe`; from it to twice as much unless a range is given.
        amplitude: root mean square of the initial waves.
        mean: of the initial state, between −1 and 1.

    Raises:
        InputError: a parameter out of range.

    Example:
        >>> recipe = AllenCahnRecipe(frames=3, end_time=1.0)
        >>> recipe.sample(np.random.default_rng(0), recipe.grid(64)).fields["u"].shape
        (3, 64, 64)
    """

    frames: int = 21
    end_time: float = 20.0

    name: ClassVar[str] = "allen_cahn"
    summary: ClassVar[str] = "Allen–Cahn: phases that part, boundaries that move by curvature (1-D to 3-D)"

    @property
    def equation(self) -> AllenCahn:
        return AllenCahn(self.ndim, self.width)

    def usual_step(self, grid: Grid) -> float:
        return 0.1


@dataclass(frozen=True)
class CahnHilliardRecipe(_PhaseFieldRecipe):
    """A mixture that parts into phases that grow: u_t = Δ(u³ − u − ε² Δu) on the periodic unit box.

    The initial state is a random Fourier series with wavenumbers up to 6 around ``mean``, which stays. The fastest
    waves grow at the rate 1/(4ε²).

    Args:
        ndim: axes of space: 1, 2 or 3.
        width: ε > 0.
        draw: ``"width"``, see `DrawingRecipe`; from it to twice as much unless a range is given.
        amplitude: root mean square of the initial waves.
        mean: of the state, between −1 and 1.

    Raises:
        InputError: a parameter out of range.

    Example:
        >>> recipe = CahnHilliardRecipe(frames=3, end_time=1e-3)
        >>> recipe.sample(np.random.default_rng(0), recipe.grid(64)).fields["u"].shape
        (3, 64, 64)
    """

    frames: int = 21
    end_time: float = 0.1

    name: ClassVar[str] = "cahn_hilliard"
    summary: ClassVar[str] = "Cahn–Hilliard: a mixture that parts into phases, mass kept (1-D to 3-D)"

    @property
    def equation(self) -> CahnHilliard:
        return CahnHilliard(self.ndim, self.width)

    def usual_step(self, grid: Grid) -> float:
        return 0.05 * 4 * self.least("width") ** 2
