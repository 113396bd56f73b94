"""Incomplete factors: exact on the pattern, sums kept by the modified ones, shifts where pivots fail."""

import sys

import numpy as np
import pyamg
import pytest
import scipy.sparse

from opforge.errors import InputError, WorkError
from opforge.solvers import cg, incomplete_cholesky


def factors(M):
    return scipy.sparse.csc_array((M._values, M._rows, M._starts), shape=M.shape).toarray()


@pytest.fixture(autouse=True)
def numba():
    pytest.importorskip("numba")


def test_without_fill_it_is_the_factorisation():
    A = scipy.sparse.diags_array([np.full(29, -1.0), np.linspace(2, 4, 30), np.full(29, -1.0)], offsets=[-1, 0, 1])
    np.testing.assert_allclose(factors(incomplete_cholesky(A)), np.linalg.cholesky(A.toarray()), rtol=1e-12, atol=1e-15)
    assert cg(A, np.ones(30), rtol=1e-10, M=incomplete_cholesky(A)).iterations == 1


def matrix(n=60, seed=0):
    """Sparse, diagonally dominant, with triangles in its pattern."""
    B = scipy.sparse.random_array((n, n), density=0.06, rng=np.random.default_rng(seed))
    A = -(B + B.T)
    return scipy.sparse.csr_array(A + scipy.sparse.diags_array(1.1 * np.asarray(abs(A).sum(1)).ravel() + 0.01))


def test_the_product_is_the_matrix_on_its_pattern():
    A = matrix()
    L = factors(incomplete_cholesky(A))
    on = A.toarray() != 0
    assert not np.allclose(L @ L.T, A.toarray())
    np.testing.assert_allclose((L @ L.T)[on], A.toarray()[on], rtol=1e-12)
    assert np.all((L != 0) <= np.tril(on))


def test_the_modified_product_does_to_constants_what_the_matrix_does():
    A = matrix()
    L = factors(incomplete_cholesky(A, modified=1.0))
    np.testing.assert_allclose(L @ (L.T @ np.ones(60)), A @ np.ones(60), rtol=1e-10, atol=1e-12)
    off = (A.toarray() != 0) & ~np.eye(60, dtype=bool)
    np.testing.assert_allclose((L @ L.T)[off], A.toarray()[off], rtol=1e-12)


def test_iterations_grow_like_n_and_modified_ones_like_its_root():
    counts = {}
    for n in (32, 128):
        A, b = pyamg.gallery.poisson((n, n), format="csr"), np.random.default_rng(0).standard_normal(n * n)
        makers = (incomplete_cholesky(A), incomplete_cholesky(A, modified=0.99))
        counts[n] = [cg(A, b, rtol=1e-8, M=M).iterations for M in makers]
    plain, modified = np.array(counts[128]) / counts[32]
    assert 2.8 < plain < 4.5 and 1.4 < modified < 2.6 and 25 <= counts[128][1] <= 60


def test_a_pivot_that_fails_is_shifted():
    # Kershaw's matrix: positive definite, without incomplete factors
    A = np.array([[3.0, -2, 0, 2], [-2, 3, -2, 0], [0, -2, 3, -2], [2, 0, -2, 3]])
    assert np.linalg.eigvalsh(A)[0] > 0
    M = incomplete_cholesky(A)
    assert 0 < M.shift < 1
    assert cg(A, np.arange(4.0), rtol=1e-10, M=M).converged
    with pytest.raises(WorkError, match="A has no incomplete Cholesky factors"):
        incomplete_cholesky(np.eye(3) - 50 * (np.ones((3, 3)) - np.eye(3)))


def test_refusals(monkeypatch):
    with pytest.raises(InputError, match=r"modified must lie between 0 and 1, got 1\.5"):
        incomplete_cholesky(np.eye(3), modified=1.5)
    with pytest.raises(InputError, match="A must be real"):
        incomplete_cholesky(np.eye(3) * (1 + 0j))
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "opforge.solvers.preconditioners._compiled_cholesky", raising=False)
    with pytest.raises(ImportError, match=r"incomplete_cholesky needs numba: pip install 'opforge\[compiled\]'"):
        incomplete_cholesky(np.eye(3))
