"""Minimal residuals: indefinite and singular matrices, the least residual of all, scipy's cases."""

import numpy as np
import pytest
import scipy.linalg

from opforge.solvers import ConvergenceWarning, minres
from tests.solvers.krylov.test_krylov import relative, right


def indefinite(n=10, seed=1234, complex_=False):
    rng = np.random.RandomState(seed)
    B = rng.rand(n, n) + (1j * rng.rand(n, n) if complex_ else 0)
    return B + B.conj().T, rng.rand(n)


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("preconditioned", [False, True])
def test_indefinite(complex_, preconditioned):
    A, b = indefinite(10, complex_=complex_)
    B = np.random.RandomState(0).randn(10, 10)
    result = minres(A, b, right(10), rtol=1e-9, M=B @ B.T + np.eye(10) if preconditioned else None)
    assert result.info == 0 and relative(A, b, result.x) <= 1e-9


def test_every_residual_is_the_least_of_its_krylov_space():
    A, b, xs = *indefinite(12), []
    minres(A, b, rtol=1e-9, callback=xs.append)
    space = np.empty((12, 0))
    v = b
    for x in xs[:8]:
        space = np.linalg.qr(np.column_stack([space, v]))[0]
        v = A @ space[:, -1]
        least = b - A @ space @ np.linalg.lstsq(A @ space, b)[0]
        assert np.linalg.norm(b - A @ x) == pytest.approx(np.linalg.norm(least), rel=1e-6, abs=1e-9)


def test_with_a_preconditioner_it_is_minres_between_its_roots():
    A, b = indefinite(12)
    B = np.random.RandomState(0).randn(12, 12)
    M = B @ B.T + np.eye(12)
    root = scipy.linalg.sqrtm(M)
    ours, theirs = [], []
    minres(A, b, M=M, rtol=1e-6, callback=ours.append)
    minres(root @ A @ root, root @ b, rtol=1e-12, callback=theirs.append)
    for x, y in zip(ours[:8], theirs[:8], strict=True):
        np.testing.assert_allclose(x, root @ y, rtol=1e-6, atol=1e-8)


def test_singular_with_a_solution():
    A, b = indefinite()
    A[0, :], A[:, 0], b[0] = 0, 0, 0
    result = minres(A, b)
    assert result.info == 0 and relative(A, b, result.x) <= 1e-5


def test_singular_without_a_solution_gives_the_least_squares():
    A, b = indefinite(60)
    A[0, :], A[:, 0] = 0, 0
    with pytest.warns(ConvergenceWarning, match="A is singular and no x has A x = b"):
        result = minres(A, b)
    assert result.info > 0
    assert np.linalg.norm(b - A @ result.x) == pytest.approx(b[0], rel=1e-9)


def test_many_systems_that_end_at_different_times():
    A, _ = indefinite(20)
    vectors = np.linalg.eigh(A)[1]
    b = np.column_stack([vectors[:, 0], vectors[:, :3].sum(1), right(20), np.zeros(20)])
    result = minres(A, b, rtol=1e-9)
    assert result.converged and result.iterations_each[[0, 1, 3]].tolist() == [1, 3, 0]
    np.testing.assert_allclose(A @ result.x, b, rtol=0, atol=1e-8)


def test_a_preconditioner_that_is_not_definite():
    A, b = indefinite()
    with pytest.warns(ConvergenceWarning, match="M is not positive definite"):
        assert minres(A, b, M=-np.eye(10)).info == -1


def test_an_identity_takes_one_iteration():
    assert minres(np.eye(10), right(10)).iterations == 1


def test_an_exact_start_with_a_preconditioner():
    B = np.random.RandomState(1234).randn(10, 10)
    result = minres(np.eye(10), np.ones(10), np.ones(10), M=B @ B.T, rtol=1e-6)
    assert (result.info, result.iterations) == (0, 0)
