"""Random obstacles: the same bodies on every grid, kinds, what is refused."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets import Obstacles
from opforge.errors import InputError


@pytest.mark.parametrize("kind", ["discs", "boxes", "blobs", None])
@pytest.mark.parametrize("ndim", [2, 3])
def test_a_seed_is_the_same_bodies_on_every_grid(kind, ndim):
    law = Obstacles(3, kind=kind)
    coarse, fine = (law.sample(np.random.default_rng(2), Grid((n,) * ndim)) for n in (16, 48))
    np.testing.assert_array_equal(fine[(slice(1, None, 3),) * ndim], coarse)
    assert 0 < coarse.mean() < 0.4


def test_a_disc_has_its_area():
    area = Obstacles(1, (0.2, 0.2), "discs").sample(np.random.default_rng(0), Grid((200, 200))).mean()
    np.testing.assert_allclose(area, np.pi * 0.04, rtol=0.01)


@pytest.mark.parametrize("parameters", [{"count": 0}, {"sizes": (0.2, 0.1)}, {"kind": "stars"}, {"margin": 0.5}])
def test_parameters_out_of_range(parameters):
    with pytest.raises(InputError, match=next(iter(parameters))):
        Obstacles(**parameters)
