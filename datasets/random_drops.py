"""Random drops: smooth bumps on a periodic box that do not add up to more than one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opforge.core import Grid
from opforge.datasets.arguments import numbers, whole_number
from opforge.errors import InputError


@dataclass(frozen=True)
class Drops:
    """1 − Π (1 − g_i): where Gaussian bumps g_i of height 1 are, at random places of a periodic box.

    A generator stands for one function, whatever the grid.

    Args:
        count: how many.
        widths: bounds of their standard deviations, uniform, in parts of the shortest side.
        margin: part of every side that their centres keep from both ends; for boxes with walls.

    Raises:
        InputError: parameters out of range.

    Example:
        >>> u = Drops(3, (0.05, 0.1)).sample(np.random.default_rng(0), Grid.cube(2, 32, points="periodic"))
        >>> u.shape, bool(0 <= u.min() and u.max() <= 1)
        ((32, 32), True)
    """

    count: int
    widths: tuple[float, float]
    margin: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", whole_number("count", self.count, 1))
        object.__setattr__(self, "widths", numbers("widths", self.widths, 2))
        if not 0 < self.widths[0] <= self.widths[1] < 1:
            raise InputError(f"widths must be two numbers from 0 to 1, the least first, got {self.widths}")
        if not 0 <= self.margin < 0.5:
            raise InputError(f"margin must be a part of a side from 0 to 0.5, got {self.margin!r}")

    def sample(self, rng: np.random.Generator, grid: Grid) -> np.ndarray:
        """One sample at the grid's points, a float64 array of its shape, from 0 to 1."""
        rest, side = np.ones(grid.shape), min(grid.lengths)
        for _ in range(self.count):
            places, width = rng.uniform(self.margin, 1 - self.margin, grid.ndim), side * rng.uniform(*self.widths)
            bump = np.ones((1,) * grid.ndim)
            for axis, (x, start, length) in enumerate(zip(grid.coordinates(), grid.origin, grid.lengths, strict=True)):
                bump = bump * _round(x - start - places[axis] * length, width, length).reshape(
                    [-1 if i == axis else 1 for i in range(grid.ndim)]
                )
            rest *= 1 - bump
        return 1 - rest


def _round(distance: np.ndarray, width: float, length: float) -> np.ndarray:
    """A Gaussian on a circle, smooth all around: exp((cos(2πd/L) − 1)(L/(2πw))²), which is e^(−d²/2w²) nearby."""
    return np.exp((np.cos(2 * np.pi * distance / length) - 1) * (length / (2 * np.pi * width)) ** 2)
