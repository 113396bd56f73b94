"""Eigenfunctions of −Δ on cell centres: transforms and back, eigenvalues."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.pdes._eigenmodes import eigenvalues, from_modes, to_modes

BOUNDARIES = ["neumann", "dirichlet", "periodic"]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(9,), (8, 7), (4, 5, 6)])
def test_modes_and_back(boundary, shape):
    grid, u = Grid(shape), np.random.default_rng(0).standard_normal((2, *shape))
    modes = to_modes(u, grid, boundary)
    assert eigenvalues(grid, boundary).shape == modes.shape[1:]
    np.testing.assert_allclose(from_modes(modes, grid, boundary), u, rtol=0, atol=1e-13)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_minus_the_laplacian_of_an_eigenfunction(boundary):
    grid = Grid((9, 8), (2.0, 1.0))
    x, y = grid.mesh()
    waves = np.sin if boundary == "dirichlet" else np.cos
    k = (2 if boundary == "periodic" else 1) * np.pi
    u = waves(k * 2 * x / 2.0) * waves(k * y)
    found = from_modes(eigenvalues(grid, boundary) * to_modes(u, grid, boundary), grid, boundary)
    np.testing.assert_allclose(found, 2 * k**2 * u, rtol=0, atol=1e-11)
