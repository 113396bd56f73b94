"""The Gray–Scott equations: the reaction, what is refused."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import GrayScott


def test_reaction_at_uniform_states():
    grid = Grid.cube(2, 8, points="periodic")
    state = np.ones((2, 8, 8)) * np.array([0.4, 0.3]).reshape(2, 1, 1)
    rate = GrayScott(feed=0.03, kill=0.06).tendency(state, grid)[:, 0, 0]
    np.testing.assert_allclose(rate, [-0.4 * 0.09 + 0.03 * 0.6, 0.4 * 0.09 - 0.09 * 0.3], rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ["diffusivity_u", "diffusivity_v", "feed", "kill"])
def test_parameters_out_of_range(name):
    with pytest.raises(InputError, match=f"{name} must be a number"):
        GrayScott(**{name: -1.0})
