"""Symmetries of equations on a grid: maps of the space that turn solutions into solutions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from opforge.core import Grid
from opforge.pdes._arrays import along, concatenate, flip


class Symmetry(Protocol):
    """A map of the space that turns solutions of an equation into solutions."""

    @property
    def name(self) -> str: ...

    def applies_to(self, grid: Grid) -> bool:
        """Whether the map takes the grid's points to the grid's points."""
        ...

    def __call__(self, fields: Mapping[str, Any], ndim: int) -> dict[str, Any]:
        """The moved fields; each is an array (..., *space) with ``ndim`` axes of space, numpy or torch."""
        ...


@dataclass(frozen=True)
class Reflection:
    """The mirror image along one axis of space: u(x) ↦ u(L − x), for scalar fields.

    Args:
        axis: axis of space, 0 for x, 1 for y, 2 for z.

    Example:
        >>> import numpy as np
        >>> Reflection(0)({"u": np.array([1.0, 2.0, 4.0])}, ndim=1)["u"].tolist()
        [4.0, 2.0, 1.0]
    """

    axis: int

    @property
    def name(self) -> str:
        return f"reflection {'xyz'[self.axis]}"

    def applies_to(self, grid: Grid) -> bool:
        return self.axis < grid.ndim and grid.points != "periodic"

    def __call__(self, fields: Mapping[str, Any], ndim: int) -> dict[str, Any]:
        return {name: flip(values, self.axis - ndim) for name, values in fields.items()}


@dataclass(frozen=True)
class Transposition:
    """The mirror image along a diagonal: u(x, y) ↦ u(y, x), for scalar fields on grids with equal axes.

    Args:
        axis1, axis2: the axes of space that change places.

    Example:
        >>> import numpy as np
        >>> Transposition(0, 1)({"u": np.array([[1.0, 2.0], [3.0, 4.0]])}, ndim=2)["u"].tolist()
        [[1.0, 3.0], [2.0, 4.0]]
    """

    axis1: int
    axis2: int

    @property
    def name(self) -> str:
        return f"transposition {'xyz'[self.axis1]}{'xyz'[self.axis2]}"

    def applies_to(self, grid: Grid) -> bool:
        first, second = sorted((self.axis1, self.axis2))
        return (
            second < grid.ndim
            and grid.shape[first] == grid.shape[second]
            and grid.lengths[first] == grid.lengths[second]
        )

    def __call__(self, fields: Mapping[str, Any], ndim: int) -> dict[str, Any]:
        axes = self.axis1 - ndim, self.axis2 - ndim
        return {name: values.swapaxes(*axes) for name, values in fields.items()}


@dataclass(frozen=True)
class Shift:
    """A shift by a part of the period along one axis: u(x) ↦ u(x − L/parts), on periodic grids.

    Args:
        axis: axis of space, 0 for x, 1 for y, 2 for z.
        parts: the part of the period, as its inverse: 2 for half of it. The grid's points must divide into that many.

    Example:
        >>> import numpy as np
        >>> Shift(0, parts=4)({"u": np.array([1.0, 2.0, 3.0, 4.0])}, ndim=1)["u"].tolist()
        [4.0, 1.0, 2.0, 3.0]
    """

    axis: int
    parts: int

    @property
    def name(self) -> str:
        return f"shift {'xyz'[self.axis]} 1/{self.parts}"

    def applies_to(self, grid: Grid) -> bool:
        return self.axis < grid.ndim and grid.points == "periodic" and grid.shape[self.axis] % self.parts == 0

    def __call__(self, fields: Mapping[str, Any], ndim: int) -> dict[str, Any]:
        return {name: self._moved(values, self.axis - ndim) for name, values in fields.items()}

    def _moved(self, values: Any, axis: int) -> Any:
        kept = values.shape[axis] - values.shape[axis] // self.parts
        return concatenate([along(values, axis, kept, None), along(values, axis, None, kept)], axis)
