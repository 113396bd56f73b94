"""Samples of the Gray–Scott equations."""

import numpy as np
import pytest

from opforge.datasets import GrayScottRecipe
from opforge.errors import InputError
from opforge.pdes.gray_scott import PATTERNS


@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_patterns_live(pattern):
    """What the drops make is still there after a while, on a coarse grid."""
    recipe = GrayScottRecipe(pattern=pattern, frames=2, end_time=300.0, time_step=2.0)
    v = recipe.sample(np.random.default_rng(0), recipe.grid(96)).fields["v"]
    assert 0.15 < v[-1].max() < 0.7


def test_rates_take_the_place_of_a_patterns():
    recipe = GrayScottRecipe(feed=0.04)
    assert (recipe.feed, recipe.kill) == (0.04, PATTERNS["spots"][1])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"pattern": "zebra"}, "pattern must be one of chaos|pattern must be one of spots"),
        ({"feed": -0.1}, "feed must be a number of at least 0"),
        ({"drops": 0}, "drops must be a whole number of at least 1"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        GrayScottRecipe(**parameters)
