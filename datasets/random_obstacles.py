"""Random obstacles: unions of discs, boxes and smooth blobs, the same shapes on every grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opforge.core import Grid
from opforge.datasets.arguments import numbers, whole_number
from opforge.errors import InputError

KINDS = ("discs", "boxes", "blobs")


@dataclass(frozen=True)
class Obstacles:
    """Solid bodies at random places of a box, in one to three dimensions.

    A generator stands for the same bodies on every grid; a cell is solid if its centre is.

    Args:
        count: how many, at least 1.
        sizes: bounds of their radii (boxes: half sides), uniform, in parts of the shortest side.
        kind: ``"discs"`` (balls), ``"boxes"`` (turned in two dimensions), ``"blobs"`` (discs with wavy edges), or None
            for any of them, drawn for each body.
        margin: part of every side that their centres keep from both ends.

    Raises:
        InputError: parameters out of range.

    Example:
        >>> solid = Obstacles(2).sample(np.random.default_rng(0), Grid.cube(2, 32))
        >>> solid.dtype.name, bool(0.01 < solid.mean() < 0.3)
        ('bool', True)
    """

    count: int = 3
    sizes: tuple[float, float] = (0.05, 0.12)
    kind: str | None = None
    margin: float = 0.2

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", whole_number("count", self.count, 1))
        object.__setattr__(self, "sizes", numbers("sizes", self.sizes, 2))
        if not 0 < self.sizes[0] <= self.sizes[1] < 0.5:
            raise InputError(f"sizes must be two numbers from 0 to 0.5, the least first, got {self.sizes}")
        if self.kind is not None and self.kind not in KINDS:
            raise InputError(f"kind must be one of {', '.join(KINDS)} or None, got {self.kind!r}")
        if not 0 <= self.margin < 0.5:
            raise InputError(f"margin must be a part of a side from 0 to 0.5, got {self.margin!r}")

    def sample(self, rng: np.random.Generator, grid: Grid) -> np.ndarray:
        """A truth value for every point: whether it is solid."""
        solid = np.zeros(grid.shape, bool)
        for _ in range(self.count):
            centre = rng.uniform(self.margin, 1 - self.margin, grid.ndim)
            size = min(grid.lengths) * rng.uniform(*self.sizes, grid.ndim)
            turn, wave = rng.uniform(0, 2 * np.pi, 2)
            kind = self.kind or KINDS[rng.integers(len(KINDS))]
            away = [
                x - start - c * length
                for x, start, c, length in zip(grid.mesh(), grid.origin, centre, grid.lengths, strict=True)
            ]
            solid |= _inside(kind, away, size, turn, wave)
        return solid


def _inside(kind: str, away: list[np.ndarray], size: np.ndarray, turn: float, wave: float) -> np.ndarray:
    """Which points, given by their way from the centre, are in a body."""
    radius = np.sqrt(sum(x**2 for x in away))
    if kind == "discs":
        return radius <= size[0]
    if len(away) == 2:
        x, y = away
        away = [np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x]
    if kind == "boxes":
        return np.all([np.abs(x) <= half for x, half in zip(away, size, strict=True)], axis=0)
    angle = np.arctan2(away[1], away[0]) if len(away) > 1 else 0.0
    return radius <= size[0] * (1 + 0.25 * np.cos(3 * angle + wave) + 0.1 * np.cos(5 * angle + turn))
