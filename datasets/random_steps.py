"""Random step functions: fields that jump between random values, on a periodic box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opforge.core import Grid
from opforge.errors import InputError


@dataclass(frozen=True)
class Steps:
    """A field of one value, and boxes of other values over it, each over those before: u ← u + m_i(x) (h_i − u).

    The values h_i are uniform between −``amplitude`` and ``amplitude``, so that the field stays between these. Boxes
    have random places and go round the periodic box; in one dimension they are intervals. m_i is 1 in a box and 0
    outside, and changes as a hyperbolic tangent over the length ``edge``. A generator stands for one function, whatever
    the grid.

    Args:
        count: how many boxes.
        amplitude: greatest magnitude, greater than 0.
        sizes: bounds of their half sides, uniform, in parts of a side.
        edge: in parts of a side, at most a fourth of the least half side; 0 for jumps.

    Raises:
        InputError: parameters out of range.

    Example:
        >>> u = Steps(edge=0).sample(np.random.default_rng(0), Grid.cube(1, 64, points="periodic"))
        >>> len(np.unique(u)) <= 4, bool(abs(u).max() <= 1)
        (True, True)
    """

    count: int = 3
    amplitude: float = 1.0
    sizes: tuple[float, float] = (0.08, 0.25)
    edge: float = 0.015

    def __post_init__(self) -> None:
        if isinstance(self.count, bool) or not isinstance(self.count, int) or self.count < 1:
            raise InputError(f"count must be a whole number of at least 1, got {self.count!r}")
        if not 0 < self.amplitude < np.inf:
            raise InputError(f"amplitude must be a number greater than 0, got {self.amplitude!r}")
        if not 0 < self.sizes[0] <= self.sizes[1] < 0.5:
            raise InputError(f"sizes must be parts of a side from 0 to 0.5, got {self.sizes!r}")
        if not 0 <= self.edge <= self.sizes[0] / 4:
            raise InputError(f"edge must be from 0 to {self.sizes[0] / 4:g}, got {self.edge!r}")

    def sample(self, rng: np.random.Generator, grid: Grid) -> np.ndarray:
        """One sample at the grid's points, a float64 array of its shape.

        Raises:
            InputError: a grid that is not periodic.
        """
        if grid.points != "periodic":
            raise InputError(f"grid must have points='periodic' for boxes that go round, got {grid.points!r}")
        u = np.full(grid.shape, rng.uniform(-self.amplitude, self.amplitude))
        for _ in range(self.count):
            height = rng.uniform(-self.amplitude, self.amplitude)
            centre, half = rng.random(grid.ndim), rng.uniform(*self.sizes, grid.ndim)
            inside = np.ones((1,) * grid.ndim)
            for axis, (x, start, length) in enumerate(zip(grid.coordinates(), grid.origin, grid.lengths, strict=True)):
                away = ((x - start) / length - centre[axis] + 0.5) % 1 - 0.5
                shape = [-1 if i == axis else 1 for i in range(grid.ndim)]
                inside = inside * self._window(away, half[axis]).reshape(shape)
            u = u + inside * (height - u)
        return u

    def _window(self, away: np.ndarray, half: float) -> np.ndarray:
        """1 nearer than ``half``, 0 farther; even in the distance and smooth, unless the edge is 0."""
        if self.edge == 0:
            return (np.abs(away) <= half).astype(np.float64)
        return (np.tanh((half - away) / self.edge) + np.tanh((half + away) / self.edge)) / 2
