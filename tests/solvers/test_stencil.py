"""Stencils: the matrices of Poisson's equation, every boundary, batches, what is refused."""

import numpy as np
import pytest
import scipy.sparse.linalg
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Poisson
from opforge.solvers import Stencil, cg, fast_transforms, geometric_multigrid, pressure_system, symmetry_error

BOUNDARIES = ["dirichlet", "neumann", "periodic"]
GRIDS = [Grid((9,)), Grid((8, 7), (1.0, 2.0)), Grid((5, 4, 6), (1.0, 2.0, 0.5))]


def coefficient(grid, seed=0):
    return 10 ** np.random.default_rng(seed).uniform(-1, 1, grid.shape)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("grid", GRIDS)
def test_it_is_poissons_matrix_but_for_held_cells(grid, boundary):
    a, solid = coefficient(grid), np.zeros(grid.shape)
    solid[(3,) * grid.ndim] = 1
    A = Stencil(grid, boundary, a=a, solid=solid)
    expected = Poisson(grid.ndim, boundary).operator({"a": a, "solid": solid}, grid).toarray()
    found = A.matrix().toarray()
    different = np.abs(found - expected) > 1e-9 * np.abs(expected).max()
    assert different.sum() == (0 if boundary == "dirichlet" else 1 if grid.ndim > 1 or boundary == "periodic" else 2)
    assert A.floats == (boundary != "dirichlet")
    np.testing.assert_allclose(A.diagonal.numpy().ravel(), np.diag(found), rtol=1e-14)
    u = np.random.default_rng(1).standard_normal(grid.shape)
    np.testing.assert_allclose(A(u).ravel(), found @ u.ravel(), rtol=0, atol=1e-10 * np.abs(found).max())
    np.testing.assert_array_equal(A.aslinearoperator() @ u.ravel(), A(u).ravel())


@pytest.mark.parametrize("pair", [("dirichlet", "neumann"), ("neumann", "dirichlet")])
def test_mixed_boundaries_are_halves_of_symmetric_boxes(pair):
    """What is mirrored at a Neumann end solves the problem on the box of twice the length."""
    half, whole = Grid((6, 4)), Grid((12, 4), (2.0, 1.0))
    f = np.random.default_rng(0).standard_normal((6, 4))
    u = np.linalg.solve(Stencil(half, [pair, "dirichlet"]).matrix().toarray(), f.ravel()).reshape(6, 4)
    parts = (f, f[::-1]) if pair[1] == "neumann" else (f[::-1], f)
    both = np.linalg.solve(Stencil(whole).matrix().toarray(), np.concatenate(parts).ravel()).reshape(12, 4)
    np.testing.assert_allclose(both[:6] if pair[1] == "neumann" else both[6:], u, rtol=1e-12, atol=1e-14)


def test_the_reaction_is_added_outside_obstacles():
    grid, solid = Grid((6, 5)), np.zeros((6, 5))
    solid[2, 2] = 1
    with_it, without = (
        Stencil(grid, "neumann", c=c, solid=solid).matrix().toarray() for c in (np.full((6, 5), 3.0), None)
    )
    np.testing.assert_allclose(with_it - without, 3.0 * np.diag((1 - solid).ravel()), atol=1e-12)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_every_field_of_a_batch_may_have_its_coefficient(boundary):
    grid = GRIDS[1]
    a, u = np.stack([coefficient(grid, seed) for seed in (0, 1)]), np.random.default_rng(2).standard_normal((2, 8, 7))
    batch = Stencil(grid, boundary, a=a)
    assert batch.batched
    for number in range(2):
        np.testing.assert_allclose(batch(u)[number], Stencil(grid, boundary, a=a[number])(u[number]), rtol=1e-12)
    with pytest.raises(InputError, match=r"matrix\(\) must be of one operator"):
        batch.matrix()


