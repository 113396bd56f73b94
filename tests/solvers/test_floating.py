"""Regions in which nothing holds the solution: found, solved on the quotient, refused where b does not fit."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.precond import load
from opforge.solvers import (
    SingularWarning,
    Stencil,
    cg,
    dcdm,
    fast_transforms,
    fcg,
    geometric_multigrid,
    jacobi,
    minres,
)
from opforge.solvers._floating import RegionMeans

SHAPES = [(24, 21), (14, 13, 12)]


def pockets(shape, boundary):
    """A box around 4^ndim cells of fluid, and one around a single cell."""
    solid = np.zeros(shape, bool)
    for low, inner, high in ((2, (3, 7), 8), (9, (10, 11), 12)):
        solid[(slice(low, high),) * len(shape)] = True
        solid[(slice(*inner),) * len(shape)] = False
    return Stencil(Grid(shape, tuple(map(float, shape))), boundary, solid=solid)


def right_hand_side(A, seed=0):
    u = torch.randn(2, *A.space, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * A.fluid
    return A(u)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic", "mixed"])
def test_they_are_the_null_space(shape, boundary):
    ends = [("neumann", "dirichlet"), *["periodic"] * (len(shape) - 1)] if boundary == "mixed" else boundary
    A = pockets(shape, ends)
    regions = A.floating
    assert regions.shape == (1, *shape)
    sizes = np.bincount(regions.ravel())[1:]
    held = boundary in ("dirichlet", "mixed")
    assert sorted(sizes)[:2] == [1, 4 ** len(shape)] and len(sizes) == 3 - held
    for number in range(1, len(sizes) + 1):
        assert float(A(torch.from_numpy((regions == number) * 1.0)).abs().max()) < 1e-12
    if len(shape) == 2:
        values = np.linalg.eigvalsh(A.matrix().toarray())
        assert (np.abs(values) < 1e-10).sum() == len(sizes)


def test_what_is_held_does_not_float():
    grid = Grid((6, 5))
    assert Stencil(grid).floating is None
    assert Stencil(grid, "neumann", c=np.eye(6, 5)).floating is None
    assert Stencil(grid, ["neumann", ("neumann", "dirichlet")]).floating is None
    assert (Stencil(grid, "neumann").floating == 1).all()
    some = Stencil(grid, "periodic", c=np.stack([np.zeros((6, 5)), np.ones((6, 5))]))
    assert some.floating.max(axis=(1, 2)).tolist() == [1, 0]


def test_regions_that_faces_part():
    """Of a matrix: no obstacle stands between the two halves, but nothing flows."""
    A = Stencil(Grid((8, 6)), "neumann").matrix().toarray()
    number = np.arange(48).reshape(8, 6)
    for i, j in zip(number[3], number[4], strict=True):
        A[i, i] += A[i, j]
        A[j, j] += A[i, j]
        A[i, j] = A[j, i] = 0.0
    regions = Stencil.of_matrix(A, Grid((8, 6))).floating[0]
    assert (regions[:4] == 1).all() and (regions[4:] == 2).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic"])
@pytest.mark.parametrize(
    ("method", "make", "most"),
    [
        (cg, lambda A: None, 160),
        (cg, jacobi, 160),
        (minres, lambda A: None, 160),
        (cg, geometric_multigrid, 10),
        (cg, lambda A: load(f"multigrid_{A.grid.ndim}d").on(A), 10),
        (cg, lambda A: load(f"multigrid_{A.grid.ndim}d").on(A, compiled=False), 10),
        (minres, geometric_multigrid, 10),
        (fcg, fast_transforms, 20),
        (dcdm, lambda A: load(f"dcdm_{A.grid.ndim}d").on(A), 9),
    ],
)
def test_every_method_solves_on_the_quotient(shape, boundary, method, make, most):
    A = pockets(shape, boundary)
    b, M = right_hand_side(A), make(A)
    count = int(A.floating.max())
    with pytest.warns(SingularWarning, match=f"A takes constants to 0 in {count} regions of cells: the solution"):
        result = method(getattr(M, "operator", A), b, rtol=1e-8, M=M)
    assert result.converged and 2 <= result.iterations <= most
    assert float((A(result.x) - b).norm() / b.norm()) < 1.5e-8
    assert float(RegionMeans(A.floating, b)(result.x).abs().max()) < 1e-9 * float(result.x.abs().max())


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann"])
def test_a_right_hand_side_that_no_solution_has_is_refused(boundary):
    A = pockets((24, 21), boundary)
    b = right_hand_side(A)
    b[1, 4, 4] += 3.2
    with pytest.raises(InputError, match=r"b must have the mean 0 in every region .* got 0\.2 in a region of 16 cells"):
        cg(A, b, rtol=1e-8)
    with pytest.raises(InputError, match=r"subtract the mean there, or fill the region \(solid=1\) if obstacles"):
        cg(A, b.numpy(), rtol=1e-8)


def test_means_of_many_regions():
    regions = np.array([[[1, 1, 0], [2, 3, 3]], [[0, 0, 0], [1, 1, 1]]])
    x = np.arange(12.0).reshape(2, 2, 3)
    expected = [[[0.5, 0.5, 0.0], [3.0, 4.5, 4.5]], [[0.0, 0.0, 0.0], [10.0, 10.0, 10.0]]]
    means = RegionMeans(regions, x)
    assert means(x).tolist() == expected and means(torch.from_numpy(x)).tolist() == expected
    assert means.sizes.tolist() == [[2, 1, 2], [3, 0, 0]]
