"""Flow on the torus: the Navier–Stokes equations in vorticity, with the force of the FNO data, Kolmogorov's or none."""

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
from opforge.errors import InputError
from opforge.pdes._numbers import not_negative, positive
from opforge.pdes.navier_stokes import NavierStokes
from opforge.solvers.stepping.exponential import ETDRK4

# Flows by name: viscosity, end time, side of the box, speed that hardly any sample exceeds.
_FLOWS = {
    "fno": (1e-3, 50.0, 1.0, 0.5),
    "kolmogorov": (1e-2, 20.0, 2 * math.pi, 4.0),
    "decaying": (5e-3, 10.0, 2 * math.pi, 4.0),
}
_FNO = GaussianField(alpha=2.5, tau=7.0, sigma=7.0**1.5, boundary="periodic", constant_mode=False)

# Speed that the FNO flow has reached everywhere by t = 30, from a twentieth of it.
_DRIVEN = 0.15

# Waves of the initial states of the other flows, and drops of the tracer.
_WAVES, _DROPS, _WIDTHS = 6, 4, (0.06, 0.12)

# Kolmogorov's force A sin(ny) along x, and the drag that lets it come to rest.
_FORCE, _FORCED, _DRAG = 1.0, 4, 0.1

# ETDRK4 is stable up to about 2.8 steps of dt per radian that the fastest point carries the shortest wave by.
_RADIANS = 1.5


@dataclass(frozen=True)
class NavierStokesRecipe(EvolutionRecipe):
    """Vortices that stir each other: w_t + (u·∇)w = ν Δw − α w + f on a periodic square.

    Args:
        flow: ``"fno"``, the unit square, w(0) ~ N(0, 7³(−Δ + 49 I)^(−2.5)) and f = 0.1 (sin 2π(x + y) + cos 2π(x + y)),
            ν = 1e-3 until t = 50 (the source also has 1e-4 until 30 and 1e-5 until 20, solved at 256 x 256 and kept at
            64 x 64: ``oversampling=4``); ``"kolmogorov"``, a force sin 4y along x and a drag 0.1 on a square of side
            2π, ν = 0.01 until 20, from random waves; ``"decaying"``, no force, ν = 0.005 until 10, side 2π.
        viscosity: ν; that of the flow unless given.
        draw: ``"viscosity"``, see `DrawingRecipe`.
        end_time: that of the flow unless given.
        tracer: diffusivity κ of a tracer that starts as random drops; no tracer unless given.

    Raises:
        InputError: a parameter out of range, an unknown flow.

    Example:
        >>> recipe = NavierStokesRecipe(frames=3, end_time=1.0)
        >>> recipe.sample(np.random.default_rng(0), recipe.grid(32)).fields["w"].shape
        (3, 32, 32)

    Source:
        Li et al., "Fourier Neural Operator for Parametric Partial Differential Equations", appendix A.3.3.
    """

    flow: Literal["fno", "kolmogorov", "decaying"] = "fno"
    viscosity: float | None = None
    frames: int = 51
    end_time: float | None = None
    tracer: float | None = None
    tolerance: float = 1e-3

    name: ClassVar[str] = "navier_stokes"
    summary: ClassVar[str] = (
        "Navier–Stokes in vorticity on the torus: the FNO data, Kolmogorov flow, decay; tracer (2-D)"
    )
    solver: ClassVar[str] = "ETDRK4, Fourier, dealiased by the 2/3 rule"
    drawable: ClassVar[tuple[Drawable, ...]] = (Drawable("viscosity", "viscosity"),)
    least_resolution: ClassVar[int] = 3 * _WAVES + 1
    why_least: ClassVar[str] = f"initial states have waves up to {_WAVES}, and modes up to (n − 1)/3 are kept"

    def __post_init__(self) -> None:
        if not isinstance(self.flow, str) or self.flow not in _FLOWS:
            raise InputError(f"flow must be one of {', '.join(_FLOWS)}, got {self.flow!r}")
        viscosity, end_time, _, _ = _FLOWS[self.flow]
        if self.end_time is None:
            object.__setattr__(self, "end_time", end_time)
        super().__post_init__()
        object.__setattr__(
            self, "viscosity", positive("viscosity", viscosity if self.viscosity is None else self.viscosity)
        )
        if self.tracer is not None:
            object.__setattr__(self, "tracer", not_negative("tracer", self.tracer))
        self.check_draw()

    @property
    def equation(self) -> NavierStokes:
        assert self.viscosity is not None
        if self.flow == "fno":
            forcing = {"forcing": "diagonal", "amplitude": 0.1}
        elif self.flow == "kolmogorov":
            forcing = {"forcing": "kolmogorov", "amplitude": _FORCE, "wavenumber": _FORCED, "drag": _DRAG}
        else:
            forcing = {}
        return NavierStokes(viscosity=self.viscosity, tracer_diffusivity=self.tracer, **forcing)

    @property
    def lengths(self) -> tuple[float, ...]:
        return (_FLOWS[self.flow][2],) * 2

    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        law = _FNO if self.flow == "fno" else FourierSeries(_WAVES, amplitude=3.0)
        states = []
        for rng in rngs:
            for_w, for_c = rng.spawn(2)  # a finer grid draws more numbers for a field, and none of the other's
            parts = [law.sample(for_w, grid)]
            if self.tracer is not None:
                parts.append(Drops(_DROPS, _WIDTHS).sample(for_c, grid))
            states.append(np.stack(parts))
        return np.stack(states)

    def busy(self, states: np.ndarray, grid: Grid) -> np.ndarray:
        """The FNO flow, which its force drives from near rest, at a speed that every sample reaches."""
        if self.flow != "fno":
            return states
        fastest = float(np.abs(self.equation.velocity(states[:, 0], grid)).max())
        return states * max(1.0, _DRIVEN / fastest) if fastest > 0 else states

    def stepper(self, grid: Grid, dt: float) -> ETDRK4:
        return ETDRK4(self.equation, grid, dt)

    def usual_step(self, grid: Grid) -> float:
        _, _, side, fastest = _FLOWS[self.flow]
        return min(0.1, _RADIANS / (fastest * 2 * math.pi * max(self.equation.highest_modes(grid)) / side))
