"""Stiff equations through scipy."""

import numpy as np
import pytest

from opforge.errors import InputError, WorkError
from opforge.solvers import BDF


def test_every_sample_alone():
    step = BDF(lambda u: -u, 0.5, rtol=1e-8, atol=1e-10)
    u = np.random.default_rng(0).standard_normal((3, 1, 5))
    np.testing.assert_allclose(step(u), np.exp(-0.5) * u, rtol=1e-6, atol=1e-8)


def test_what_is_refused():
    for dt, rtol in ((0.0, 1e-6), (1.0, 0.0), (1.0, 2.0)):
        with pytest.raises(InputError, match="dt, rtol and atol must be greater than 0"):
            BDF(lambda u: u, dt, rtol=rtol)


def test_a_solution_that_ends_is_told():
    with pytest.raises(WorkError, match="scipy's BDF failed"), np.errstate(all="ignore"):
        BDF(lambda u: u * u, 2.0)(np.ones((1, 1, 3)))
