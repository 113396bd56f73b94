"""Samples of Burgers' equation: the published laws by name, what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from opforge.datasets import BurgersRecipe
from opforge.errors import InputError


@pytest.mark.parametrize(
    ("initial", "variance"),
    # Σ_k σ² (4π²k² + τ²)^(−α) over all modes that are kept
    [
        ("fno", 625 * sum((4 * np.pi**2 * k**2 + 25) ** -2.0 for k in range(-200, 201))),
        ("fno_script", 49**2 * sum((4 * np.pi**2 * k**2 + 49) ** -2.5 for k in range(-200, 201) if k)),
    ],
)
def test_variance_of_the_published_laws(initial, variance):
    recipe = BurgersRecipe(initial=initial)
    u = recipe.initial_states([np.random.default_rng(i) for i in range(600)], recipe.grid(128))
    np.testing.assert_allclose((u**2).mean(), variance, rtol=0.15)


def test_pdebench_waves():
    recipe = BurgersRecipe(initial="pdebench", viscosity=0.1 / np.pi)
    assert recipe.end_time == 2.0
    u = recipe.initial_states([np.random.default_rng(i) for i in range(50)], recipe.grid(64))[:, 0]
    assert 1.0 < np.abs(u).max() <= 2.0
    np.testing.assert_allclose(u.mean(-1), 0, atol=1e-13)
    fine = recipe.initial_states([np.random.default_rng(3)], recipe.grid(128))
    np.testing.assert_allclose(fine[0, 0, ::2], u[3], rtol=0, atol=1e-12)


def test_two_dimensions():
    assert BurgersRecipe().initial == "fno"
    recipe = BurgersRecipe(ndim=2, viscosity=0.1, frames=3, end_time=0.1)
    fields = recipe.sample(np.random.default_rng(0), recipe.grid(32)).fields
    assert set(fields) == {"u", "v"}
    assert fields["v"].shape == (3, 32, 32)
    assert np.abs(fields["v"] - fields["u"]).max() > 0.1


@pytest.mark.parametrize("method", ["spectral", "finite volumes"])
@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize("initial", ["drops", "steps"])
def test_drops_and_steps(initial, ndim, method):
    """From 0, or from minus the amplitude, to it; and the solution stays in between, as in one dimension it must."""
    recipe = BurgersRecipe(ndim=ndim, initial=initial, amplitude=0.8, method=method, frames=3, end_time=0.2)
    grid = recipe.grid(128 if ndim == 1 else 48)
    recipe.check(grid)
    made = recipe.samples([np.random.default_rng(i) for i in range(2)], grid)
    u = made.fields["u"]
    least = 0.0 if initial == "drops" else -0.8
    assert u[:, 0].min() >= least and u[:, 0].max() <= 0.8 and np.ptp(u[:, 0]) > 0.4
    if ndim == 1:
        assert u.min() >= u[:, 0].min() - 0.02 and u.max() <= u[:, 0].max() + 0.02
    else:
        assert np.abs(made.fields["v"] - u).max() > 0.1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"initial": "stairs"}, "initial must be one of fno, fno_script, pdebench, series, drops, steps, got 'stairs'"),
        ({"viscosity": 0.0}, r"viscosity must be a number greater than 0 \(Fourier modes do not carry shocks"),
        ({"ndim": 2, "initial": "fno"}, "ndim must be 1 for initial='fno', got 2; take initial='series'"),
        ({"method": "magic"}, "method must be one of spectral, finite volumes"),
        ({"viscosity": -0.1}, "viscosity must be a number of at least 0, got -0.1"),
        ({"viscosity": -0.1, "method": "finite volumes"}, "viscosity must be a number of at least 0, got -0.1"),
        ({"amplitude": 1.0}, "amplitude has no effect on initial='fno'"),
        ({"ndim": 3, "initial": "series"}, "ndim must be 1 or 2"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        BurgersRecipe(**parameters)


def test_a_grid_that_does_not_carry_the_shocks():
    recipe = BurgersRecipe(initial="pdebench", viscosity=1e-3)
    with pytest.raises(InputError, match=r"shocks are about 0\.002 thick; take at least 1000 points per axis"):
        recipe.check(recipe.grid(256))
    recipe.check(recipe.grid(1024))
    BurgersRecipe(initial="pdebench", viscosity=1e-3, oversampling=4).check(recipe.grid(256))


def test_finite_volumes_hold_shocks_without_viscosity():
    recipe = BurgersRecipe(initial="pdebench", method="finite volumes", viscosity=0.0, tolerance=0.1)
    u = recipe.sample(np.random.default_rng(0), recipe.grid(256)).fields["u"]
    assert np.abs(u).max() == np.abs(u[0]).max()  # nothing overshoots
    np.testing.assert_allclose(u.mean(-1), u[0].mean(), rtol=0, atol=1e-14)


def test_both_methods_agree_where_both_can():
    spectral, volumes = (
        BurgersRecipe(initial="pdebench", viscosity=0.02, method=method, frames=3, end_time=0.5)
        for method in ("spectral", "finite volumes")
    )
    a, b = (r.sample(np.random.default_rng(1), r.grid(512)).fields["u"][-1] for r in (spectral, volumes))
    assert np.linalg.norm(a - b) < 2e-3 * np.linalg.norm(a)


def test_both_methods_agree_in_two_dimensions():
    spectral, volumes = (
        BurgersRecipe(ndim=2, initial="series", viscosity=0.05, method=method, frames=3, end_time=0.1)
        for method in ("spectral", "finite volumes")
    )
    a, b = (r.sample(np.random.default_rng(1), r.grid(64)).fields for r in (spectral, volumes))
    for name in ("u", "v"):
        assert np.linalg.norm(a[name][-1] - b[name][-1]) < 1.5e-2 * np.linalg.norm(a[name][-1])


def test_finite_volumes_hold_shocks_in_two_dimensions():
    recipe = BurgersRecipe(ndim=2, initial="series", viscosity=0.0, method="finite volumes", frames=3, end_time=0.5)
    recipe = replace(recipe, tolerance=0.1)
    fields = recipe.sample(np.random.default_rng(0), recipe.grid(48)).fields
    for u in fields.values():
        assert np.ptp(u[-1]) < np.ptp(u[0])  # shocks have eaten the crests
        assert u.max() == u[0].max() and u.min() == u[0].min()  # and nothing overshoots


def test_the_published_viscosities_by_name():
    published = {"fno": (0.1, 1.0), "fno_script": (1e-3, 1.0), "pdebench": (0.01 / np.pi, 2.0)}
    for initial, (viscosity, end_time) in published.items():
        recipe = BurgersRecipe(initial=initial)
        assert (recipe.equation.viscosity, recipe.times[-1]) == (viscosity, end_time)
