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


def pressure_matrix(solid: np.ndarray, grid: Grid, box: Box) -> scipy.sparse.csr_matrix:
    """The matrix of −Δ_h, the divergence of the gradient through open faces: symmetric, positive definite, C order.

    Obstacles have a diagonal entry alone. In every region of fluid where the pressure floats, one cell has more on its
    diagonal, which changes the constant alone.

    Args:
        solid: which cells are, an array of the grid's shape.
        grid: cells.
        box: walls, periodic axes, a stream.

    Raises:
        InputError: another shape, no cell of fluid.
    """
    import scipy.sparse
    from scipy.sparse.csgraph import connected_components

    solid = np.asarray(solid) > 0.5
    if solid.shape != grid.shape:
        raise InputError(f"solid must have the grid's shape {grid.shape}, got {solid.shape}")
    if solid.all():
        raise InputError("solid must leave some cells of fluid, got obstacles everywhere; use fewer or smaller ones")
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
    links_of_all = half + half.T
    diagonal = np.asarray(links_of_all.sum(1)).ravel() + held.ravel()
    scale = sum(2 / h**2 for h in grid.spacing)
    _, region = connected_components(links_of_all, directed=False)
    regions, first = np.unique(region, return_index=True)
    floats = np.bincount(region, held.ravel(), minlength=len(regions)) == 0
    diagonal[first[floats]] += scale  # cells of solid are regions of their own
    return scipy.sparse.csr_matrix(scipy.sparse.diags_array(diagonal) - links_of_all)


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
