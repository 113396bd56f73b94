"""Poisson's equation: random sources, random coefficients, random obstacles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.datasets.random_fields import field_of_size, law_boundary
from opforge.datasets.random_obstacles import Obstacles
from opforge.datasets.recipe import Recipe, Sample
from opforge.errors import InputError, WorkError
from opforge.pdes._numbers import positive
from opforge.pdes.poisson import Poisson
from opforge.solvers.poisson import solve_poisson


@dataclass(frozen=True)
class PoissonRecipe(Recipe):
    """Source f to potential u: −∇·(a∇u) = f on the unit interval, square or cube.

    The source is a Gaussian field of root mean square 1, N(0, σ²(−Δ + 49 I)^(−2)) with Neumann conditions; its mean
    over the fluid is taken off where u floats.

    Args:
        ndim: axes of space: 1, 2 or 3.
        boundary: ``"dirichlet"``, ``"neumann"`` or ``"periodic"``.
        coefficient: ``"constant"``, a = 1; ``"lognormal"``, a = e^g with a Gaussian field g of root mean square ½, an
            input.
        obstacles: how many solid bodies stand in the box, an input ``solid`` where there are any; in 2-D and 3-D.
        tolerance: bound of the relative residual.

    Raises:
        InputError: a parameter out of range.

    Example:
        >>> recipe = PoissonRecipe()
        >>> sample = recipe.sample(np.random.default_rng(0), recipe.grid(32))
        >>> sorted(sample.fields), sample.residual < 1e-8
        (['f', 'u'], True)
    """

    ndim: int = 2
    boundary: Literal["dirichlet", "neumann", "periodic"] = "dirichlet"
    coefficient: Literal["constant", "lognormal"] = "constant"
    obstacles: int = 0
    tolerance: float = 1e-8

    name: ClassVar[str] = "poisson"
    summary: ClassVar[str] = "Poisson: random sources, coefficients and obstacles (1-D to 3-D)"
    outputs: ClassVar[tuple[str, ...]] = ("u",)
    points: ClassVar[Points] = "cells"
    bytes_per_point: ClassVar[int] = 1500
    least_resolution: ClassVar[int] = 8
    why_least: ClassVar[str] = "with fewer neither sources nor obstacles have a shape"

    def __post_init__(self) -> None:
        _ = self.equation
        if self.coefficient not in ("constant", "lognormal"):
            raise InputError(f"coefficient must be one of constant, lognormal, got {self.coefficient!r}")
        if isinstance(self.obstacles, bool) or not isinstance(self.obstacles, int) or self.obstacles < 0:
            raise InputError(f"obstacles must be a whole number of at least 0, got {self.obstacles!r}")
        if self.obstacles and self.ndim == 1:
            raise InputError(
                f"obstacles must be 0 in one dimension, where they part the interval, got {self.obstacles}"
            )
        positive("tolerance", self.tolerance)

    @property
    def equation(self) -> Poisson:
        return Poisson(self.ndim, self.boundary)

    @property
    def inputs(self) -> tuple[str, ...]:
        a = ("a",) if self.coefficient == "lognormal" else ()
        return (*a, *(("solid",) if self.obstacles else ()), "f")

    @property
    def solver(self) -> str:
        if self.coefficient == "constant" and not self.obstacles:
            return "finite volumes, fast transforms"
        return "finite volumes, conjugate gradients preconditioned by a Ruge-Stüben multigrid V-cycle (pyamg)"

    def sample(self, rng: np.random.Generator, grid: Grid) -> Sample:
        """Draw source, coefficient and obstacles, each from a generator of its own, and solve.

        Raises:
            WorkError: no convergence to the tolerance.
        """
        for_f, for_a, for_solid = rng.spawn(3)
        fields: dict[str, np.ndarray] = {}
        around = law_boundary(self.boundary)
        if self.coefficient == "lognormal":
            fields["a"] = np.exp(field_of_size(0.5, 3.0, 7.0, self.lengths, around).sample(for_a, grid))
        fluid = np.ones(grid.shape, bool)
        if self.obstacles:
            fluid = ~self.equation.without_pockets(Obstacles(self.obstacles).sample(for_solid, grid))
            fields["solid"] = (~fluid).astype(np.float64)
        f = np.where(fluid, field_of_size(1.0, 2.0, 7.0, self.lengths, around).sample(for_f, grid), 0.0)
        if self.equation.floats:
            f[fluid] -= f[fluid].mean()
        fields["f"] = f
        u, residual = solve_poisson(self.equation, fields, grid, rtol=self.tolerance / 2)
        if not residual <= self.tolerance:
            raise WorkError(f"the relative residual is {residual:.1e}, the tolerance is {self.tolerance:.1e}")
        return Sample({**fields, "u": u}, residual)
