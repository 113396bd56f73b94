"""Samples of the heat equation: laws, random coefficients, what is refused."""

import numpy as np
import pytest

from opforge.datasets import HeatRecipe
from opforge.errors import InputError


@pytest.mark.parametrize("boundary", ["neumann", "dirichlet", "periodic"])
@pytest.mark.parametrize("ndim", [1, 2])
def test_initial_states_are_of_size_1(ndim, boundary):
    recipe = HeatRecipe(ndim=ndim, boundary=boundary)
    u = recipe.initial_states([np.random.default_rng(i) for i in range(100)], recipe.grid(32))
    assert 0.5 < np.sqrt((u**2).mean()) < 1.6


def test_a_random_coefficient_is_an_input():
    recipe = HeatRecipe(ndim=1, coefficient="lognormal", frames=5)
    assert (recipe.inputs, recipe.outputs) == (("a", "u"), ("u",))
    made = recipe.samples([np.random.default_rng(i) for i in range(2)], recipe.grid(48))
    assert made.fields["a"].shape == (2, 48) and made.fields["u"].shape == (2, 5, 48)
    assert made.fields["a"].min() > 0 and np.ptp(made.fields["a"][0]) > 0.005
    residual = recipe.equation.residual({**made.fields, "time": recipe.times}, recipe.grid(48))
    assert np.abs(residual).max() < 0.2


@pytest.mark.parametrize("boundary", ["neumann", "periodic"])
@pytest.mark.parametrize("source", ["oscillating", "switching"])
def test_sources_bring_the_heat(source, boundary):
    """The mean of u grows by that of f over time, which many frames give."""
    recipe = HeatRecipe(ndim=1, source=source, boundary=boundary, frames=81)
    assert (recipe.inputs, recipe.outputs, recipe.evolving) == (("f", "u"), ("u",), ("u", "f"))
    made = recipe.samples([np.random.default_rng(i) for i in range(2)], recipe.grid(48))
    u, f = (made.fields[name].mean(-1) for name in ("u", "f"))
    brought = np.concatenate([np.zeros((2, 1)), np.cumsum((f[:, 1:] + f[:, :-1]) / 2, 1) / 80], 1)
    np.testing.assert_allclose(u - u[:, :1], brought, rtol=0, atol=2e-3 * np.abs(f).max())
    assert np.ptp(f, axis=1).min() > 0.1 and np.abs(f[0] - f[1]).max() > 0.1
    left = recipe.equation.residual({**made.fields, "time": recipe.times}, recipe.grid(48))
    without = recipe.equation.residual(
        {**made.fields, "f": 0 * made.fields["f"], "time": recipe.times}, recipe.grid(48)
    )
    assert np.linalg.norm(left[:, 8:]) < 0.05 * np.linalg.norm(without[:, 8:])


def test_sources_in_random_media_and_of_drawn_diffusivities():
    media = HeatRecipe(ndim=2, source="switching", coefficient="lognormal", frames=3)
    made = media.sample(np.random.default_rng(0), media.grid(24))
    assert media.inputs == ("a", "f", "u") and set(made.fields) == {"a", "f", "u"}
    plain = HeatRecipe(ndim=2, coefficient="lognormal", frames=3).sample(np.random.default_rng(0), media.grid(24))
    np.testing.assert_array_equal(made.fields["a"], plain.fields["a"])
    drawing = HeatRecipe(ndim=1, source="oscillating", draw="diffusivity", frames=3)
    found = drawing.samples([np.random.default_rng(i) for i in range(2)], drawing.grid(32))
    own = HeatRecipe(ndim=1, source="oscillating", diffusivity=found.drawn["diffusivity"][1], frames=3)
    alone = own.sample(np.random.default_rng(1).spawn(2)[1], own.grid(32))
    np.testing.assert_allclose(alone.fields["u"], found.fields["u"][1], rtol=0, atol=1e-12)


def test_a_seed_is_the_same_source_on_every_grid():
    recipe = HeatRecipe(ndim=2, source="oscillating", coefficient="lognormal", frames=3)
    coarse, fine = (recipe.sample(np.random.default_rng(4), recipe.grid(n)).fields["f"] for n in (12, 36))
    np.testing.assert_allclose(fine[:, 1::3, 1::3], coarse, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"source": "steady"}, "source must be oscillating or switching, or left out, got 'steady'"),
        ({"strength": 2.0}, "strength has no effect without a source"),
        ({"source": "switching", "strength": 0.0}, "strength must be a number greater than 0"),
        ({"source": "switching", "settling": 1.0}, "settling must be 0 with a source"),
        ({"coefficient": "wild"}, "coefficient must be one of constant, lognormal"),
        ({"boundary": "periodic", "coefficient": "lognormal"}, "boundary='periodic' goes with coefficient='constant'"),
        ({"diffusivity": -1.0}, "diffusivity must be"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        HeatRecipe(**parameters)
