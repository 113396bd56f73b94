"""Solitary waves: the Korteweg–de Vries equation from random waves, or from two solitons that meet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.datasets.drawing import Drawable
from opforge.datasets.evolution import EvolutionRecipe
from opforge.datasets.random_drops import Drops
from opforge.datasets.random_series import FourierSeries
from opforge.errors import InputError
from opforge.pdes._numbers import positive
from opforge.pdes.korteweg_de_vries import KortewegDeVries
from opforge.solvers.stepping.exponential import ETDRK4

_WAVES = 3

# Usual amplitudes; the law of humps.
_AMPLITUDES, _HUMPS = {"series": 0.25, "drops": 0.5}, Drops(2, (0.03, 0.06))

# Speeds of the two solitons, and the part of the interval between them.
_FAST, _SLOW, _APART = (0.6, 1.2), (0.15, 0.4), (0.25, 0.4)


@dataclass(frozen=True)
class KortewegDeVriesRecipe(EvolutionRecipe):
    """Waves that part into solitons: u_t + 6 u u_x + δ u_xxx = 0 on a periodic interval.

    Args:
        initial: ``"series"`` for random Fourier series with wavenumbers up to 3 and root mean square ``amplitude``;
            ``"drops"`` for two smooth humps up to ``amplitude`` high, which part into solitons; ``"solitons"`` for two
            of random speeds, the faster one behind.
        length: of the interval.
        dispersion: δ > 0.
        draw: ``"dispersion"``, see `DrawingRecipe`; from half of it to twice as much unless given; not of solitons.
        amplitude: of a series, 0.25 unless given; of drops, 0.5 unless given.

    Raises:
        InputError: a parameter out of range, or one that the kind of initial state does not have.

    Example:
        >>> recipe = KortewegDeVriesRecipe(frames=3, end_time=1.0)
        >>> recipe.sample(np.random.default_rng(0), recipe.grid(96)).fields["u"].shape
        (3, 96)
    """

    initial: Literal["series", "drops", "solitons"] = "series"
    length: float = 64.0
    dispersion: float = 1.0
    amplitude: float | None = None
    frames: int = 51
    end_time: float = 50.0
    tolerance: float = 1e-3

    name: ClassVar[str] = "korteweg_de_vries"
    summary: ClassVar[str] = "Korteweg–de Vries: waves that part into solitons (1-D)"
    solver: ClassVar[str] = "ETDRK4, Fourier, dealiased by the 2/3 rule"
    drawable: ClassVar[tuple[Drawable, ...]] = (Drawable("dispersion", "dispersion", (0.5, 2.0)),)
    least_resolution: ClassVar[int] = 64
    why_least: ClassVar[str] = "with fewer solitons have no shape"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("length", "dispersion"):
            object.__setattr__(self, name, positive(name, getattr(self, name)))
        if not isinstance(self.initial, str) or self.initial not in (*_AMPLITUDES, "solitons"):
            raise InputError(f"initial must be one of {', '.join(_AMPLITUDES)}, solitons, got {self.initial!r}")
        if self.initial in _AMPLITUDES:
            amplitude = _AMPLITUDES[self.initial] if self.amplitude is None else self.amplitude
            object.__setattr__(self, "amplitude", positive("amplitude", amplitude))
        elif self.amplitude is not None:
            raise InputError(f"amplitude has no effect on initial='solitons', got {self.amplitude!r}; leave it out")
        if self.initial == "solitons" and self.draw is not None:
            raise InputError(f"draw must be left out for initial='solitons', which it would shape, got {self.draw!r}")
        self.check_draw()

    @property
    def equation(self) -> KortewegDeVries:
        return KortewegDeVries(dispersion=self.dispersion)

    @property
    def lengths(self) -> tuple[float, ...]:
        return (self.length,)

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        if self.initial == "drops":
            return (self.amplitude or 0.0) * np.stack([_HUMPS.sample(rng, grid) for rng in rngs])[:, None]
        if self.amplitude is not None:
            law = FourierSeries(_WAVES, self.amplitude)
            return np.stack([law.sample(rng, grid) for rng in rngs])[:, None]
        return np.stack([self._two(rng, grid) for rng in rngs])[:, None]

    def _two(self, rng: np.random.Generator, grid: Grid) -> np.ndarray:
        """Two solitons that stand apart, as if each were alone."""
        fast, slow, behind, apart = (rng.uniform(*bounds) for bounds in (_FAST, _SLOW, (0.0, 1.0), _APART))
        equation = self.equation
        return (
            equation.soliton(grid, [0.0], fast, behind)["u"][0]
            + equation.soliton(grid, [0.0], slow, behind + apart)["u"][0]
        )

    def stepper(self, grid: Grid, dt: float) -> ETDRK4:
        return ETDRK4(self.equation, grid, dt)

    def usual_step(self, grid: Grid) -> float:
        highest = 4 * (self.amplitude or 0.25)
        shortest = 2 * math.pi * self.equation.highest_modes(grid)[0] / self.length
        return min(0.02, 0.5 / (6 * highest * shortest))
