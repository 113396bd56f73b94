"""Samples of incompressible flow: smoke, vortices, obstacles, what is refused."""

import numpy as np
import pytest

from opforge.datasets import IncompressibleFlowRecipe
from opforge.errors import InputError


def test_smoke_rises():
    recipe = IncompressibleFlowRecipe(frames=3, end_time=1.0)
    grid = recipe.grid(24)
    s = recipe.sample(np.random.default_rng(0), grid).fields["s"]
    height = (s * grid.mesh()[1]).sum((1, 2)) / s.sum((1, 2))
    assert np.all(np.diff(height) > 0) and height[0] < 0.5


def test_obstacles_are_an_input():
    recipe = IncompressibleFlowRecipe(obstacles=2, frames=2, end_time=0.1)
    made = recipe.samples([np.random.default_rng(i) for i in range(2)], recipe.grid(24))
    assert recipe.inputs[0] == "solid" and set(np.unique(made.fields["solid"])) == {0.0, 1.0}


def test_vortices_have_no_divergence():
    recipe = IncompressibleFlowRecipe(scene="vortices", viscosity=0.01)
    grid = recipe.grid(20)
    u, v = recipe.initial_states([np.random.default_rng(0)], grid)[0]
    assert np.abs(recipe.equation.divergence({"u": u, "v": v}, grid)).max() < 1e-12


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"scene": "storm"}, "scene must be one of"),
        ({"obstacles": -1}, "obstacles must be a whole number"),
        ({"scene": "vortices", "ndim": 3}, "goes with two axes and without obstacles"),
        ({"viscosity": -1.0}, "viscosity must be"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        IncompressibleFlowRecipe(**parameters)
