"""Uniform grids on boxes: where the points of an array lie in space."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from opforge.errors import InputError

Points = Literal["cells", "nodes", "periodic"]

AXIS_NAMES = ("x", "y", "z")

# Where the points lie: offset of the first one in spacings, and what to subtract from n to get the number of spacings
# in the box.
LAYOUT: dict[str, tuple[float, int]] = {"cells": (0.5, 0), "nodes": (0.0, 1), "periodic": (0.0, 0)}


@dataclass(frozen=True)
class Grid:
    """A uniform grid on a box with one, two or three axes.

    Args:
        shape: number of points per axis, ``(nx, [ny, [nz]])``.
        lengths: extent of the box per axis, in the equation's unit of length; 1 on every axis unless given.
        points: ``"cells"``, the centres x_i = (i + ½)h with h = L/n; ``"nodes"``, both ends included, x_i = ih with
            h = L/(n − 1); ``"periodic"``, x_i = ih with h = L/n.
        origin: the box's lower corner; 0 on every axis unless given.

    Raises:
        InputError: an axis without points, a length that is not positive, sizes that do not agree.

    Example:
        >>> grid = Grid((4,), points="cells")
        >>> grid.coordinates()[0].tolist()
        [0.125, 0.375, 0.625, 0.875]
        >>> grid.spacing
        (0.25,)
    """

    shape: tuple[int, ...]
    lengths: tuple[float, ...] = ()
    points: Points = "cells"
    origin: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        shape = _numbers("shape", self.shape, operator.index, "whole numbers")
        object.__setattr__(self, "shape", shape)
        for name, usual in (("lengths", 1.0), ("origin", 0.0)):
            given = _numbers(name, getattr(self, name), float, "numbers")
            object.__setattr__(self, name, given or (usual,) * len(shape))
        if not 1 <= len(shape) <= len(AXIS_NAMES):
            raise InputError(f"a grid has 1 to 3 axes, got shape {shape}")
        if self.points not in LAYOUT:
            raise InputError(f"points must be one of {', '.join(LAYOUT)}, got {self.points!r}")
        least = 2 if self.points == "nodes" else 1
        if min(shape) < least:
            raise InputError(f"every axis of a {self.points!r} grid needs at least {least} points, got {shape}")
        if not len(shape) == len(self.lengths) == len(self.origin):
            raise InputError(
                f"shape, lengths and origin need one value per axis, got {shape}, {self.lengths}, {self.origin}"
            )
        if not all(0 < length < math.inf for length in self.lengths):
            raise InputError(f"lengths must be positive and finite, got {self.lengths}")
        if not all(map(math.isfinite, self.origin)):
            raise InputError(f"origin must be finite, got {self.origin}")

    @classmethod
    def cube(cls, ndim: int, n: int, *, length: float = 1.0, points: Points = "cells") -> Grid:
        """The grid with ``n`` points on each of ``ndim`` axes of equal length."""
        return cls((n,) * ndim, (length,) * ndim, points)

    @classmethod
    def from_coordinates(cls, coordinates: Sequence[np.ndarray], lengths: Sequence[float], points: Points) -> Grid:
        """The grid that has these coordinates; refuses coordinates that are not uniform.

        Args:
            coordinates: one increasing 1-D array per axis.
            lengths: extent of the box per axis.
            points: where in its spacing each coordinate lies, see `Grid`.

        Raises:
            InputError: coordinates that no such grid has.
        """
        offset = LAYOUT[points][0] if points in LAYOUT else 0.0
        trial = cls(tuple(len(c) for c in coordinates), tuple(lengths), points)
        origin = tuple(float(c[0]) - offset * h for c, h in zip(coordinates, trial.spacing, strict=True))
        grid = cls(trial.shape, trial.lengths, points, origin)
        for name, given, own in zip(AXIS_NAMES, coordinates, grid.coordinates(), strict=False):
            if not np.allclose(given, own, rtol=0.0, atol=1e-5 * max(grid.lengths)):
                raise InputError(
                    f"coordinate {name!r} is not that of a uniform {points!r} grid of length "
                    f"{grid.lengths[AXIS_NAMES.index(name)]}: resample the field onto a uniform grid first"
                )
        return grid

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance between neighbouring points per axis."""
        fewer = LAYOUT[self.points][1]
        return tuple(length / (n - fewer) for n, length in zip(self.shape, self.lengths, strict=True))

    @property
    def axis_names(self) -> tuple[str, ...]:
        return AXIS_NAMES[: self.ndim]

    def coordinates(self) -> tuple[np.ndarray, ...]:
        """One float64 array of coordinates per axis."""
        offset = LAYOUT[self.points][0]
        return tuple(
            start + (np.arange(n) + offset) * h
            for n, h, start in zip(self.shape, self.spacing, self.origin, strict=True)
        )

    def wavenumbers(self) -> tuple[np.ndarray, ...]:
        """One float64 array per axis: 2πk/L with k = 0, 1, …, −1 in the order of a Fourier transform's modes.

        The Nyquist mode of an even number of points is negative.

        Example:
            >>> (Grid((4,), (2.0,), "periodic").wavenumbers()[0] / np.pi).tolist()
            [0.0, 1.0, -2.0, -1.0]
        """
        return tuple(
            2 * math.pi / length * ((np.arange(n) + n // 2) % n - n // 2)
            for n, length in zip(self.shape, self.lengths, strict=True)
        )

    def mesh(self) -> tuple[np.ndarray, ...]:
        """One float64 array of the grid's shape per axis: the coordinates of every point."""
        return tuple(np.meshgrid(*self.coordinates(), indexing="ij"))

    def with_shape(self, shape: Sequence[int]) -> Grid:
        """The same box with another number of points."""
        return Grid(tuple(shape), self.lengths, self.points, self.origin)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` reads them back."""
        return {
            "shape": list(self.shape),
            "lengths": list(self.lengths),
            "points": self.points,
            "origin": list(self.origin),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Grid:
        return cls(tuple(values["shape"]), tuple(values["lengths"]), values["points"], tuple(values["origin"]))


def _numbers(name: str, given: Any, kind: Callable[[Any], Any], words: str) -> tuple[Any, ...]:
    try:
        return tuple(map(kind, given))
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be a sequence of {words}, one per axis, got {given!r}") from error
