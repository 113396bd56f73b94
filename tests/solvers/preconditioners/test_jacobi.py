"""The diagonal of matrices of every kind."""

import numpy as np
import pytest
import scipy.sparse
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.solvers import Stencil, cg, jacobi


def test_all_kinds_of_matrices():
    A = np.diag(np.arange(1.0, 6)) + 0.1
    r, expected = np.ones(5), 1 / np.diag(A)
    for matrix in (A, scipy.sparse.csr_array(A), scipy.sparse.coo_matrix(A)):
        np.testing.assert_allclose(jacobi(matrix)(r), expected, rtol=1e-15)
    dense = torch.from_numpy(A)
    for matrix in (dense, dense.to_sparse()):
        torch.testing.assert_close(jacobi(matrix)(torch.from_numpy(r)), torch.from_numpy(expected))
    stencil = Stencil(Grid((3, 4)), a=np.arange(1.0, 13).reshape(3, 4))
    np.testing.assert_allclose(jacobi(stencil)(np.ones(12)), 1 / stencil.matrix().diagonal(), rtol=1e-14)


def test_a_diagonal_that_varies_is_taken_away():
    rng = np.random.default_rng(0)
    scales = np.diag(10.0 ** rng.uniform(-2, 2, 80))
    B = rng.standard_normal((80, 80)) / 80
    A = scales @ (np.eye(80) + 0.5 * (B + B.T)) @ scales
    assert 5 <= cg(A, np.ones(80), rtol=1e-10, M=jacobi(A)).iterations <= 15 < 60
    assert cg(A, np.ones(80), rtol=1e-10, maxiter=4000).iterations > 60


def test_hermitian():
    A = np.array([[2.0, 1j], [-1j, 3.0]])
    assert cg(A, np.ones(2), rtol=1e-12, M=jacobi(A)).converged


def test_refusals_of_tensors():
    with pytest.raises(InputError, match="A must have a positive diagonal, got 0 in it"):
        jacobi(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    with pytest.raises(InputError, match=r"A must be square, got shape \(2, 3\)"):
        jacobi(torch.ones(2, 3))
