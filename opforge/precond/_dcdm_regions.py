"""Random regions to train directions in: boxes of any size with obstacles and any boundary."""

from __future__ import annotations

import numpy as np
import torch

from opforge.core import Grid
from opforge.datasets.random_obstacles import Obstacles
from opforge.pdes._regions import without_pockets
from opforge.solvers import Stencil
from opforge.solvers.stencil import Sides

# Of the boxes: those with one boundary all around; of the others' axes: those that are periodic. Of the axes: those of
# 2^k + 1 cells. Of the regions: those without an obstacle.
_UNIFORM, _PERIODIC, _ODD, _EMPTY = 0.4, 0.15, 0.2, 0.1


def random_stencil(
    rng: np.random.Generator, ndim: int, cells: tuple[int, int], regions: int, boundaries: tuple[str, ...]
) -> Stencil:
    """Operators of a batch of regions on one box of random size, cells cubes, boundary of the allowed kinds.

    Obstacles are up to nine bodies of any size and kind. Pockets that they enclose are filled: there A is singular, and
    no x has a residual of 0.

    Args:
        rng: of everything.
        ndim: axes.
        cells: least and most along an axis; half of the boxes are of multiples of four, a fifth of the other axes of
            2^k + 1 cells, which stay odd on every level.
        regions: in the batch.
        boundaries: allowed kinds, of ``"dirichlet"``, ``"neumann"``, ``"periodic"``.

    Returns:
        The stencil, in single precision.
    """
    shape = tuple(int(n) for n in rng.integers(cells[0], cells[1] + 1, ndim))
    if rng.random() < 0.5:
        shape = tuple(max(4, n // 4 * 4) for n in shape)
    else:
        shape = tuple(min(2 ** (n.bit_length() - 1) + 1, cells[1]) if rng.random() < _ODD else n for n in shape)
    grid = Grid(shape, tuple(n / max(shape) for n in shape))
    boundary = random_boundary(rng, ndim, boundaries)
    solid = np.stack([random_solid(rng, grid, boundary) for _ in range(regions)])
    return Stencil(grid, boundary, solid=solid, dtype=torch.float32)


def random_boundary(rng: np.random.Generator, ndim: int, boundaries: tuple[str, ...]) -> tuple[Sides, ...]:
    """One kind all around, or any of the allowed ones for every end of every axis."""
    kinds = sorted(boundaries)
    if rng.random() < _UNIFORM:
        kind = kinds[rng.integers(len(kinds))]
        return ((kind, kind),) * ndim
    walls = [kind for kind in kinds if kind != "periodic"]

    def axis() -> Sides:
        if not walls or ("periodic" in kinds and rng.random() < _PERIODIC):
            return ("periodic", "periodic")
        lower, upper = rng.integers(len(walls), size=2)
        return (walls[lower], walls[upper])

    return tuple(axis() for _ in range(ndim))


def random_solid(rng: np.random.Generator, grid: Grid, boundary: tuple[Sides, ...]) -> np.ndarray:
    """Whether cells are solid, enclosed pockets among them; none is where the obstacles would leave too little."""
    bodies = Obstacles(int(rng.integers(1, 10)), sizes=(0.03, 0.16), margin=0.03).sample(rng, grid)
    if rng.random() < _EMPTY or bodies.mean() > 0.6:
        return np.zeros(grid.shape, bool)
    return without_pockets(bodies, boundary)
