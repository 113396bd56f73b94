"""Random drops: the same function on every grid, from 0 to 1, smooth around the box."""

import numpy as np
import pytest

from opforge.core import Grid, rfftn
from opforge.datasets import Drops
from opforge.errors import InputError


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_a_seed_is_one_function_on_every_grid(ndim):
    law = Drops(3, (0.1, 0.15))
    coarse, fine = (law.sample(np.random.default_rng(1), Grid((n,) * ndim, (2.0,) * ndim, "periodic")) for n in (8, 16))
    np.testing.assert_allclose(fine[(slice(None, None, 2),) * ndim], coarse, rtol=0, atol=1e-12)
    assert coarse.min() >= 0 and fine.max() <= 1


def test_drops_are_smooth_around_the_box():
    u = Drops(5, (0.08, 0.1)).sample(np.random.default_rng(0), Grid.cube(1, 128, points="periodic"))
    size = np.abs(rfftn(u))
    assert size[40:].max() < 1e-9 * size[0]


@pytest.mark.parametrize(
    ("count", "widths", "message"),
    [
        (0, (0.1, 0.2), "count must lie between 1 and"),
        (1, (0.0, 0.1), "widths must be two numbers from 0 to 1, the least first"),
        (1, (0.2, 0.1), "widths must be two numbers from 0 to 1, the least first"),
    ],
)
def test_parameters_out_of_range(count, widths, message):
    with pytest.raises(InputError, match=message):
        Drops(count, widths)
