"""Integrals of periodic fields, by their Fourier coefficients."""

from __future__ import annotations

import numpy as np

from opforge.core import Grid, rfftn


def mean_over_points(u: np.ndarray, grid: Grid) -> np.ndarray:
    """The mean of fields (..., *space) over the box: an array (...)."""
    return u.mean(tuple(range(-grid.ndim, 0)))


def gradient_energy(u: np.ndarray, grid: Grid) -> np.ndarray:
    """The mean of |∇u|²/2 of fields (..., *space) over a periodic box: an array (...)."""
    space = tuple(range(-grid.ndim, 0))
    size = np.abs(rfftn(u, space, "forward")) ** 2
    n = grid.shape[-1]
    *others, last = grid.wavenumbers()
    square = sum(k**2 for k in np.meshgrid(*others, last[: n // 2 + 1], indexing="ij"))
    twice = np.full(n // 2 + 1, 2.0)
    twice[0] = 1.0
    if n % 2 == 0:
        twice[-1] = 1.0
    return (size * square * twice).sum(space) / 2
