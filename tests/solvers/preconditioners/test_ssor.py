"""Over-relaxation: against its formula, and the root of the condition that the best ω leaves."""

import numpy as np
import pyamg
import pytest

from opforge.errors import InputError
from opforge.solvers import cg, ssor


@pytest.mark.parametrize("omega", [0.7, 1.0, 1.6])
@pytest.mark.parametrize("complex_", [False, True])
def test_the_formula(omega, complex_):
    rng = np.random.default_rng(0)
    B = rng.standard_normal((12, 12)) + (1j * rng.standard_normal((12, 12)) if complex_ else 0)
    A = B @ B.conj().T + np.eye(12)
    D, L, U = np.diag(np.diag(A)), np.tril(A, -1), np.triu(A, 1)
    inverse = np.linalg.inv(D + omega * U) @ D @ np.linalg.inv(D + omega * L) * omega * (2 - omega)
    r = rng.standard_normal(12).astype(A.dtype)
    np.testing.assert_allclose(ssor(A, omega)(r), inverse @ r, rtol=1e-10)


def test_the_best_relaxation_leaves_the_root_of_the_growth():
    counts = {}
    for n in (24, 96):
        A, b = pyamg.gallery.poisson((n, n), format="csr"), np.random.default_rng(0).standard_normal(n * n)
        best = 2 / (1 + np.pi / n)
        counts[n] = [cg(A, b, rtol=1e-8, M=M).iterations for M in (None, ssor(A), ssor(A, best))]
    plain, symmetric, best = np.array(counts[96]) / counts[24]
    assert 3 < plain < 4.5 and 3 < symmetric < 4.5 and 1.5 < best < 2.5


@pytest.mark.parametrize("omega", [0, 2, -1, np.nan, "1"])
def test_refusals(omega):
    with pytest.raises(InputError, match="omega must lie between 0 and 2"):
        ssor(np.eye(3), omega)
