"""The pressure of incompressible flow around obstacles: the matrix of the staggered grid, and direct solutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from opforge.core import Grid
from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError
from opforge.pdes._staggered import Bodies, Box

if TYPE_CHECKING:
    import scipy.sparse


def checked_solid(solid: Any, grid: Grid) -> np.ndarray:
    """Obstacles as truth values.

    Args:
        solid: truth values, or numbers 0 and 1.
        grid: cells.

    Raises:
        InputError: another shape, other values, no cell of fluid.

    Example:
        >>> checked_solid([[0.0, 1.0]], Grid((1, 2))).tolist()
        [[False, True]]
    """
    solid = np.asarray(solid)
    if solid.shape != grid.shape:
        raise InputError(f"solid must have the grid's shape {grid.shape}, got {solid.shape}")
    neither = ~((solid == 0) | (solid == 1))
    if neither.any():
        raise InputError(
            f"solid must hold 1 in obstacles and 0 elsewhere, or truth values, got {solid[neither][0]} in one of "
            f"{int(neither.sum())} cells; compare it with a number first, such as solid > 0.5"
        )
    if np.all(solid == 1):
        raise InputError("solid must leave some cells of fluid, got obstacles everywhere; use fewer or smaller ones")
    return solid == 1


def pressure_matrix(solid: np.ndarray, grid: Grid, box: Box) -> scipy.sparse.csr_matrix:
    """The matrix of −Δ_h, the divergence of the gradient through open faces: symmetric, positive definite, C order.

    Obstacles have a diagonal entry alone. In every region of fluid where the pressure floats, one cell has more on its
    diagonal, which changes the constant alone.

    Args:
        solid: which cells are, an array of the grid's shape.
        grid: cells.
        box: walls, periodic axes, a stream.

    Raises:
        InputError: another shape, other values than 0 and 1, no cell of fluid.
    """
    import scipy.sparse

    links, held = _links(checked_solid(solid, grid), grid, box)
    diagonal = np.asarray(links.sum(1)).ravel() + held
    region, floats = _regions(links, held)
    _, first = np.unique(region, return_index=True)
    diagonal[first[floats]] += sum(2 / h**2 for h in grid.spacing)  # cells of solid are regions of their own
    return scipy.sparse.csr_matrix(scipy.sparse.diags_array(diagonal) - links)


def floating_regions(solid: np.ndarray, grid: Grid, box: Box) -> np.ndarray:
    """Numbers, from 1, of the regions of fluid where the pressure floats, 0 elsewhere; of the grid's shape.

    Example:
        >>> floating_regions(np.array([[0, 1, 0]]), Grid((1, 3)), Box((False, False))).tolist()
        [[1, 0, 2]]
    """
    solid = checked_solid(solid, grid)
    region, floats = _regions(*_links(solid, grid, box))
    wanted = floats[region] & ~solid.ravel()
    found = np.zeros(grid.size, int)
    found[wanted] = np.unique(region[wanted], return_inverse=True)[1] + 1
    return found.reshape(grid.shape)


def _links(solid: np.ndarray, grid: Grid, box: Box) -> tuple[Any, np.ndarray]:
    """The couplings 1/h² of cells through open faces, a sparse matrix, and what holds the pressure of each (cells,)."""
    import scipy.sparse

    number, held = np.arange(grid.size).reshape(grid.shape), np.zeros(grid.shape)
    links = []
    for axis, h, faces in zip(
        range(-grid.ndim, 0), grid.spacing, Bodies.of(solid.astype(float), box).open, strict=True
    ):
        faces = faces > 0.5
        if box.open(axis):
            end = (..., -1, *(slice(None),) * (-axis - 1))
            held[end] = 2 / h**2 * faces[end]
            faces = faces.copy()
            faces[end] = False
        links.append((number[faces], np.roll(number, -1, axis)[faces], np.full(int(faces.sum()), 1 / h**2)))
    lower, upper, weights = (np.concatenate(parts) for parts in zip(*links, strict=True))
    half = scipy.sparse.coo_array((weights, (lower, upper)), shape=(grid.size, grid.size)).tocsr()
    return half + half.T, held.ravel()


def _regions(links: Any, held: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The region (cells,) of every cell, from 0, and whether nothing holds the pressure of each region."""
    from scipy.sparse.csgraph import connected_components

    count, region = connected_components(links, directed=False)
    return region, np.bincount(region, held, minlength=count) == 0


def symmetric(apply: Callable[[np.ndarray], np.ndarray], x: Any) -> Any:
    """A symmetric linear map that numpy computes, of arrays of either kind; differentiable to any order in torch."""
    if not is_torch(x):
        return apply(x)
    import torch

    class Apply(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return torch.from_numpy(apply(x.detach().cpu().numpy())).to(x)

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            return Apply.apply(gradients[0])

    return Apply.apply(x)


class FactoredPressure:
    """Potentials of divergences around the obstacles of one box, by sparse factors that are made once.

    Exact to rounding. In two dimensions, and up to some 24³ cells in three, faster than conjugate gradients by far.

    Args:
        solid: which cells are, an array of the grid's shape.
        grid: cells.
        box: walls, periodic axes, a stream.

    Raises:
        InputError: what `pressure_matrix` refuses.
    """

    def __init__(self, solid: np.ndarray, grid: Grid, box: Box):
        from scipy.sparse.linalg import splu

        self._fluid, self._grid = np.asarray(solid) < 0.5, grid
        # for a symmetric matrix with a strong diagonal: the order of least degree, no exchange of rows
        self._factors = splu(
            pressure_matrix(solid, grid, box).tocsc(),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )

    def __call__(self, source: Any) -> Any:
        """φ with Δ_h φ = source (..., *space), 0 in obstacles; numpy or torch, with gradients."""
        return symmetric(self.solve, source)

    def solve(self, source: np.ndarray) -> np.ndarray:
        """The same for numpy alone."""
        b = np.where(self._fluid, -source, 0.0).astype(np.float64).reshape(-1, self._grid.size)
        x = self._factors.solve(np.asfortranarray(b.T)).T
        return np.where(self._fluid, x.reshape(source.shape), 0.0).astype(source.dtype)


class EachPressure:
    """`FactoredPressure` for samples with obstacles of their own; for residuals.

    Args:
        solid: (..., 1, *space), 1 in obstacles: the same for all frames of a sample.
        grid: cells.
        box: walls, periodic axes, a stream.
    """

    def __init__(self, solid: np.ndarray, grid: Grid, box: Box):
        self._solid, self._grid, self._box = np.asarray(solid) > 0.5, grid, box

    def __call__(self, source: Any) -> Any:
        """φ with Δ_h φ = source (..., frames, *space), 0 in obstacles; differentiable in torch."""
        return symmetric(self._solve, source)

    def _solve(self, source: np.ndarray) -> np.ndarray:
        samples = source.shape[: -self._grid.ndim - 1]
        solids = np.broadcast_to(self._solid, (*samples, 1, *self._grid.shape))
        found, solvers = np.zeros_like(source), {}
        for index in np.ndindex(*samples):
            key = solids[index].tobytes()
            if key not in solvers:
                solvers[key] = FactoredPressure(solids[index][0], self._grid, self._box)
            found[index] = solvers[key].solve(source[index])
        return found
