"""Samples of compressible flow: Mach number, shock tubes, what is refused."""

import numpy as np
import pytest

from opforge.datasets import CompressibleFlowRecipe
from opforge.errors import InputError


@pytest.mark.parametrize("ndim", [1, 2])
def test_waves_have_the_mach_number(ndim):
    recipe = CompressibleFlowRecipe(ndim=ndim, mach=0.5)
    state = recipe.initial_states([np.random.default_rng(i) for i in range(20)], recipe.grid(48))
    sound = np.sqrt(1.4 * state[:, -1] / state[:, 0])
    np.testing.assert_allclose(np.sqrt(((state[:, 1] / sound) ** 2).mean()), 0.5, rtol=0.1)
    assert state[:, [0, -1]].min() > 0.5


def test_tubes_are_of_two_states():
    recipe = CompressibleFlowRecipe(initial="tube", end_time=0.1, frames=3)
    assert recipe.equation.boundary == "outflow"
    sample = recipe.sample(np.random.default_rng(0), recipe.grid(64))
    assert len(np.unique(sample.fields["rho"][0])) == 2
    assert sample.fields["p"].min() > 0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"initial": "bomb"}, "initial must be one of waves, tube"),
        ({"mach": 0.0}, "mach must be"),
        ({"gamma": 0.5}, "gamma must be a number greater than 1"),
        ({"bulk_viscosity": -1.0}, "bulk_viscosity must be"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        CompressibleFlowRecipe(**parameters)
