"""Conjugate gradients: against scipy's, iteration by iteration; bounds; matrices that are not definite."""

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

from opforge.solvers import ConvergenceWarning, cg
from tests.solvers.krylov.test_krylov import poisson, random_definite, right


@pytest.mark.parametrize("M", [None, np.diag(1 / np.arange(1.0, 145))])
def test_the_iterates_are_scipys(M):
    A, b, ours, theirs = poisson(12), right(144), [], []
    start = right(144, seed=1)
    cg(A, b, start, rtol=1e-6, M=M, callback=ours.append)
    scipy.sparse.linalg.cg(A, b, start, rtol=1e-6, M=M, callback=lambda x: theirs.append(x.copy()))
    assert len(ours) == len(theirs) > 20
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


def test_the_error_falls_as_chebyshevs_bound_says():
    A, x = poisson(24), right(576)
    errors = []
    cg(A, A @ x, rtol=1e-6, callback=lambda y: errors.append(np.sqrt((y - x) @ (A @ (y - x)))))
    first, ends = np.sqrt(x @ (A @ x)), np.linalg.eigvalsh(A.toarray())[[0, -1]]
    root = np.sqrt(ends[1] / ends[0])
    bounds = 2 * ((root - 1) / (root + 1)) ** np.arange(1, len(errors) + 1) * first
    assert np.all(np.array(errors) <= bounds) and np.all(np.diff(errors) < 0)


def test_as_many_iterations_as_eigenvalues():
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((60, 60)))[0]
    A = Q @ np.diag(np.repeat([1.0, 3.0, 10.0], 20)) @ Q.T
    assert cg(A, right(60), rtol=1e-10).iterations == 3


def test_pyamgs_first_cases():
    """A⁠ᴴA of small matrices, real and complex: the error falls by 10¹⁰ in as many iterations as there are unknowns."""
    A = np.array([[1.2, 0, 0, 0], [0, 4, 2, 6], [0, 0, 9.3, -2.31], [-4, 0, 0, -11]])
    for matrix in (A, A + 1j * np.diag([3.1, 0.3, 0, -1.34])):
        H = matrix.conj().T @ matrix
        b = np.array([1, 3.9, 0, -1.23])
        result = cg(H, b, rtol=1e-9, maxiter=8)
        exact = np.linalg.solve(H, b)
        assert np.linalg.norm(result.x - exact) < 1e-8 * np.linalg.norm(exact)


@pytest.mark.parametrize("A", [-poisson(6), np.diag([1.0, -1.0] * 18)])
def test_a_matrix_that_is_not_definite(A):
    with pytest.warns(ConvergenceWarning, match="A is not positive definite"):
        result = cg(A, np.ones(36) + 0.1 * right(36))
    assert result.info == -1 and result.iterations < 5


def test_a_singular_matrix_without_a_solution():
    with pytest.warns(ConvergenceWarning, match="not positive definite|residuals grow without bound: A is singular"):
        assert cg(np.diag([1.0, 0.0] * 18), np.ones(36) + 0.1 * right(36)).info == -1


def test_a_preconditioner_that_is_not_definite():
    with pytest.warns(ConvergenceWarning, match="M is not positive definite"):
        assert cg(poisson(6), right(36), M=-np.eye(36)).info == -1


def test_a_preconditioner_that_is_not_symmetric_is_named():
    A, b = poisson(16), right(256)
    M = np.linalg.inv(np.tril(A.toarray()))  # Gauss and Seidel's, forward alone
    with pytest.warns(ConvergenceWarning, match="maxiter=60 was reached; M is not symmetric: .* or use fcg"):
        cg(A, b, M=M, maxiter=60, rtol=1e-10)


def test_no_progress_at_all_ends_after_patience():
    rotation = np.kron(np.eye(2), [[1.0, 5.0], [-5.0, 1.0]])  # pᵀAp > 0, not symmetric
    with pytest.warns(ConvergenceWarning, match="the residual has not become smaller for 1000 iterations|not finite"):
        result = cg(rotation, np.ones(4), maxiter=5000)
    assert not result.converged and result.iterations < 5000


def test_it_goes_on_where_the_recurrence_was_too_hopeful():
    """In single precision the recurrence's residual leaves the true one behind; the latter is what stops."""
    A = (random_definite(80, 0) + 0.02 * np.eye(80)).astype(np.float32)
    b = (A @ np.ones(80)).astype(np.float32)
    result = cg(A, b, rtol=2e-7, maxiter=4000)
    assert result.converged
    true = np.linalg.norm(b - A.astype(float) @ result.x.astype(float)) / np.linalg.norm(b)
    assert true < 6e-7
