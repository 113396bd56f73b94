"""Deep conjugate directions: conjugate to two earlier ones, lines searched exactly, any function as M."""

import numpy as np
import pytest
import torch

from opforge.solvers import ConvergenceWarning, cg, dcdm
from tests.solvers.krylov.test_krylov import five_points, poisson, right


def test_directions_are_conjugate_to_two_earlier_ones_and_searched_exactly():
    A, b, xs = poisson(8), right(64), [np.zeros(64)]
    dcdm(A, b, rtol=1e-6, M=lambda r: np.tanh(2 * r) + 0.3 * np.roll(r, 1), callback=xs.append)
    steps = np.diff(xs, axis=0)
    assert len(steps) > 10
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    products = steps @ (A @ steps.T)
    for lag in (1, 2):
        assert np.abs(np.diag(products, lag)).max() < 1e-9
    assert np.abs(np.diag(products, 3)).max() > 1e-6  # no more than two
    for d, x in zip(steps, xs[1:], strict=True):
        assert abs(d @ (b - A @ x)) < 1e-10


def test_with_the_identity_it_is_cg():
    A, b = poisson(12), right(144)
    deep, plain = dcdm(A, b, rtol=1e-8), cg(A, b, rtol=1e-8)
    assert deep.iterations == plain.iterations
    np.testing.assert_allclose(deep.residuals, plain.residuals, rtol=1e-3)


def test_M_gets_residuals_of_norm_1_each_system_its_own():
    norms = []

    def M(r):
        norms.append(torch.linalg.vector_norm(r, dim=(1, 2)))
        return r

    b = torch.from_numpy(right(2, 8, 8)) * torch.tensor([1.0, 1e6])[:, None, None]
    assert dcdm(five_points, b, rtol=1e-8, M=M).converged
    assert len(norms) > 5
    torch.testing.assert_close(torch.stack(norms[:5]), torch.ones(5, 2, dtype=torch.float64))


def test_the_length_and_sign_of_what_M_gives_do_not_matter():
    A, b = poisson(12), right(144)
    one, other = (dcdm(A, b, rtol=1e-6, M=lambda r, s=s: s * np.tanh(5 * r)) for s in (1.0, -1e5))
    assert one.iterations == other.iterations
    np.testing.assert_allclose(one.x, other.x, rtol=0, atol=1e-9)


def test_what_always_is_the_same_direction_breaks_down():
    with pytest.warns(ConvergenceWarning, match="not positive definite|orthogonal to the residual"):
        result = dcdm(poisson(4), right(16), M=lambda r: np.ones(16))
    assert result.info == -1 and np.all(np.isfinite(result.x))
