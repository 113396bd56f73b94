"""Samples of the Gray–Scott equations."""

import re

import numpy as np
import pytest

from opforge.core import resample
from opforge.datasets import GrayScottRecipe, generate
from opforge.errors import InputError, WorkError
from opforge.pdes.gray_scott import PATTERNS


@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_patterns_live(pattern):
    """What the drops make is still there after a while."""
    recipe = GrayScottRecipe(pattern=pattern, side=0.6, frames=2, end_time=300.0)
    grid = recipe.grid(90)
    recipe.check(grid)
    v = recipe.sample(np.random.default_rng(0), grid).fields["v"]
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
        ({"side": 0.0}, "side must be a number greater than 0"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        GrayScottRecipe(**parameters)


def least(recipe):
    """The fewest points that are taken."""
    with pytest.raises(InputError, match=r"too coarse for side=.* or a smaller side; got 48") as refused:
        recipe.check(recipe.grid(48))
    return int(re.search(r"at least (\d+) points", str(refused.value))[1])


def test_a_grid_that_does_not_resolve_the_edges():
    """Points follow the side and the rate of removal, F + k; finer grids may be cut down."""
    usual = least(GrayScottRecipe(side=2.5))
    assert usual == 346  # h = 2.5 / 346 is two thirds of the square root of 1e-5 / 0.085
    assert least(GrayScottRecipe(side=1.25)) == 173
    GrayScottRecipe().check(GrayScottRecipe().grid(63))
    assert least(GrayScottRecipe(side=2.5, feed=0.028, kill=0.072)) == 375
    assert least(GrayScottRecipe(side=2.5, draw="feed:0.02:0.028,kill:0.05:0.072")) == 375
    for recipe, n in (
        (GrayScottRecipe(ndim=1, side=2.5), usual),
        (GrayScottRecipe(ndim=1, side=2.5, oversampling=4), 87),
    ):
        recipe.check(recipe.grid(n))
        with pytest.raises(InputError, match="too coarse"):
            recipe.check(recipe.grid(n - 1))


def at(recipe, n):
    """The last frame of v."""
    return recipe.sample(np.random.default_rng(0), recipe.grid(n)).fields["v"][-1]


def off(v, exact):
    return np.linalg.norm(resample(v, exact.shape) - exact) / np.linalg.norm(exact)


def test_error_of_the_grid():
    """On the coarsest grid that is taken, and on one with a third fewer points, which is refused: for a short time."""
    recipe = GrayScottRecipe(side=0.5, drops=2, frames=2, end_time=500.0)
    n, exact = least(recipe), at(recipe, 108)
    assert 0.005 < off(at(recipe, n), exact) < 0.05
    assert 0.1 < off(at(recipe, n * 2 // 3 + 2), exact) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["spots", "maze"])
def test_error_of_the_grid_at_the_end(pattern):
    recipe = GrayScottRecipe(side=1.25, pattern=pattern)
    n, exact = least(recipe), at(recipe, 240)
    assert 0.005 < off(at(recipe, n), exact) < 0.12
    assert 0.2 < off(at(recipe, n * 9 // 16), exact) < 1.0


def test_negative_concentrations_are_caught(monkeypatch):
    """On a grid that is refused, where Fourier modes ring."""
    monkeypatch.setattr("opforge.datasets.gray_scott._POINTS_PER_WIDTH", 0.0)
    with pytest.raises(WorkError, match=r"positivity \(v >= 0\) is violated by 0\.0.*take more points, oversampling"):
        generate("gray_scott", 1, 48, side=0.5, drops=2, frames=3, end_time=200.0, workers=1)
