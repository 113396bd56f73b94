"""Burgers' equation from random waves: the distributions of the FNO and PDEBench data, and smooth series."""

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
from opforge.datasets.random_fields import GaussianField
from opforge.datasets.random_series import FourierSeries
from opforge.datasets.random_steps import Steps
from opforge.errors import InputError
from opforge.pdes._numbers import not_negative, positive
from opforge.pdes.burgers import Burgers
from opforge.solvers.stepping.burgers import BurgersFV
from opforge.solvers.stepping.exponential import ETDRK4
from opforge.solvers.stepping.stepper import Stepper

# Initial states by name: (law, viscosity, end time, speed that hardly any sample reaches).
_FNO = GaussianField(alpha=2.0, tau=5.0, sigma=25.0, boundary="periodic")
_FNO_SCRIPT = GaussianField(alpha=2.5, tau=7.0, sigma=49.0, boundary="periodic", constant_mode=False)
_USUAL = {
    "fno": (0.1, 1.0, 5.0),
    "fno_script": (1e-3, 1.0, 2.0),
    "pdebench": (0.01 / math.pi, 2.0, 2.0),
    "series": (0.02, 1.0, 3.0),
    "drops": (0.02, 1.0, 1.0),
    "steps": (0.02, 1.0, 1.0),
}

# Those that every component has one of, in one or two dimensions, with an amplitude.
_ANY = ("series", "drops", "steps")

# Waves of PDEBench's initial states, and of the series.
_WAVES, _HIGHEST, _SERIES = 2, 8, 2

# Drops: how many, and how wide.
_DROPS, _WIDTHS = 3, (0.04, 0.1)

# ETDRK4 is stable up to about 2.8 steps of dt per radian that the fastest point carries the shortest wave by.
_RADIANS = 1.5


