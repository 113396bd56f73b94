"""Flexible conjugate gradients: those of fixed preconditioners, and where plain ones fail."""

import warnings

import numpy as np
import pytest

from opforge.solvers import ConvergenceWarning, cg, fcg
from tests.solvers.krylov.test_krylov import poisson, right


def test_with_a_fixed_preconditioner_it_is_cg():
    A, b, flexible, plain = poisson(12), right(144), [], []
    M = np.diag(1 / (A.diagonal() + np.linspace(0, 9, 144)))
    fcg(A, b, M=M, rtol=1e-7, callback=flexible.append)
    cg(A, b, M=M, rtol=1e-7, callback=plain.append)
    assert len(flexible) == len(plain) > 20
    np.testing.assert_allclose(flexible, plain, rtol=0, atol=1e-6)


def test_a_preconditioner_that_changes():
    """Inner iterations to a rough tolerance: neither linear nor the same from one residual to the next."""
    A, b = poisson(32), right(1024)

    def rough(r):
        with warnings.catch_warnings(action="ignore"):
            return cg(A, r, rtol=0.3).x

    result, plain = fcg(A, b, M=rough, rtol=1e-10), cg(A, b, rtol=1e-10)
    assert 10 <= result.iterations <= 30 < plain.iterations


def test_a_preconditioner_that_is_not_symmetric():
    A, b = poisson(16), right(256)
    M = np.linalg.inv(np.tril(A.toarray()))
    result = fcg(A, b, M=M, rtol=1e-10)
    assert 50 <= result.iterations <= 120
    with pytest.warns(ConvergenceWarning):
        cg(A, b, M=M, rtol=1e-10, maxiter=200)


def test_the_sign_of_the_directions_does_not_matter():
    A, b = poisson(12), right(144)
    up, down = fcg(A, b, M=np.eye(144), rtol=1e-8), fcg(A, b, M=-np.eye(144), rtol=1e-8)
    assert up.iterations == down.iterations
    np.testing.assert_allclose(up.x, down.x, rtol=0, atol=1e-9)


def test_a_direction_without_gain_ends_it():
    with pytest.warns(ConvergenceWarning, match="the direction that M gives is orthogonal to the residual"):
        assert fcg(np.eye(4), np.ones(4), M=lambda r: np.array([1.0, -1.0, 0.0, 0.0])).info == -1
