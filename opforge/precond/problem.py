"""A linear system as one thing: the operator, the right-hand side, and where the unknowns are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from opforge.core import Grid
from opforge.errors import InputError
from opforge.solvers import Stencil


@dataclass(frozen=True)
class LinearProblem:
    """A x = b.

    Args:
        A: a matrix (numpy, scipy.sparse, a tensor), a ``LinearOperator``, a `Stencil`, or a function, as
            `opforge.solvers.cg` takes them.
        b: the right-hand side in a shape that goes with A; for a `Stencil` (n,), (*space) or (batch, *space).
        grid: where the unknowns of a matrix are, cell centres in C order. With it the methods for grids are at hand.

    Example:
        >>> from opforge.pdes import Poisson
        >>> grid = Grid((16, 16))
        >>> LinearProblem.of_equation(Poisson(2), {"f": np.ones((16, 16))}, grid).b.shape
        (16, 16)
    """

    A: Any
    b: Any
    grid: Grid | None = None

    def __post_init__(self) -> None:
        if self.grid is not None and not isinstance(self.grid, Grid):
            raise InputError(f"grid must be an opforge.core.Grid, got {self.grid!r}")
        shape = tuple(getattr(self.A, "shape", ()))
        if self.grid is not None and shape and shape[-1] != self.grid.size:
            raise InputError(
                f"grid must have as many cells as A has unknowns, {shape[-1]}, got {self.grid.size} on "
                f"{'x'.join(map(str, self.grid.shape))}"
            )

    @classmethod
    def of_equation(cls, equation: Any, fields: Mapping[str, Any], grid: Grid) -> LinearProblem:
        """The discretised equation of one sample; its solution is a field.

        Args:
            equation: `opforge.pdes.Poisson` or `opforge.pdes.Darcy`.
            fields: what the equation needs to know, of the grid's shape.
            grid: cell centres.

        Raises:
            InputError: another equation, what the equation refuses.
        """
        if not (hasattr(equation, "right_hand_side") and isinstance(getattr(equation, "boundary", None), str)):
            raise InputError(f"equation must be linear and elliptic, Poisson or Darcy, got {equation!r}")
        b = equation.right_hand_side(fields, grid).reshape(grid.shape)
        coefficients = {name: np.asarray(fields[name]) for name in ("a", "solid") if name in fields}
        return cls(Stencil(grid, equation.boundary, **coefficients), b)