@dataclass(frozen=True)
class BurgersRecipe(EvolutionRecipe):
    """Random waves that steepen: u_t + (u·∇)u = ν Δu on the periodic unit interval or square.

    Args:
        ndim: axes of space: 1 or 2; 2 with ``"series"``, ``"drops"`` or ``"steps"``, one for each component.
        initial: ``"fno"`` for N(0, 625(−Δ + 25 I)^(−2)) and ν = 0.1; ``"fno_script"`` for the law of the published
            script, N(0, 49²(−Δ + 49 I)^(−2.5)) without a mean, and ν = 0.001; ``"pdebench"`` for sums of two sines with
            wavenumbers from 1 to 8 and amplitudes up to 1, ν = 0.01/π until t = 2; ``"series"`` for random Fourier
            series with wavenumbers up to 2 and root mean square ``amplitude``, ν = 0.02; ``"drops"`` for three smooth
            bumps, from 0 to ``amplitude``, and ``"steps"`` for boxes of random values of magnitude up to it, with edges
            0.015 wide, ν = 0.02 as well. Unless given ``"fno"`` in one dimension, ``"series"`` in two.
        viscosity: ν > 0; that of the law unless given. PDEBench's names give ν π.
        draw: ``"viscosity"``, see `DrawingRecipe`.
        amplitude: of a series, of drops, of steps; 1 unless given.
        method: ``"spectral"``, Fourier modes and ETDRK4, where the grid carries the shocks; ``"finite volumes"``, which
            hold shocks of any thickness on two cells.
        end_time: that of the law unless given.

    Raises:
        InputError: a parameter out of range, or one that the kind of initial state does not have.

    Example:
        >>> recipe = BurgersRecipe(frames=2)  # from u(x, 0) to u(x, 1)
        >>> recipe.sample(np.random.default_rng(0), recipe.grid(128)).fields["u"].shape
        (2, 128)

    Source:
        Li et al., "Fourier Neural Operator for Parametric Partial Differential Equations", appendix A.3.1; Takamoto et
        al., "PDEBench: An Extensive Benchmark for Scientific Machine Learning", appendix D.2.
    """

    ndim: int = 1
    initial: Literal["fno", "fno_script", "pdebench", "series", "drops", "steps"] | None = None
    viscosity: float | None = None
    amplitude: float | None = None
    method: Literal["spectral", "finite volumes"] = "spectral"
    frames: int = 11
    end_time: float | None = None
    tolerance: float = 1e-3

    name: ClassVar[str] = "burgers"
    summary: ClassVar[str] = "Burgers: random waves that steepen; laws of the FNO and PDEBench data (1-D, 2-D)"
    drawable: ClassVar[tuple[Drawable, ...]] = (Drawable("viscosity", "viscosity"),)
    least_resolution: ClassVar[int] = 3 * _HIGHEST + 1
    why_least: ClassVar[str] = f"initial states have waves up to {_HIGHEST}, and modes up to (n − 1)/3 are kept"

    def __post_init__(self) -> None:
        if self.initial is None:
            object.__setattr__(self, "initial", "series" if self.ndim == 2 else "fno")
        if not isinstance(self.initial, str) or self.initial not in _USUAL:
            raise InputError(f"initial must be one of {', '.join(_USUAL)}, got {self.initial!r}")
        viscosity, end_time, _ = _USUAL[self.initial]
        if self.viscosity is None:
            object.__setattr__(self, "viscosity", viscosity)
        if self.end_time is None:
            object.__setattr__(self, "end_time", end_time)
        super().__post_init__()
        if self.method not in ("spectral", "finite volumes"):
            raise InputError(f"method must be one of spectral, finite volumes, got {self.method!r}")
        not_negative("viscosity", self.viscosity)
        if self.method == "spectral":
            positive("viscosity", self.viscosity, "Fourier modes do not carry shocks; take method='finite volumes'")
        if self.ndim != 1 and self.initial not in _ANY:
            raise InputError(f"ndim must be 1 for initial={self.initial!r}, got {self.ndim!r}; take initial='series'")
        if self.initial in _ANY:
            object.__setattr__(
                self, "amplitude", positive("amplitude", 1.0 if self.amplitude is None else self.amplitude)
            )
        elif self.amplitude is not None:
            raise InputError(
                f"amplitude has no effect on initial={self.initial!r}, got {self.amplitude!r}; leave it out"
            )
        _ = self.equation
        self.check_draw()

    @property
    def equation(self) -> Burgers:
        assert self.viscosity is not None
        return Burgers(self.ndim, self.viscosity)

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        if self.initial == "pdebench":
            return np.stack([_sines(rng, grid) for rng in rngs])[:, None]
        if self.initial in _ANY:
            amplitude = self.amplitude or 1.0
            law, scale = self._any_law(amplitude), amplitude if self.initial == "drops" else 1.0
            return scale * np.stack([np.stack([law.sample(rng, grid) for _ in range(self.ndim)]) for rng in rngs])
        law = _FNO if self.initial == "fno" else _FNO_SCRIPT
        return np.stack([law.sample(rng, grid) for rng in rngs])[:, None]

    def _any_law(self, amplitude: float) -> FourierSeries | Drops | Steps:
        if self.initial == "series":
            return FourierSeries(_SERIES, amplitude)
        return Drops(_DROPS, _WIDTHS) if self.initial == "drops" else Steps(amplitude=amplitude)

    @property
    def solver(self) -> str:
        if self.method == "spectral":
            return "ETDRK4, Fourier, dealiased by the 2/3 rule"
        return "finite volumes: MUSCL, Godunov's fluctuations, central viscosity, SSP-RK3"

    def stepper(self, grid: Grid, dt: float) -> Stepper:
        if self.method == "spectral":
            return ETDRK4(self.equation, grid, dt)
        return BurgersFV(self.equation, grid, dt)

    def usual_step(self, grid: Grid) -> float:
        fastest = _USUAL[self.initial or "fno"][2] * (self.amplitude or 1.0)
        if self.method == "finite volumes":
            return 0.4 / sum((fastest + 2 * self.greatest("viscosity") / h) / h for h in grid.spacing)
        shortest = 2 * math.pi * max(self.equation.highest_modes(grid))
        return min(0.01, _RADIANS / (fastest * shortest * self.ndim))

    def check(self, grid: Grid) -> None:
        """Refuse a grid on which the shocks are thinner than two points, unless finite volumes hold them.

        Raises:
            InputError: such a grid, a time step that is too long.
        """
        super().check(grid)
        if self.method != "spectral":
            return
        jump = 2 * _USUAL[self.initial or "fno"][2] * (self.amplitude or 1.0) / 2
        viscosity = self.least("viscosity")
        thickness = 4 * viscosity / jump
        n = min(self.solved_on(grid).shape)
        if thickness * n < 2:
            raise InputError(
                f"resolution is too coarse for viscosity={viscosity:.3g}: shocks are about {thickness:.1g} thick; "
                f"take at least {math.ceil(2 / thickness)} points per axis, oversampling, or method='finite volumes'"
            )


def _sines(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    """Σ A_i sin(2π k_i x + φ_i) over two waves."""
    k = rng.integers(1, _HIGHEST + 1, _WAVES)
    amplitudes, phases = rng.random(_WAVES), 2 * math.pi * rng.random(_WAVES)
    x = (grid.coordinates()[0] - grid.origin[0]) / grid.lengths[0]
    return np.sum(amplitudes[:, None] * np.sin(2 * math.pi * k[:, None] * x + phases[:, None]), 0)
