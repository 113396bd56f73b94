"""Advection of random periodic fields: sums of sines, or Gaussian fields, carried along by a constant velocity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar, Literal, Self

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.datasets.drawing import Drawable, DrawingRecipe
from opforge.datasets.random_drops import Drops
from opforge.datasets.random_fields import GaussianField
from opforge.datasets.random_series import FourierSeries
from opforge.datasets.random_steps import Steps
from opforge.datasets.recipe import Sample, Samples
from opforge.errors import InputError, WorkError
from opforge.pdes.advection import Advection, per_axis
from opforge.pdes.invariant import relative
from opforge.solvers.advection import METHOD, advect

# Parameters of the law of Gaussian initial states and their defaults.
_LAW = {"alpha": 2.0, "tau": 5.0, "sigma": 25.0}

# Initial states by name, beside sums of sines and Gaussian fields.
_OTHERS = {"series": FourierSeries(5), "drops": Drops(3, (0.04, 0.1)), "steps": Steps()}

# Sums of sines: how many, and the greatest wavenumber.
_WAVES, _HIGHEST = 2, 8

# Beyond, rounding blurs the phases of all waves, and a Gaussian field leaves the range of float32.
_GREATEST = 1e6

# Numbers that compare with others whatever their size.
_NUMBERS = (int, float, np.integer, np.floating)

# Of all frames of the samples that are made together, in double precision: they are worked on several times.
_CACHED_BYTES = 2**22

# Frames beyond which a mistake is more likely than a purpose.
_MOST_FRAMES = 100_000


@dataclass(frozen=True)
class AdvectionRecipe(DrawingRecipe):
    """Initial state u(x, 0) to its evolution: u_t + c·∇u = 0 on the periodic unit interval, square or cube.

    Args:
        ndim: axes of space: 1, 2 or 3.
        velocity: c, a number that holds for every axis or one per axis, of magnitude at most 1e6; β of the source. 0.4
            carries waves through 0.8 of the box until time 2; through all of it, the last frame would be the first.
        draw: ``"velocity"``, see `DrawingRecipe`: uniform, the same for every axis; from −c to c unless given.
        initial: ``"sines"`` for u = Σ A_i sin(2π k_i·x + φ_i) over two waves, with components of the wavenumbers k_i
            from 1 to 8, those of y and z with either sign, A_i from 0 to 1 and φ_i from 0 to 2π, all uniform and
            independent; ``"gaussian"`` for a periodic N(0, σ²(−Δ + τ²I)^(−α)); ``"series"`` for random Fourier series
            of wavenumbers up to 5, root mean square 1; ``"drops"`` for three smooth bumps, from 0 to 1; ``"steps"`` for
            boxes of random values from −1 to 1, with edges 0.015 wide, which 192 points resolve to 2e-4.
        frames: how many times are kept, at equal distances from 0, the initial state, to ``end_time``; 2 to 100000.
        end_time: of the last frame, greater than 0, at most 1e6.
        alpha: smoothness α, greater than ndim/2, at most 1e6; 2 unless given; gaussian only.
        tau: inverse correlation length τ, greater than 0, at most 1e6; 5 unless given; gaussian only.
        sigma: amplitude σ, greater than 0, at most 1e6; 25 unless given; gaussian only.
        tolerance: bound of a sample's residual, see `sample`. The solution is exact: what is left is rounding.

    Raises:
        InputError: a parameter out of range, or one that the kind of initial state does not have.

    Example:
        >>> recipe = AdvectionRecipe(velocity=0.4, frames=11)
        >>> sample = recipe.sample(np.random.default_rng(0), recipe.grid(64))
        >>> sample.fields["u"].shape, recipe.times[:3].round(6).tolist(), sample.residual < 1e-12
        ((11, 64), [0.0, 0.2, 0.4], True)

    Source:
        Takamoto et al., "PDEBench: An Extensive Benchmark for Scientific Machine Learning", appendix D.1: in one
        dimension, β from 0.1 to 7, 1024 points, 201 frames up to t = 2, by a finite-volume scheme of second order. Here
        the solution is exact. There, a part of the initial states is replaced by |u| or cut off by a window: no grid
        carries the kinks and jumps exactly, and they are left out. The Gaussian law is that of the Burgers data of Li
        et al., "Fourier Neural Operator for Parametric Partial Differential Equations", appendix A.3.1.
    """

    ndim: int = 1
    velocity: float | tuple[float, ...] = 0.4
    initial: Literal["sines", "gaussian", "series", "drops", "steps"] = "sines"
    frames: int = 50
    end_time: float = 2.0
    alpha: float | None = None
    tau: float | None = None
    sigma: float | None = None
    tolerance: float = 1e-8

    name: ClassVar[str] = "advection"
    summary: ClassVar[str] = "Advection: periodic waves that a constant velocity carries, exact in time (1-D to 3-D)"
    inputs: ClassVar[tuple[str, ...]] = ("u",)
    outputs: ClassVar[tuple[str, ...]] = ("u",)
    evolving: ClassVar[tuple[str, ...]] = ("u",)
    points: ClassVar[Points] = "periodic"
    solver: ClassVar[str] = METHOD
    drawable: ClassVar[tuple[Drawable, ...]] = (Drawable("velocity", "velocity", (-1.0, 1.0), uniform=True),)
    least_resolution: ClassVar[int] = 2 * _HIGHEST + 1
    why_least: ClassVar[str] = f"initial states have waves up to {_HIGHEST}, and 2 points per wave are too few"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.ndim, bool) or not isinstance(self.ndim, int) or self.ndim not in (1, 2, 3):
            raise InputError(f"ndim must be 1, 2 or 3, got {self.ndim!r}")
        velocity = per_axis(self.velocity, self.ndim)
        if max(map(abs, velocity)) > _GREATEST:
            raise InputError(f"velocity must be of magnitude at most {_GREATEST:g}, got {self.velocity!r}")
        # a number where it is the same for all axes, so that files show it as the source does
        object.__setattr__(self, "velocity", velocity if len(set(velocity)) > 1 else velocity[0])
        known = ("sines", "gaussian", *_OTHERS)
        if not isinstance(self.initial, str) or self.initial not in known:
            raise InputError(f"initial must be one of {', '.join(known)}, got {self.initial!r}")
        if isinstance(self.frames, bool) or not isinstance(self.frames, int) or not 2 <= self.frames <= _MOST_FRAMES:
            raise InputError(f"frames must be a whole number from 2 to {_MOST_FRAMES}, got {self.frames!r}")
        for name, default in _LAW.items():
            if self.initial == "gaussian" and getattr(self, name) is None:
                object.__setattr__(self, name, default)
            elif self.initial != "gaussian" and getattr(self, name) is not None:
                raise InputError(
                    f"{name} has no effect on initial={self.initial!r}, got {getattr(self, name)!r}; "
                    "leave it out or set initial='gaussian'"
                )
        for name in ("end_time", *_LAW, "tolerance"):
            value = getattr(self, name)
            if value is None and name in _LAW:
                continue
            if isinstance(value, bool) or not isinstance(value, _NUMBERS) or not 0 < value <= _GREATEST:
                raise InputError(f"{name} must be a number greater than 0, at most {_GREATEST:g}, got {value!r}")
            object.__setattr__(self, name, float(value))
        if self.tolerance >= 1:
            raise InputError(f"tolerance must lie between 0 and 1, got {self.tolerance!r}")
        if self.alpha is not None and self.alpha <= self.ndim / 2:
            raise InputError(f"alpha must be greater than ndim/2 = {self.ndim / 2:g}, got {self.alpha!r}")
        self.check_draw()

    @cached_property
    def equation(self) -> Advection:
        return Advection(ndim=self.ndim, velocity=self.velocity)

    @cached_property
    def times(self) -> np.ndarray:
        return np.linspace(0.0, self.end_time, self.frames)

    @property
    def bytes_per_point(self) -> int:
        """Of memory for a sample: the frames, their phases in one dimension, and the initial state; measured."""
        return 20 * self.frames + 60

    @property
    def law(self) -> GaussianField | FourierSeries | Drops | Steps | None:
        """The distribution of initial states; None where they are sines."""
        if self.initial in _OTHERS:
            return _OTHERS[self.initial]
        if self.alpha is None or self.tau is None or self.sigma is None:
            return None
        return GaussianField(self.alpha, self.tau, self.sigma, boundary="periodic")

    def check(self, grid: Grid) -> None:
        """Refuse a grid whose shortest wave moves through so many of its lengths that rounding blurs its phase.

        Raises:
            InputError: such a grid.
        """
        velocity = per_axis(self._fastest, self.ndim)
        waves = max(abs(c) * n / length for c, n, length in zip(velocity, grid.shape, grid.lengths, strict=True))
        rounding = math.pi * waves * self.end_time * float(np.finfo(np.float64).eps)
        if rounding > self.tolerance:
            raise InputError(
                f"tolerance={self.tolerance:g} is lower than rounding allows at resolution "
                f"{'x'.join(map(str, grid.shape))} with velocity {self._fastest} up to end_time={self.end_time:g}; "
                f"lower one of these or raise the tolerance to {1.1 * rounding:.1e}"
            )

    @property
    def _fastest(self) -> float | tuple[float, ...]:
        """The velocity, or the greatest magnitude of those that are drawn."""
        return max(map(abs, self.ranges["velocity"])) if self.drawn else self.velocity

    def refined(self) -> Self:
        """The same recipe: there is no step to halve, the solution is exact."""
        return self

    def initial_state(self, rng: np.random.Generator, grid: Grid) -> np.ndarray:
        """u(x, 0), a float64 array of the grid's shape; a seed stands for one function, whatever the grid."""
        return self._initial_states([rng], grid)[0]

    def at_once(self, grid: Grid) -> int:
        """As many as stay in a processor's caches, up to 8."""
        return max(1, min(8, _CACHED_BYTES // (8 * self.frames * grid.size)))

    def sample(self, rng: np.random.Generator, grid: Grid) -> Sample:
        """Draw the initial state and carry it along; see `samples`."""
        made = self.samples([rng], grid)
        drawn = {name: float(values[0]) for name, values in made.drawn.items()}
        return Sample({"u": made.fields["u"][0]}, float(made.residuals[0]), drawn)

    def samples(self, rngs: Sequence[np.random.Generator], grid: Grid) -> Samples:
        """Draw initial states and carry them along.

        A sample's residual is the equation's over a single step from the first frame to the last, relative to the
        last. The steps from frame to frame would take as long as the solution itself and find the same; what happens
        between the ends is left to the equation's invariants.

        Raises:
            WorkError: a residual beyond the tolerance.
        """
        equation, times = self.equation, self.times
        numbers: dict[str, np.ndarray] = {}
        if self.drawn:
            for_numbers, rngs = zip(*(rng.spawn(2) for rng in rngs), strict=True)
            numbers = self.numbers(for_numbers)
        start = self._initial_states(rngs, grid)
        if numbers:
            pairs = zip(start, numbers["velocity"].tolist(), strict=True)
            u = np.stack([advect(one, velocity, times, grid) for one, velocity in pairs])
        else:
            u = advect(start, self.velocity, times, grid)
        ends = {"u": u[:, :: self.frames - 1], "time": times[:: self.frames - 1], **numbers}
        left = equation.residual(ends, grid).reshape(len(rngs), -1)
        residuals = relative(np.vecdot(left, left) ** 0.5, equation.residual_scale(ends, grid))
        worst = float(residuals.max())
        if not worst <= self.tolerance:
            raise WorkError(f"the equation's residual is {worst:.1e}, the tolerance is {self.tolerance:.1e}")
        return Samples({"u": u}, residuals, numbers)

    def _initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        law = self.law
        return _sines(rngs, grid) if law is None else np.stack([law.sample(rng, grid) for rng in rngs])


def _sines(rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
    """Sums of two plane waves with integer wavenumbers; the numbers drawn are the same for every grid."""
    wavenumbers = np.empty((len(rngs), _WAVES, grid.ndim), np.intp)
    amplitudes, phases = np.empty((2, len(rngs), _WAVES))
    for i, rng in enumerate(rngs):
        wavenumbers[i] = rng.integers(1, _HIGHEST + 1, (_WAVES, grid.ndim))
        if grid.ndim > 1:
            wavenumbers[i, :, 1:] *= rng.choice([-1, 1], (_WAVES, grid.ndim - 1))
        amplitudes[i], phases[i] = rng.random(_WAVES), rng.random(_WAVES)
    waves = (amplitudes * np.exp(2j * math.pi * phases))[(..., *(None,) * grid.ndim)]
    for axis, factors in enumerate(_factors(grid)):
        waves = waves * factors[wavenumbers[..., axis]]
    return waves.imag.sum(1)


@lru_cache(maxsize=4)
def _factors(grid: Grid) -> tuple[np.ndarray, ...]:
    """e^{2πi k (x − origin)/L} along every axis: arrays (wavenumbers, 1, …, points, …, 1), negative ones last."""
    wavenumbers = np.concatenate([np.arange(_HIGHEST + 1), np.arange(-_HIGHEST, 0)])
    axes = zip(np.ix_(*grid.coordinates()), grid.origin, grid.lengths, strict=True)
    return tuple(
        np.exp(2j * math.pi * np.multiply.outer(wavenumbers, (x - start) / length)) for x, start, length in axes
    )
