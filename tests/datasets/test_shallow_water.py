"""Samples of shallow water: the dam, waves over a bottom, what is refused."""

import numpy as np
import pytest

from opforge.datasets import ShallowWaterRecipe
from opforge.errors import InputError


@pytest.mark.parametrize("initial", ["dam", "pdebench"])
def test_the_dam_is_round_and_of_a_random_radius(initial):
    recipe = ShallowWaterRecipe(initial=initial)
    assert recipe.equation.boundary == "outflow"
    assert (recipe.grid(16).origin, recipe.grid(16).lengths) == ((-2.5, -2.5), (5.0, 5.0))
    h = recipe.initial_states([np.random.default_rng(i) for i in range(40)], recipe.grid(100))[:, 0]
    radii = np.sqrt((h > 1.5).mean((1, 2)) * 25 / np.pi)
    assert 0.28 < radii.min() < 0.4 and 0.6 < radii.max() < 0.72
    np.testing.assert_array_equal(h, h[:, ::-1])


def test_waves_over_a_bottom():
    recipe = ShallowWaterRecipe(ndim=1, initial="bottom", frames=5, end_time=0.5)
    assert recipe.inputs == ("b", "h", "u")
    made = recipe.samples([np.random.default_rng(i) for i in range(3)], recipe.grid(64))
    assert 0.03 < made.fields["b"].std() < 0.2
    np.testing.assert_allclose(made.fields["h"].mean(-1), made.fields["h"][:, :1].mean(-1).repeat(5, 1), atol=1e-13)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"initial": "tide"}, "initial must be one of"), ({"ndim": 1}, "ndim must be 2 for initial='dam', got 1")],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        ShallowWaterRecipe(**parameters)
