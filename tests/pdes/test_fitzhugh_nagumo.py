"""The FitzHugh–Nagumo equations: the reaction, what is refused."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import FitzHughNagumo


def test_reaction_at_uniform_states():
    state = np.ones((2, 4, 4)) * np.array([0.5, 0.2]).reshape(2, 1, 1)
    rate = FitzHughNagumo().tendency(state, Grid((4, 4), (2.0, 2.0)))[:, 0, 0]
    np.testing.assert_allclose(rate, [0.5 - 0.125 - 0.005 - 0.2, 0.3], rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"diffusivity_u": -1.0}, "diffusivity_u"),
        ({"threshold": np.nan}, "threshold"),
        ({"ndim": 3}, "ndim must be 1 or 2"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        FitzHughNagumo(**parameters)


def test_without_a_threshold_the_sign_is_free():
    grid, state = Grid((6, 5)), np.random.default_rng(0).standard_normal((1, 2, 6, 5))
    for threshold, free in ((0.0, True), (0.1, False)):
        equation = FitzHughNagumo(threshold=threshold)
        same = np.allclose(equation.tendency(-state, grid), -equation.tendency(state, grid), rtol=0, atol=1e-12)
        assert same == free == any(symmetry.name == "sign of u, v" for symmetry in equation.symmetries)
