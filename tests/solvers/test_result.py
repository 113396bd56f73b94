import numpy as np

from opforge.solvers import SolveResult


def test_unpacks_like_scipys():
    x, info = SolveResult(np.ones(3), True, 4, np.array([1.0, 1e-9]))
    assert info == 0
    np.testing.assert_array_equal(x, np.ones(3))


def test_is_indexed_like_scipys():
    result = SolveResult(np.ones(3), True, 4, np.array([1.0, 1e-9]))
    assert len(result) == 2 and result[1] == 0 and result[0] is result.x


def test_of_many_systems():
    residuals = np.array([[1.0, 1.0], [1e-9, 0.5]])
    result = SolveResult(np.ones((3, 2)), False, 1, residuals, "why", True, np.array([True, False]), np.array([1, 1]))
    assert result.info == -1 and result.residual == 0.5
    assert repr(result) == "SolveResult(2 systems, NOT converged after 1 iterations, relative residual 5.0e-01: why)"


def test_says_that_it_did_not_converge():
    result = SolveResult(np.ones(3), False, 4, np.array([1.0, 0.5]))
    assert result.info == 4
    assert result.residual == 0.5
    assert SolveResult(np.ones(3), False, 0, np.array([1.0])).info != 0
