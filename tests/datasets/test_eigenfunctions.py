import itertools
import math

import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets._eigenfunctions import POINTS, Eigenfunctions
from opforge.errors import InputError

KINDS = [(boundary, points) for boundary, kinds in POINTS.items() for points in kinds]
SHAPES = [(8,), (7,), (6, 5), (5, 4, 3)]


def box(shape, points):
    ndim = len(shape)
    return Grid(shape, (2.0, 0.5, 3.0)[:ndim], points, (1.0, -2.0, 0.0)[:ndim])


def along_axis(boundary, k, xi):
    if boundary == "neumann":
        return np.ones_like(xi) if k == 0 else math.sqrt(2) * np.cos(np.pi * k * xi)
    return math.sqrt(2) * np.sin(np.pi * k * xi)


def evaluate(boundary, grid, k):
    """The eigenfunction from its formula."""
    xi = [(x - o) / length for x, o, length in zip(grid.mesh(), grid.origin, grid.lengths, strict=True)]
    if boundary == "periodic":
        phase = 2 * np.pi * sum(ki * s for ki, s in zip(k, xi, strict=True))
        values = np.cos(phase) + np.sin(phase)
    else:
        values = np.prod([along_axis(boundary, ki, s) for ki, s in zip(k, xi, strict=True)], axis=0)
    return values / math.sqrt(math.prod(grid.lengths))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("boundary", "points"), KINDS)
@pytest.mark.parametrize("modes", [None, 3])
def test_synthesis_is_the_sum(boundary, points, shape, modes):
    grid = box(shape, points)
    basis = Eigenfunctions(boundary, grid, modes)
    wavenumbers = basis.wavenumbers()
    c = np.random.default_rng(0).standard_normal([len(k) for k in wavenumbers])
    expected = sum(
        c[i] * evaluate(boundary, grid, [k[j] for k, j in zip(wavenumbers, i, strict=True)])
        for i in np.ndindex(c.shape)
    )
    np.testing.assert_allclose(basis.synthesis(c), expected, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("boundary", "points"), KINDS)
def test_sum_of_squares_is_the_sum(boundary, points, shape):
    grid = box(shape, points)
    basis = Eigenfunctions(boundary, grid)
    weights = 1 / (1 + basis.eigenvalues())
    modes = list(itertools.product(*basis.wavenumbers()))
    expected = sum(w * evaluate(boundary, grid, k) ** 2 for w, k in zip(weights.ravel(), modes, strict=True))
    np.testing.assert_allclose(basis.sum_of_squares(weights), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("boundary", "points"), [("neumann", "cells"), ("dirichlet", "cells"), ("periodic", "periodic")]
)
def test_orthonormal_in_the_mean_square(boundary, points):
    """By the midpoint rule, which is exact for products of functions below half the sampling rate."""
    grid = box((16, 18), points)
    basis = Eigenfunctions(boundary, grid, modes=6)
    modes = list(itertools.product(*basis.wavenumbers()))
    values = np.stack([evaluate(boundary, grid, k).ravel() for k in modes])
    np.testing.assert_allclose(values @ values.T * math.prod(grid.spacing), np.eye(len(modes)), atol=1e-12)


@pytest.mark.parametrize("boundary", sorted(POINTS))
def test_eigenvalues_are_those_of_the_laplacian(boundary):
    grid = box((4096,), POINTS[boundary][0])
    basis = Eigenfunctions(boundary, grid, modes=5)
    for k, eigenvalue in zip(basis.wavenumbers()[0], basis.eigenvalues(), strict=True):
        phi, h = evaluate(boundary, grid, [k]), grid.spacing[0]
        laplacian = np.diff(phi, 2) / h**2
        np.testing.assert_allclose(-laplacian, eigenvalue * phi[1:-1], atol=1e-4 * (1 + eigenvalue))


@pytest.mark.parametrize(
    ("boundary", "points"), [("neumann", "periodic"), ("periodic", "nodes"), ("dirichlet", "periodic")]
)
def test_other_points_are_refused(boundary, points):
    with pytest.raises(InputError, match=f"grid must have points=.*{boundary}.*got {points!r}"):
        Eigenfunctions(boundary, Grid.cube(1, 8, points=points))


def test_nodes_without_an_inside_are_refused():
    with pytest.raises(InputError, match="grid must have at least 3 nodes"):
        Eigenfunctions("dirichlet", Grid.cube(2, 2, points="nodes"))


@pytest.mark.parametrize("modes", [0, 9])
def test_modes_out_of_range_are_refused(modes):
    with pytest.raises(InputError, match="modes must lie between 1 and the grid's 8 points"):
        Eigenfunctions("neumann", Grid((8, 9)), modes)
