"""Random step functions: the same function on every grid, values, jumps and edges, what is refused."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets import Steps
from opforge.errors import InputError


@pytest.mark.parametrize("edge", [0.0, 0.02])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_a_seed_is_one_function_on_every_grid(ndim, edge):
    law = Steps(amplitude=2.0, edge=edge)
    coarse, fine = (
        law.sample(np.random.default_rng(3), Grid((n,) * ndim, (2.0,) * ndim, "periodic")) for n in (12, 24)
    )
    np.testing.assert_allclose(fine[(slice(None, None, 2),) * ndim], coarse, rtol=0, atol=1e-13)
    assert np.abs(coarse).max() <= 2.0 and np.ptp(coarse) > 0.1


def test_values_are_uniform_and_few():
    grid = Grid.cube(1, 256, points="periodic")
    samples = np.stack([Steps(edge=0.0).sample(np.random.default_rng(i), grid) for i in range(2000)])
    assert max(len(np.unique(u)) for u in samples[:100]) == 4
    jumps = [np.count_nonzero(np.diff(u, append=u[:1])) for u in samples[:100]]
    assert all(jump % 2 == 0 or jump <= 6 for jump in jumps) and max(jumps) == 6
    # at a point: uniform on (−1, 1)
    part = (np.sort(samples[:, 0]) + 1) / 2
    assert np.abs(part - (np.arange(2000) + 0.5) / 2000).max() < 1.95 / np.sqrt(2000)


def test_edges_are_resolved_by_a_spectrum_that_ends():
    u = Steps(edge=0.02).sample(np.random.default_rng(0), Grid.cube(1, 512, points="periodic"))
    size = np.abs(np.fft.rfft(u))
    assert size[150:].max() < 1e-6 * size[1:].max()
    sharp = Steps(edge=0.0).sample(np.random.default_rng(0), Grid.cube(1, 512, points="periodic"))
    assert np.abs(np.fft.rfft(sharp))[150:].max() > 1e-3 * size[1:].max()
    assert np.abs(u - sharp).mean() < 0.2


@pytest.mark.parametrize(
    "parameters", [{"count": 0}, {"amplitude": 0.0}, {"sizes": (0.3, 0.2)}, {"sizes": (0.1, 0.5)}, {"edge": 0.1}]
)
def test_parameters_out_of_range(parameters):
    with pytest.raises(InputError, match=next(iter(parameters))):
        Steps(**parameters)


def test_boxes_need_a_periodic_grid():
    with pytest.raises(InputError, match="points='periodic'"):
        Steps().sample(np.random.default_rng(0), Grid((16,)))
