import numpy as np

from opforge.solvers import SolveResult


def test_unpacks_like_scipys():
    x, info = SolveResult(np.ones(3), True, 4, np.array([1.0, 1e-9]))
    assert info == 0
    np.testing.assert_array_equal(x, np.ones(3))


def test_says_that_it_did_not_converge():
    result = SolveResult(np.ones(3), False, 4, np.array([1.0, 0.5]))
    assert result.info == 4
    assert result.residual == 0.5
    assert SolveResult(np.ones(3), False, 0, np.array([1.0])).info != 0
