"""The estimate of how far a matrix is from its adjoint."""

import numpy as np
import pytest
import scipy.sparse
import torch

from opforge.errors import InputError
from opforge.solvers import symmetry_error


@pytest.mark.parametrize("part", [1.0, 1e-3, 1e-9])
def test_it_is_the_relative_norm_of_what_is_not_symmetric(part):
    rng = np.random.default_rng(0)
    B = rng.standard_normal((200, 200))
    M = B + B.T + part * (B - B.T)
    expected = np.linalg.norm(M - M.T) / np.linalg.norm(M)
    for matrix in (M, scipy.sparse.csr_array(M), torch.from_numpy(M)):
        assert 0.5 * expected < symmetry_error(matrix, probes=10) < 2 * expected


def test_hermitian_matrices_have_none():
    rng = np.random.default_rng(0)
    B = rng.standard_normal((50, 50)) + 1j * rng.standard_normal((50, 50))
    assert symmetry_error(B + B.conj().T) < 1e-15
    assert symmetry_error(B + B.T) > 0.1
    assert 1e-10 < symmetry_error((B + B.conj().T).astype(np.complex64)) < 1e-6


def test_functions_of_fields():
    like = torch.ones(2, 8, 8)
    assert symmetry_error(lambda r: 3 * r, like) < 1e-6
    assert symmetry_error(lambda r: torch.roll(r, 1, -1), like) > 0.5
    assert symmetry_error(torch.tanh, like) > 0.05  # not linear
    assert symmetry_error(lambda r: 0 * r, like) == 0.0


def test_refusals():
    with pytest.raises(InputError, match="like must be given where M is a function"):
        symmetry_error(lambda r: r)
    with pytest.raises(InputError, match="probes must be a whole number of at least 1, got 0"):
        symmetry_error(np.eye(3), probes=0)
    with pytest.raises(InputError, match=r"M must have the shape \(4, 4\)"):
        symmetry_error(np.eye(3), np.ones(4))
