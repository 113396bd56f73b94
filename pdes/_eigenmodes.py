"""Eigenfunctions of −Δ on cell centres: transforms that go with the ends of a box."""

from __future__ import annotations

from typing import Any

import numpy as np

from opforge.core import Grid, dctn, dstn, irfftn, rfftn
from opforge.pdes._finite_volumes import Boundary


def eigenvalues(grid: Grid, boundary: Boundary) -> np.ndarray:
    """λ of −Δ for the modes of `to_modes`, an array of their shape.

    Example:
        >>> (eigenvalues(Grid((3,)), "neumann") / np.pi**2).round(12).tolist()
        [0.0, 1.0, 4.0]
    """
    axes = []
    for number, (n, length) in enumerate(zip(grid.shape, grid.lengths, strict=True)):
        if boundary == "periodic":
            k = 2 * np.pi / length * ((np.arange(n) + n // 2) % n - n // 2)
            k = np.abs(k[: n // 2 + 1]) if number == grid.ndim - 1 else k
        else:
            k = np.pi / length * (np.arange(n) + (boundary == "dirichlet"))
        axes.append(k**2)
    return np.asarray(sum(np.meshgrid(*axes, indexing="ij")))


def to_modes(u: Any, grid: Grid, boundary: Boundary) -> Any:
    """Coefficients of the eigenfunctions of −Δ on cell centres, over the last axes; numpy or torch."""
    axes = tuple(range(-grid.ndim, 0))
    if boundary == "periodic":
        return rfftn(u, axes)
    return (dctn if boundary == "neumann" else dstn)(u, 2, axes)


def from_modes(modes: Any, grid: Grid, boundary: Boundary) -> Any:
    """The inverse of `to_modes`.

    Example:
        >>> u = np.array([1.0, 4.0, 2.0])
        >>> np.allclose(from_modes(to_modes(u, Grid((3,)), "dirichlet"), Grid((3,)), "dirichlet"), u)
        True
    """
    axes = tuple(range(-grid.ndim, 0))
    if boundary == "periodic":
        return irfftn(modes, grid.shape, axes)
    # types 2 and 3 are inverse to each other up to a scale that norm="forward" has
    return (dctn if boundary == "neumann" else dstn)(modes, 3, axes, norm="forward")
