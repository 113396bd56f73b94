"""Darcy flow through random media: two-valued permeability as in the FNO data or PDEBench's, or log-normal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.datasets.random_bumps import Bumps
from opforge.datasets.random_fields import GaussianField, threshold
from opforge.datasets.recipe import Recipe, Sample
from opforge.errors import InputError, WorkError
from opforge.pdes import Darcy
from opforge.solvers.elliptic import METHOD, check_tolerance, solve_elliptic

# The parameters that a kind of coefficient has, and their defaults.
_FIELD = {"tau": 3.0, "alpha": 2.0}
_KINDS = {
    "threshold": {"high": 12.0, "low": 3.0, **_FIELD},
    "lognormal": {"sigma": 5.0, **_FIELD},
    "pdebench": {"high": 1.0, "low": 0.1},
}

# Least and greatest magnitude: permeability, forcing and the pressure that they make stay in the range of float32.
_LEAST, _GREATEST = 1e-18, 1e18

# Beyond, the field is 0 or its exponential overflows anyway.
_GREATEST_LAW = 1e6


@dataclass(frozen=True)
class DarcyRecipe(Recipe):
    """Permeability a to pressure u: −∇·(a∇u) = f on the unit interval, square or cube, u = 0 on the boundary.

    The permeability comes from v ~ N(0, σ²(−Δ + τ²I)^(−α)) with Neumann conditions and without the constant mode, so
    that v has mean 0 over the box, as in the FNO data: a = 12 where v >= 0, else 3; or a = exp(v). In PDEBench's data v
    is a sum of five random bumps, and a = 1 where it is above its mean over the box and all samples, else 0.1.

    Args:
        ndim: axes of space: 1, 2 or 3.
        coefficient: ``"threshold"`` for two values, as in the FNO data (the published script has ``low=4``);
            ``"lognormal"`` for exp(v); ``"pdebench"`` for two values, as in PDEBench's data.
        high: the value where v is high, from 1e-18 to 1e18; 12, PDEBench's 1 unless given; not log-normal.
        low: the value elsewhere, from 1e-18 to 1e18; 3, PDEBench's 0.1 unless given; not log-normal.
        tau: inverse correlation length τ of v, from 0 to 1e6; 3 unless given; not PDEBench's.
        alpha: smoothness α of v, greater than ndim/2, at most 1e6; 2 unless given; not PDEBench's.
        sigma: amplitude σ of v; 5 unless given, which makes the standard deviation of log a about 0.3, 0.5, 0.7 in
            one, two, three dimensions; lognormal only, since σ does not change the sign of v.
        forcing: the constant f, of magnitude 1e-18 to 1e18; β of PDEBench, which has 0.01, 0.1, 1, 10 and 100.
        tolerance: relative residual to which the discrete equation is solved.

    Raises:
        InputError: a parameter out of range, or one that the kind of coefficient does not have.

    Example:
        >>> recipe = DarcyRecipe()
        >>> sample = recipe.sample(np.random.default_rng(0), recipe.grid(16))
        >>> sorted(sample.fields), np.unique(sample.fields["a"]).tolist(), sample.residual < 1e-8
        (['a', 'u'], [3.0, 12.0], True)

    Source:
        Li et al., "Fourier Neural Operator for Parametric Partial Differential Equations", appendix A.3.2. It solves
        by second-order finite differences on a finer grid and samples the result; here every resolution is solved by
        finite volumes with harmonic-mean faces, and a is the threshold of v on that resolution's own cells.
        Takamoto et al., "PDEBench: An Extensive Benchmark for Scientific Machine Learning", at 128 x 128; v is that of
        the published script, where the mean is that of the samples made at once, here the law's. The script goes on in
        time until the flow is steady, with arithmetic means at the faces; here the steady flow is solved for.
    """

    ndim: int = 2
    coefficient: Literal["threshold", "lognormal", "pdebench"] = "threshold"
    high: float | None = None
    low: float | None = None
    tau: float | None = None
    alpha: float | None = None
    sigma: float | None = None
    forcing: float = 1.0
    tolerance: float = 1e-8

    name: ClassVar[str] = "darcy"
    summary: ClassVar[str] = "Darcy flow: permeability of a random medium to pressure (1-D, 2-D, 3-D)"
    inputs: ClassVar[tuple[str, ...]] = ("a",)
    outputs: ClassVar[tuple[str, ...]] = ("u",)
    solver: ClassVar[str] = METHOD
    bytes_per_point: ClassVar[int] = 1000

    def __post_init__(self) -> None:
        if not isinstance(self.coefficient, str) or self.coefficient not in _KINDS:
            raise InputError(f"coefficient must be one of {', '.join(_KINDS)}, got {self.coefficient!r}")
        own = _KINDS[self.coefficient]
        for kind, defaults in _KINDS.items():
            for name in defaults:
                if name in own and getattr(self, name) is None:
                    object.__setattr__(self, name, own[name])
                elif name not in own and getattr(self, name) is not None:
                    raise InputError(
                        f"{name} has no effect on coefficient={self.coefficient!r}, got {getattr(self, name)!r}; "
                        f"leave it out or set coefficient={kind!r}"
                    )
        for name in ("high", "low", "tau", "alpha", "sigma", "forcing", "tolerance"):
            value = getattr(self, name)
            left_out = value is None and name not in ("forcing", "tolerance")
            if not left_out and (isinstance(value, bool) or not isinstance(value, Real)):
                raise InputError(f"{name} must be a number, got {value!r}")
            object.__setattr__(self, name, None if value is None else _float(name, value))
        for name in ("high", "low"):
            value = getattr(self, name)
            if value is not None and not _LEAST <= value <= _GREATEST:
                raise InputError(f"{name} must be positive, from {_LEAST:g} to {_GREATEST:g}, got {value!r}")
        if not _LEAST <= abs(self.forcing) <= _GREATEST:
            raise InputError(f"forcing must be of magnitude {_LEAST:g} to {_GREATEST:g}, got {self.forcing!r}")
        for name in ("tau", "alpha", "sigma"):
            value = getattr(self, name)
            if value is not None and value > _GREATEST_LAW:
                raise InputError(f"{name} must be at most {_GREATEST_LAW:g}, got {value!r}")
        if not 0 < self.tolerance < 1:
            raise InputError(f"tolerance must lie between 0 and 1, got {self.tolerance!r}")
        ndim = self.equation.ndim  # which refuses what is no number of axes
        if self.alpha is not None and self.alpha <= ndim / 2:
            raise InputError(f"alpha must be greater than ndim/2 = {ndim / 2:g}, got {self.alpha!r}")
        _ = self.law  # refuses what is wrong with tau and alpha

    @property
    def equation(self) -> Darcy:
        return Darcy(ndim=self.ndim, forcing=self.forcing)

    @property
    def law(self) -> GaussianField | Bumps:
        """The distribution of v."""
        if self.alpha is None or self.tau is None:
            return Bumps()
        sigma = 1.0 if self.sigma is None else self.sigma
        return GaussianField(self.alpha, self.tau, sigma, boundary="neumann", constant_mode=False)

    def check(self, grid: Grid) -> None:
        check_tolerance(grid, self.tolerance)

    def coefficients(self, v: np.ndarray) -> np.ndarray:
        """The permeability a that belongs to a sample v of `law`.

        Raises:
            WorkError: a log-normal one beyond 1e-18 to 1e18.
        """
        if self.high is not None and self.low is not None:
            law = self.law
            level = law.mean(self.ndim) if isinstance(law, Bumps) else 0.0
            return threshold(v - level, self.high, self.low)
        if np.abs(v).max() > math.log(_GREATEST):
            raise WorkError(
                f"the permeability exp(v) leaves {_LEAST:g} to {_GREATEST:g}, v runs from {v.min():.3g} to "
                f"{v.max():.3g}; lower sigma"
            )
        return np.exp(v)

    def sample(self, rng: np.random.Generator, grid: Grid) -> Sample:
        a = self.coefficients(self.law.sample(rng, grid))
        solution = solve_elliptic(self.equation, {"a": a}, grid, rtol=self.tolerance)
        return Sample({"a": a, "u": solution.x}, solution.residual)


def _float(name: str, value: Real) -> float:
    try:
        return float(value)
    except OverflowError as error:  # an integer of hundreds of digits
        raise InputError(f"{name} must be a number in the range of float64, got one that is greater") from error