@pytest.mark.parametrize("boundary", ["walls", "channel", "stream", "periodic"])
def test_of_the_matrices_of_flows(boundary):
    grid, solid = Grid((24, 21)), np.zeros((24, 21))
    solid[8:14, 5:9] = 1
    matrix = pressure_system(solid, grid, boundary)
    A = Stencil.of_matrix(matrix, grid)
    np.testing.assert_allclose(A.matrix().toarray(), matrix.toarray(), rtol=0, atol=1e-9)
    np.testing.assert_array_equal(A.fluid.numpy(), 1 - solid)
    first = {"walls": ("neumann",) * 2, "stream": ("neumann", "dirichlet")}.get(boundary, ("periodic",) * 2)
    assert A.boundary == (first, ("periodic" if boundary == "periodic" else "neumann",) * 2)
    assert not A.floats  # one cell is held, or the end of the stream
    b, fluid = np.random.default_rng(0).standard_normal(504), (1 - solid).ravel()
    b = fluid * (b - (fluid * b).sum() / fluid.sum())
    assert 6 <= cg(matrix, b, rtol=1e-9, M=geometric_multigrid(A)).iterations <= 12
    assert 6 <= cg(matrix, b, rtol=1e-9, M=fast_transforms(A)).iterations <= 25


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_of_a_matrix_and_back(ndim, boundary):
    grid = GRIDS[ndim - 1]
    A = Stencil(grid, boundary, a=coefficient(grid), c=coefficient(grid, 1))
    again = Stencil.of_matrix(A.matrix(), grid)
    scale = float(A.diagonal.max())
    np.testing.assert_allclose(again.matrix().toarray(), A.matrix().toarray(), rtol=0, atol=1e-11 * scale)
    assert again.wrapped == A.wrapped


COUPLED = [2.0, 2.0, 0.0, 2.0, 2.0]  # cells of the two rows of a grid


@pytest.mark.parametrize(
    ("A", "text"),
    [
        (np.eye(5), "A must have the grid's 6 cells as rows, got 5"),
        (np.eye(6), "A must couple some cells, got a diagonal matrix"),
        (np.tril(np.ones((6, 6))), "A must be symmetric"),
        (np.ones((6, 6)), "A must have entries <= 0 beside its diagonal, got 1"),
        (
            7 * np.eye(6) - np.ones((6, 6)),
            "A must couple neighbouring cells of the grid alone, got another entry in row",
        ),
        (np.eye(6) - np.diag(COUPLED, 1) - np.diag(COUPLED, -1), "A must have row sums of at least 0"),
    ],
)
def test_matrices_that_are_none(A, text):
    with pytest.raises(InputError, match=text):
        Stencil.of_matrix(A, Grid((2, 3)))


def test_it_serves_as_a_linear_operator_of_scipy():
    A, b = Stencil(Grid((12, 12))), np.random.default_rng(0).standard_normal(144)
    operator = A.aslinearoperator()
    x, info = scipy.sparse.linalg.cg(operator, b, rtol=1e-10)
    assert info == 0 and np.linalg.norm(operator @ x - b) < 1e-9 * np.linalg.norm(b)
    assert symmetry_error(A, torch.ones(1, 12, 12, dtype=torch.float64)) < 1e-14


def test_single_fields_and_precision():
    A = Stencil(Grid((12, 12)), dtype=torch.float32)
    b = torch.ones(12, 12)
    result = cg(A, b, rtol=1e-5)
    assert result.x.shape == (12, 12) and result.x.dtype == torch.float32
    double = A.to(torch.float64)
    torch.testing.assert_close(double(b.double()).float(), A(b))
    with pytest.raises(InputError, match=r"u must have the precision of the stencil, torch\.float64, got"):
        double(b)


def test_gradients():
    A = Stencil(GRIDS[1], ["periodic", ("neumann", "dirichlet")], a=coefficient(GRIDS[1]))
    u = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 8, 7))).requires_grad_()
    assert torch.autograd.gradcheck(A, u)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (dict(a=np.ones((8, 8))), r"a must have the grid's shape \(8, 7\)"),
        (dict(a=np.zeros((8, 7))), "a must be positive and finite outside obstacles"),
        (dict(a=np.full((8, 7), np.nan)), "a must be positive and finite outside obstacles"),
        (dict(c=-np.ones((8, 7))), "c must be finite and at least 0"),
        (dict(solid=np.ones((8, 7))), "solid must leave some cells of fluid"),
        (dict(boundary="open"), "boundary must be one of dirichlet, neumann, periodic"),
        (dict(boundary=["neumann"]), "boundary must be .* for each of 2 axes"),
        (dict(boundary=["neumann", ("periodic", "neumann")]), "boundary must be .* pairs without 'periodic'"),
    ],
)
def test_refusals(options, text):
    with pytest.raises(InputError, match=text):
        Stencil(GRIDS[1], **options)


def test_another_grid_is_refused():
    with pytest.raises(InputError, match="grid must have points='cells', got 'nodes'"):
        Stencil(Grid((5, 5), points="nodes"))
    with pytest.raises(InputError, match=r"u must have the shape \(8, 7\) after a batch, got \(7, 8\)"):
        Stencil(GRIDS[1])(np.ones((7, 8)))
