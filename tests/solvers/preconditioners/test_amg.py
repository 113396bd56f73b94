"""Algebraic multigrid: as many iterations on every grid, singular systems, numpy's random numbers left alone."""

import numpy as np
import pyamg
import pytest
import scipy.sparse

from opforge.core import Grid
from opforge.errors import InputError, UnknownNameError, WorkError
from opforge.solvers import SingularWarning, Stencil, amg, cg

METHODS = ["ruge_stuben", "smoothed_aggregation"]


@pytest.mark.parametrize("method", METHODS)
def test_iterations_hardly_grow(method):
    counts = []
    for n in (32, 128):
        A = Stencil(
            Grid((n, n)),
            a=np.where(np.random.default_rng(0).random((4, 4)) < 0.5, 100.0, 1.0).repeat(n // 4, 0).repeat(n // 4, 1),
        )
        b = np.random.default_rng(0).standard_normal(n * n)
        counts.append(cg(A.matrix(), b, rtol=1e-8, M=amg(A, method)).iterations)
    assert 4 <= counts[0] <= counts[1] + 1 <= counts[0] + 6 and counts[1] <= 20


@pytest.mark.parametrize("method", METHODS)
def test_a_singular_matrix(method):
    A, b = Stencil(Grid((48, 40)), "neumann").matrix(), np.random.default_rng(0).standard_normal(1920)
    with pytest.warns(SingularWarning):
        result = cg(A, b - b.mean(), rtol=1e-9, M=amg(A, method))
    assert result.converged and result.iterations <= 15


def test_hermitian_by_aggregation():
    A = pyamg.gallery.poisson((30, 30), format="csr")
    phase = scipy.sparse.diags_array(np.exp(1j * np.linspace(0, 3, 900)))
    H = scipy.sparse.csr_array(phase @ A @ phase.conj())
    b = np.random.default_rng(0).standard_normal(900) + 0j
    assert cg(H, b, rtol=1e-8, M=amg(H, "smoothed_aggregation")).iterations < 0.5 * cg(H, b, rtol=1e-8).iterations
    with pytest.raises(InputError, match="A must be real"):
        amg(H)


def test_random_numbers_are_left_alone_and_do_not_matter():
    A, results = pyamg.gallery.poisson((40, 40), format="csr"), []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        results.append(amg(A, "smoothed_aggregation")(np.ones(1600)))
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.testing.assert_array_equal(*results)


def test_refusals():
    with pytest.raises(UnknownNameError, match="unknown method 'ruge_stueben'; did you mean 'ruge_stuben'"):
        amg(np.eye(3), "ruge_stueben")
    with pytest.raises(WorkError, match="A is not positive definite"):
        amg(np.eye(30) - 0.9 * (np.ones((30, 30)) - np.eye(30)))
