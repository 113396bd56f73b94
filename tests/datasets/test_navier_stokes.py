"""Samples of the Navier–Stokes equations on the torus."""

import numpy as np
import pytest

from opforge.datasets import NavierStokesRecipe, generate
from opforge.errors import InputError, WorkError


def test_the_law_of_the_fno_data():
    recipe = NavierStokesRecipe()
    w = recipe.initial_states([np.random.default_rng(i) for i in range(200)], recipe.grid(32))[:, 0]
    k = np.arange(-16, 17)
    square = 4 * np.pi**2 * (k[:, None] ** 2 + k**2) + 49
    expected = 343 * (square**-2.5).sum() - 343 * 49**-2.5
    np.testing.assert_allclose((w**2).mean(), expected, rtol=0.1)
    np.testing.assert_allclose(w.mean((1, 2)), 0, atol=1e-14)


def test_a_tracer_comes_with_the_flow():
    recipe = NavierStokesRecipe(flow="decaying", viscosity=0.05, tracer=0.05, frames=2, end_time=0.2)
    fields = recipe.sample(np.random.default_rng(0), recipe.grid(32)).fields
    assert recipe.inputs == ("w", "c")
    assert fields["c"][0].min() >= 0 and fields["c"][0].max() <= 1
    np.testing.assert_allclose(fields["c"][1].mean(), fields["c"][0].mean(), rtol=1e-12)


def test_a_tracer_that_the_grid_does_not_resolve_is_caught():
    """Filaments ring below 0; the same flow with a tracer that diffuses faster does not."""
    brief = {"flow": "decaying", "frames": 3, "end_time": 1.0, "workers": 1}
    with pytest.raises(
        WorkError, match=r"first frame's extremes\) is violated by 0\..*; take more points, oversampling, or a tracer"
    ):
        generate("navier_stokes", 1, 32, tracer=1e-3, **brief)
    c = generate("navier_stokes", 1, 32, tracer=0.05, **brief).arrays([0])["c"]
    assert -0.01 <= c.min() < 0.1 and 0.5 < c.max() <= 1.01


def test_flows_have_boxes_of_their_own():
    assert NavierStokesRecipe().lengths == (1.0, 1.0)
    assert NavierStokesRecipe(flow="kolmogorov").lengths == (2 * np.pi, 2 * np.pi)
    driven = NavierStokesRecipe(flow="kolmogorov").equation
    assert (driven.forcing, driven.amplitude, driven.wavenumber, driven.drag) == ("kolmogorov", 1.0, 4, 0.1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"flow": "pipe"}, "flow must be one of fno, kolmogorov, decaying, got 'pipe'"),
        ({"viscosity": 0.0}, "viscosity must be a number greater than 0"),
        ({"tracer": -1.0}, "tracer must be a number of at least 0"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        NavierStokesRecipe(**parameters)
