"""The Kuramoto–Sivashinsky equation: what is refused; its accuracy is in benchmarks/validation."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import KuramotoSivashinsky


def test_it_has_one_axis():
    with pytest.raises(InputError, match="ndim must be 1, got 2"):
        KuramotoSivashinsky(ndim=2)


@pytest.mark.parametrize("mode", [1, 3, 7])
def test_small_waves_grow_as_linear_theory_says(mode):
    grid = Grid((64,), (24.0,), "periodic")
    k = 2 * np.pi * mode / 24.0
    u = 1e-9 * np.cos(k * grid.coordinates()[0])
    np.testing.assert_allclose(KuramotoSivashinsky().tendency(u[None], grid)[0], (k**2 - k**4) * u, rtol=0, atol=1e-17)
