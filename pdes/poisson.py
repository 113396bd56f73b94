"""Poisson's equation: potentials, with constant or variable coefficients, and around obstacles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.errors import InputError
from opforge.pdes._arrays import full_like
from opforge.pdes._finite_volumes import assemble, checked_boundary, divergence
from opforge.pdes._numbers import axes_of_space
from opforge.pdes._regions import fluid_regions, without_pockets
from opforge.pdes.equation import Field, LinearEquation
from opforge.pdes.symmetry import Reflection, SignChange, Symmetry, Transposition, shifts

if TYPE_CHECKING:
    import scipy.sparse


@dataclass(frozen=True)
class Poisson(LinearEquation):
    """−∇·(a ∇u) = f in the grid's box, around obstacles through which nothing flows.

    All quantities are without dimension. The discretisation is that of finite volumes on cell centres, of order 2. A
    field ``"a"`` > 0 is the coefficient, 1 without it. A field ``"solid"`` is 1 in obstacles, where u = 0 by
    convention, and 0 elsewhere. Where u is determined up to a constant, ``"neumann"`` and ``"periodic"``, f must have
    the mean 0 in every region of fluid, and u is given the mean 0.

    Args:
        ndim: axes of space: 1, 2 or 3.
        boundary: ``"dirichlet"``, u = 0 there; ``"neumann"``, nothing flows through it; ``"periodic"``.

    Raises:
        InputError: another number of axes, an unknown boundary.

    Example:
        >>> equation, grid = Poisson(ndim=1), Grid((16,))
        >>> fields = equation.exact(grid)
        >>> bool(abs(equation.residual(fields, grid)).max() < 1e-12)
        True
    """

    ndim: int = 2
    boundary: Literal["dirichlet", "neumann", "periodic"] = "dirichlet"

    name: ClassVar[str] = "poisson"
    fields: ClassVar[tuple[Field, ...]] = (Field("f", "source"), Field("u", "potential"))
    unknowns: ClassVar[tuple[str, ...]] = ("u",)
    points: ClassVar[Points] = "cells"
    dimensions: ClassVar[tuple[int, ...]] = (1, 2, 3)
    method: ClassVar[str] = "finite volumes; constant coefficient: fast sine, cosine, Fourier transforms; else AMG-CG"
    order: ClassVar[str] = "2"

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        checked_boundary(self.boundary)

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Reflections, transpositions, shifts of a periodic box, and the change of sign of source and potential."""
        axes = range(self.ndim)
        return (
            *(Reflection(axis) for axis in axes),
            *(Transposition(i, j) for i in axes for j in axes if i < j),
            SignChange(("f", "u")),
            *(shifts(self.ndim, "cells") if self.boundary == "periodic" else ()),
        )

    @property
    def floats(self) -> bool:
        """Whether u is determined up to a constant."""
        return self.boundary != "dirichlet"

    def residual(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """f + ∇·(a∇u) at every cell of fluid, −u Σ 2/h² in obstacles.

        Args:
            fields: ``"f"`` and ``"u"``, optionally ``"a"`` and ``"solid"``; arrays (..., *space) of one kind.
            grid: cell centres.

        Returns:
            An array (..., *space) of the same kind; differentiable in torch.
        """
        self._check(fields, grid, "f", "u")
        u = fields["u"]
        a = self._coefficient(fields, full_like(u, 1.0))
        left = fields["f"] + divergence(a, u, grid.spacing, self.boundary)
        if "solid" not in fields:
            return left
        solid = fields["solid"]
        return (1 - solid) * left - solid * u * _scale(grid)

    def residual_scale(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """‖f‖, the Euclidean norm over the points: an array (...)."""
        self._check(fields, grid, "f")
        f = fields["f"]
        return (f * f).sum(tuple(range(-grid.ndim, 0))) ** 0.5

    def operator(self, fields: Mapping[str, np.ndarray], grid: Grid) -> scipy.sparse.csr_matrix:
        """The matrix A of one sample: symmetric, positive definite, an M-matrix; rows in C order.

        Obstacles have a diagonal entry alone. Where u floats, a cell of every region has more on its diagonal than the
        equation: of a compatible source, that changes the constant alone.

        Raises:
            InputError: a coefficient that is not positive, no fluid, a region of fluid that no boundary holds.
        """
        import scipy.sparse

        self._check(fields, grid)
        a, solid = self._coefficient(fields, np.ones(grid.shape)), self._solid(fields, grid)
        if not (np.all(a[~solid] > 0) and np.all(np.isfinite(a))):
            raise InputError("field 'a' must be positive and finite in the fluid")
        A = assemble(np.asarray(a, dtype=np.float64), grid.spacing, self.boundary)
        more = np.where(solid, _scale(grid), 0.0).ravel()
        for first in self._first_cells(solid):
            more[first] += _scale(grid)
        return (A + scipy.sparse.diags_array(more)).tocsr() if more.any() else A

    def right_hand_side(self, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        """The vector b of A u = b, (points,).

        Raises:
            InputError: a source whose mean is not 0 in a region of fluid, where u floats.
        """
        self._check(fields, grid, "f")
        f, solid = np.asarray(fields["f"], dtype=np.float64), self._solid(fields, grid)
        b = np.where(solid, 0.0, f)
        if self.floats:
            regions, count = fluid_regions(solid, [self.boundary == "periodic"] * solid.ndim)
            for number in range(1, count + 1):
                inside = b[regions == number]
                if abs(inside.mean()) > 1e-8 * max(np.abs(inside).max(), 1e-300):
                    raise InputError(
                        f"field 'f' must have the mean 0 in every region of fluid where boundary={self.boundary!r}, "
                        f"got {inside.mean():.3g} in a region of {inside.size} cells; subtract it"
                    )
                b[regions == number] -= inside.mean()
        return b.ravel()

    def exact(self, grid: Grid) -> dict[str, np.ndarray]:
        """An eigenfunction of the discrete operator, with one, two, … half waves (periodic: waves) along the axes."""
        self._check({}, grid)
        u, eigenvalue = np.ones(grid.shape), 0.0
        for axis, (x, start, length, h) in enumerate(
            zip(grid.mesh(), grid.origin, grid.lengths, grid.spacing, strict=True)
        ):
            k = (axis + 1) * np.pi * (2 if self.boundary == "periodic" else 1) / length
            u = u * (np.sin if self.boundary == "dirichlet" else np.cos)(k * (x - start))
            eigenvalue += (2 - 2 * np.cos(k * h)) / h**2
        return {"f": eigenvalue * u, "u": u}

    def without_pockets(self, solid: np.ndarray) -> np.ndarray:
        """Obstacles with the fluid filled in that they enclose.

        Where u = 0 at the boundary, that is what does not reach it; elsewhere all but the largest region.

        Args:
            solid: truth values of the grid's shape.

        Example:
            >>> solid = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]])
            >>> int(Poisson(2).without_pockets(solid == 1).sum())
            9
        """
        return without_pockets(solid, [(self.boundary, self.boundary)] * solid.ndim)

    def _coefficient(self, fields: Mapping[str, Any], one: Any) -> Any:
        a = fields.get("a", one)
        return a * (1 - fields["solid"]) if "solid" in fields else a

    def _solid(self, fields: Mapping[str, Any], grid: Grid) -> np.ndarray:
        solid = np.asarray(fields["solid"] if "solid" in fields else np.zeros(grid.shape))
        neither = ~((solid == 0) | (solid == 1))
        if neither.any():
            raise InputError(
                f"field 'solid' must hold 1 in obstacles and 0 elsewhere, got {solid[neither][0]} in one of "
                f"{int(neither.sum())} cells; compare it with a number first, such as solid > 0.5"
            )
        solid = solid == 1
        if solid.all():
            raise InputError("field 'solid' must leave some cells of fluid, got obstacles everywhere")
        return solid

    def _first_cells(self, solid: np.ndarray) -> list[int]:
        """A cell of every region of fluid, where u floats.

        Raises:
            InputError: with a boundary where u = 0, a region that does not reach it.
        """
        if not self.floats and not solid.any():
            return []
        regions, count = fluid_regions(solid, [self.boundary == "periodic"] * solid.ndim)
        if self.floats:
            return [int(np.flatnonzero(regions.ravel() == number)[0]) for number in range(1, count + 1)]
        at_boundary = set(np.unique(np.concatenate([np.unique(_ends(regions, axis)) for axis in range(solid.ndim)])))
        inside = set(range(1, count + 1)) - at_boundary
        if inside:
            raise InputError(
                f"field 'solid' must not enclose fluid, got {len(inside)} regions that do not reach the boundary where "
                "u = 0; fill them"
            )
        return []

    def _check(self, fields: Mapping[str, Any], grid: Grid, *names: str) -> None:
        self.check(fields, grid, *names)
        if grid.points != "cells":
            raise InputError(f"grid must have points='cells' for the equation 'poisson', got {grid.points!r}")


def _scale(grid: Grid) -> float:
    return float(sum(2 / h**2 for h in grid.spacing))


def _ends(array: np.ndarray, axis: int) -> np.ndarray:
    return np.take(array, [0, -1], axis=axis)
