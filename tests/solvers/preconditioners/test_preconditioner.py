"""What every preconditioner promises: symmetric, positive definite, fewer iterations, in every cg, nothing kept."""

import numpy as np
import pyamg
import pytest
import scipy.sparse
import scipy.sparse.linalg
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.solvers import (
    Preconditioner,
    Stencil,
    amg,
    cg,
    fast_transforms,
    geometric_multigrid,
    incomplete_cholesky,
    jacobi,
    minres,
    ssor,
    symmetry_error,
)

pytest.importorskip("numba")

MAKERS = {
    "jacobi": jacobi,
    "ssor": ssor,
    "ssor 1.7": lambda A: ssor(A, 1.7),
    "incomplete Cholesky": incomplete_cholesky,
    "modified": lambda A: incomplete_cholesky(A, modified=0.97),
    "Ruge-Stueben": amg,
    "smoothed aggregation": lambda A: amg(A, "smoothed_aggregation"),
    "geometric multigrid": geometric_multigrid,
    "fast transforms": fast_transforms,
}
every = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def around_obstacles(shape=(13, 12), boundary="dirichlet", seed=0):
    """−∇·(a∇u) with a of a contrast 100 around obstacles."""
    rng = np.random.default_rng(seed)
    a, solid = 10 ** rng.uniform(-1, 1, shape), np.zeros(shape)
    solid[3:6, 4:9] = 1
    solid[9, 2] = 1
    return Stencil(Grid(shape), boundary, a=a, solid=solid)


@every
@pytest.mark.parametrize("boundary", ["dirichlet", ["periodic", ("neumann", "dirichlet")]])
def test_symmetric_and_positive_definite(make, boundary):
    A = around_obstacles(boundary=boundary)
    M = make(A)
    assert isinstance(M, Preconditioner) and M.shape == A.shape
    assert symmetry_error(M.aspreconditioner(A)) < 1e-13
    dense = np.column_stack([M.matvec(column) for column in np.eye(156)])
    np.testing.assert_allclose(dense, dense.T, rtol=0, atol=1e-13 * np.abs(dense).max())
    values = np.linalg.eigvalsh((dense + dense.T) / 2)
    assert values[0] > 1e-6 * values[-1]


@every
def test_in_scipys_pyamgs_and_our_cg(make):
    A = around_obstacles((40, 36))
    matrix, b = A.matrix(), np.random.default_rng(1).standard_normal(1440)
    M, plain = make(A), cg(matrix, b, rtol=1e-9).iterations
    count, counts = 0, []

    def counted(_):
        nonlocal count
        count += 1

    for given in (M, M.aspreconditioner(A)):
        result = cg(matrix, b, rtol=1e-9, M=given)
        count = 0
        x, info = scipy.sparse.linalg.cg(matrix, b, rtol=1e-9, M=given, callback=counted)
        assert result.info == info == 0
        np.testing.assert_allclose(x, result.x, rtol=0, atol=1e-7 * np.abs(x).max())
        counts += [result.iterations, count]
        y, info = pyamg.krylov.cg(matrix, b, tol=1e-9, M=given)
        assert info == 0 and np.linalg.norm(matrix @ y - b) < 2e-9 * np.linalg.norm(b)
    assert max(counts) - min(counts) <= 1
    assert 2 <= max(counts) < 0.9 * plain
    assert minres(matrix, b, rtol=1e-9, M=M).converged


@every
def test_nothing_is_kept_from_another_matrix(make):
    A, other, r = around_obstacles(), around_obstacles(seed=7), np.random.default_rng(0).standard_normal(156)
    M = make(A)
    before = M.matvec(r)
    make(other).matvec(r)
    np.testing.assert_array_equal(M.matvec(r), before)
    np.testing.assert_allclose(make(A).matvec(r), before, rtol=1e-12, atol=1e-16)


@every
def test_linear_and_writes_nothing(make):
    M, rng = make(around_obstacles()), np.random.default_rng(0)
    u, v = rng.standard_normal((2, 156))
    kept = u.copy()
    both = M.matvec(2 * u - 3 * v)
    np.testing.assert_allclose(both, 2 * M.matvec(u) - 3 * M.matvec(v), rtol=0, atol=1e-12 * np.abs(both).max())
    np.testing.assert_array_equal(u, kept)
    np.testing.assert_array_equal(M.matvec(0 * u), 0 * u)


@pytest.mark.parametrize("make", [geometric_multigrid, fast_transforms, jacobi])
def test_fields_of_numpy_and_torch_of_any_batch(make):
    M, r = make(around_obstacles()), np.random.default_rng(0).standard_normal((3, 13, 12))
    expected = np.stack([M.matvec(field.ravel()).reshape(13, 12) for field in r])
    for given in (r, torch.from_numpy(r), torch.from_numpy(r)[:, None]):
        np.testing.assert_allclose(np.asarray(M(given)).reshape(r.shape), expected, rtol=0, atol=1e-15)
    assert isinstance(M(torch.from_numpy(r[0])), torch.Tensor) and M(r[0]).shape == (13, 12)
    with pytest.raises(InputError, match=r"r must have the shape \(156,\) or \(batch, \*\(13, 12\)\), got \(12, 13\)"):
        M(np.ones((12, 13)))


@pytest.mark.parametrize("make", [jacobi, ssor, incomplete_cholesky, amg])
@pytest.mark.parametrize(
    ("A", "text"),
    [
        (np.ones((3, 2)), r"A must be square, got shape \(3, 2\)"),
        (np.diag([1.0, -1.0, 2.0]), "A must have a positive diagonal.* got -1 in row 1"),
        (np.diag([1.0, np.nan, 2.0]), "A must be finite"),
        (lambda x: x, "A must be a matrix of numpy or scipy.sparse, got function"),
    ],
)
def test_refusals_of_matrices(make, A, text):
    with pytest.raises(InputError, match=text):
        make(A)


@pytest.mark.parametrize("make", [geometric_multigrid, fast_transforms])
def test_refusals_of_what_is_no_stencil(make):
    with pytest.raises(InputError, match="A must be a Stencil, got csr_array"):
        make(scipy.sparse.eye_array(4, format="csr"))


def test_the_shape_of_A_is_compared():
    with pytest.raises(InputError, match=r"A must have the shape \(3, 3\) of the preconditioner, got \(4, 4\)"):
        jacobi(np.eye(3)).aspreconditioner(np.eye(4))
    with pytest.raises(InputError, match=r"r must have the shape \(3,\), got \(4,\)"):
        jacobi(np.eye(3))(np.ones(4))
