"""Chaos in one dimension: the Kuramoto–Sivashinsky equation from random waves."""

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
from opforge.pdes._numbers import positive
from opforge.pdes.kuramoto_sivashinsky import KuramotoSivashinsky
from opforge.solvers.stepping.exponential import ETDRK4

# Waves of the initial state.
_WAVES = 5

# Wavenumber, in radians per unit of length times √ν, up to which modes must be kept: for ν = 1 waves decay there at the
# rate 64 − 8.
_SHORTEST = 2.8

# Speeds that the solution reaches on its attractor.
_FASTEST = 4.0


@dataclass(frozen=True)
class KuramotoSivashinskyRecipe(EvolutionRecipe):
    """Random waves to chaos: u_t + u u_x + u_xx + ν u_xxxx = 0 on a periodic interval.

    The initial state is a random Fourier series of mean 0 with wavenumbers up to 5 and root mean square ``amplitude``.
    It takes to the attractor in some 50 units of time; ``settling`` starts the record there.

    Args:
        length: of the interval; with ν = 1, 22 has little chaos, 44 some, which 64 points carry, 64 much.
        viscosity: ν > 0, of the short waves.
        draw: ``"viscosity"``, see `DrawingRecipe`; from half of it to twice as much unless given.
        amplitude: of the initial state.

    Raises:
        InputError: a parameter out of range.

    Example:
        >>> recipe = KuramotoSivashinskyRecipe(frames=3, end_time=1.0)
        >>> recipe.sample(np.random.default_rng(0), recipe.grid(64)).fields["u"].shape
        (3, 64)
    """

    frames: int = 51
    end_time: float = 50.0
    length: float = 44.0
    viscosity: float = 1.0
    amplitude: float = 1.0

    name: ClassVar[str] = "kuramoto_sivashinsky"
    summary: ClassVar[str] = "Kuramoto–Sivashinsky: random waves to chaos (1-D)"
    solver: ClassVar[str] = "ETDRK4, Fourier, dealiased by the 2/3 rule"
    drawable: ClassVar[tuple[Drawable, ...]] = (Drawable("viscosity", "viscosity of short waves", (0.5, 2.0)),)
    least_resolution: ClassVar[int] = 48
    why_least: ClassVar[str] = "with fewer no modes are kept that viscosity damps"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("length", "viscosity", "amplitude"):
            object.__setattr__(self, name, positive(name, getattr(self, name)))
        self.check_draw()

    @property
    def equation(self) -> KuramotoSivashinsky:
        return KuramotoSivashinsky(viscosity=self.viscosity)

    @property
    def lengths(self) -> tuple[float, ...]:
        return (self.length,)

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        law = FourierSeries(_WAVES, self.amplitude)
        return np.stack([law.sample(rng, grid) for rng in rngs])[:, None]

    def stepper(self, grid: Grid, dt: float) -> ETDRK4:
        return ETDRK4(self.equation, grid, dt)

    def check(self, grid: Grid) -> None:
        """Refuse a grid that does not keep the short waves, which take the energy of the long ones.

        Raises:
            InputError: such a grid.
        """
        super().check(grid)
        shortest = _SHORTEST / math.sqrt(self.least("viscosity"))
        n, least = self.solved_on(grid).shape[0], math.ceil(3 * shortest * self.length / (2 * math.pi))
        if n < least:
            raise InputError(
                f"resolution must be at least {least} points for length={self.length:g}, where waves decay fast enough "
                f"to end the spectrum, or oversampling; got {n}"
            )

    def usual_step(self, grid: Grid) -> float:
        shortest = 2 * np.pi * self.equation.highest_modes(grid)[0] / self.length
        # waves grow at the rate 1/4ν
        return min(1.0, self.least("viscosity")) * min(0.05, 1.0 / (_FASTEST * shortest))
