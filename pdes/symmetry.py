"""Symmetries of equations on a grid: maps of the space that turn solutions into solutions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.errors import InputError
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
    """The mirror image along one axis of space: u(x) ↦ u(L − x).

    Args:
        axis: axis of space, 0 for x, 1 for y, 2 for z.
        odd: fields that change their sign, such as the velocity along the axis.

    Example:
        >>> import numpy as np
        >>> Reflection(0)({"u": np.array([1.0, 2.0, 4.0])}, ndim=1)["u"].tolist()
        [4.0, 2.0, 1.0]
    """

    axis: int
    odd: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"reflection {'xyz'[self.axis]}"

    def applies_to(self, grid: Grid) -> bool:
        return self.axis < grid.ndim and grid.points != "periodic"

    def __call__(self, fields: Mapping[str, Any], ndim: int) -> dict[str, Any]:
        moved = {name: flip(values, self.axis - ndim) for name, values in fields.items()}
        return with_signs(moved, self.odd)


@dataclass(frozen=True)
class PeriodicReflection:
    """The mirror image along one axis of a periodic grid: u(x) ↦ u(−x), which leaves the first point where it is.

    Args:
        axis: axis of space, 0 for x, 1 for y, 2 for z.
        odd: fields that change their sign, such as the velocity along the axis.

    Example:
        >>> import numpy as np
        >>> PeriodicReflection(0)({"u": np.array([1.0, 2.0, 3.0, 4.0])}, ndim=1)["u"].tolist()
        [1.0, 4.0, 3.0, 2.0]
    """

    axis: int
    odd: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"reflection {'xyz'[self.axis]}"

    def applies_to(self, grid: Grid) -> bool:
        return self.axis < grid.ndim and grid.points == "periodic"

    def __call__(self, fields: Mapping[str, Any], ndim: int) -> dict[str, Any]:
        return with_signs({name: self._moved(values, self.axis - ndim) for name, values in fields.items()}, self.odd)

    def _moved(self, values: Any, axis: int) -> Any:
        return concatenate([along(values, axis, None, 1), flip(along(values, axis, 1, None), axis)], axis)


@dataclass(frozen=True)
class SignChange:
    """The change of sign of some fields: u ↦ −u.

    Args:
        odd: the fields.

    Example:
        >>> SignChange(("u",))({"u": 1.0, "f": 1.0}, ndim=1)
        {'u': -1.0, 'f': 1.0}
    """

    odd: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"sign of {', '.join(self.odd)}"

    def applies_to(self, grid: Grid) -> bool:
        return True

    def __call__(self, fields: Mapping[str, Any], ndim: int) -> dict[str, Any]:
        return with_signs(fields, self.odd)


@dataclass(frozen=True)
class Transposition:
    """The mirror image along a diagonal: u(x, y) ↦ u(y, x), on grids with equal axes.

    Args:
        axis1, axis2: the axes of space that change places.
        swapped: pairs of fields that change places too, such as the velocities along the axes.
        odd: fields that change their sign, such as the vorticity.

    Raises:
        InputError: when called, fields that lack one of a pair.

    Example:
        >>> import numpy as np
        >>> Transposition(0, 1)({"u": np.array([[1.0, 2.0], [3.0, 4.0]])}, ndim=2)["u"].tolist()
        [[1.0, 3.0], [2.0, 4.0]]
    """

    axis1: int
    axis2: int
    swapped: tuple[tuple[str, str], ...] = ()
    odd: tuple[str, ...] = ()

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
        partner = {**dict(self.swapped), **{second: first for first, second in self.swapped}}
        for name in fields:
            if (other := _renamed(name, partner)) not in fields:
                raise InputError(f"fields must contain {other!r}, which changes places with {name!r}; add it")
        moved = {_renamed(name, partner): values.swapaxes(*axes) for name, values in fields.items()}
        return with_signs({name: moved[name] for name in fields}, self.odd)


@dataclass(frozen=True)
class Shift:
    """A shift by a part of the period along one axis: u(x) ↦ u(x − L/parts), of a box that is periodic along it.

    Args:
        axis: axis of space, 0 for x, 1 for y, 2 for z.
        parts: the part of the period, as its inverse: 2 for half of it. The grid's points must divide into that many.
        points: of the grids; ``"cells"`` for equations of finite volumes whose boundary is periodic.

    Example:
        >>> import numpy as np
        >>> Shift(0, parts=4)({"u": np.array([1.0, 2.0, 3.0, 4.0])}, ndim=1)["u"].tolist()
        [4.0, 1.0, 2.0, 3.0]
    """

    axis: int
    parts: int
    points: Points = "periodic"

    @property
    def name(self) -> str:
        return f"shift {'xyz'[self.axis]} 1/{self.parts}"

    def applies_to(self, grid: Grid) -> bool:
        return self.axis < grid.ndim and grid.points == self.points and grid.shape[self.axis] % self.parts == 0

    def __call__(self, fields: Mapping[str, Any], ndim: int) -> dict[str, Any]:
        return {name: self._moved(values, self.axis - ndim) for name, values in fields.items()}

    def _moved(self, values: Any, axis: int) -> Any:
        kept = values.shape[axis] - values.shape[axis] // self.parts
        return concatenate([along(values, axis, kept, None), along(values, axis, None, kept)], axis)


@dataclass(frozen=True)
class Composed:
    """Several maps one after the other, which are a symmetry together, whether or not each of them is one.

    Args:
        parts: the maps, the first one first.

    Example:
        >>> import numpy as np
        >>> turn = Composed((PeriodicReflection(0), PeriodicReflection(1)))
        >>> turn.name
        'reflection x, reflection y'
        >>> turn({"w": np.array([[1.0, 2.0], [3.0, 4.0]])}, ndim=2)["w"].tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """

    parts: tuple[Symmetry, ...]

    @property
    def name(self) -> str:
        return ", ".join(part.name for part in self.parts)

    def applies_to(self, grid: Grid) -> bool:
        return all(part.applies_to(grid) for part in self.parts)

    def __call__(self, fields: Mapping[str, Any], ndim: int) -> dict[str, Any]:
        moved = dict(fields)
        for part in self.parts:
            moved = part(moved, ndim)
        return moved


def shifts(ndim: int, points: Points = "periodic") -> tuple[Shift, ...]:
    """Shifts of every axis by a half, a quarter and an eighth of the period: some of them make all eighths.

    Example:
        >>> [shift.name for shift in shifts(1)]
        ['shift x 1/2', 'shift x 1/4', 'shift x 1/8']
    """
    return tuple(Shift(axis, parts, points) for axis in range(ndim) for parts in (2, 4, 8))


def with_signs(fields: Mapping[str, Any], odd: tuple[str, ...]) -> dict[str, Any]:
    """The fields, those in ``odd`` with the other sign; ``"u[2]"`` is a frame of the field ``"u"``.

    Example:
        >>> with_signs({"u[0]": 1.0, "p": 1.0}, ("u",))
        {'u[0]': -1.0, 'p': 1.0}
    """
    return {name: -values if name.partition("[")[0] in odd else values for name, values in fields.items()}


def _renamed(name: str, partner: Mapping[str, str]) -> str:
    """The name of the field that takes a field's place: ``"v[1]"`` for ``"u[1]"`` where u and v change places."""
    base, bracket, frame = name.partition("[")
    return partner.get(base, base) + bracket + frame
