import numpy as np
import pytest

from opforge.datasets import DarcyRecipe
from opforge.errors import InputError, WorkError
from opforge.pdes import Darcy
from opforge.solvers import solve_elliptic


def draw(recipe, n=16, seed=0):
    return recipe.sample(np.random.default_rng(seed), recipe.grid(n))


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("coefficient", ["threshold", "lognormal", "pdebench"])
def test_every_kind_in_every_dimension(ndim, coefficient):
    sample = draw(DarcyRecipe(ndim=ndim, coefficient=coefficient), n=12)
    assert sample.fields["a"].shape == (12,) * ndim
    assert sample.fields["a"].min() > 0
    assert sample.fields["u"].min() > 0
    assert sample.residual <= 1e-8


def test_benchmarks_coefficient():
    """12 where the field is at least 0, 3 elsewhere; the field without its constant mode takes both signs."""
    recipe = DarcyRecipe()
    grid = recipe.grid(32)
    for seed in range(5):
        v = recipe.law.sample(np.random.default_rng(seed), grid)
        a = recipe.sample(np.random.default_rng(seed), grid).fields["a"]
        np.testing.assert_array_equal(a, np.where(v >= 0, 12.0, 3.0))
        assert set(np.unique(a)) == {3.0, 12.0}
    assert (recipe.law.alpha, recipe.law.tau, recipe.law.boundary, recipe.law.constant_mode) == (2, 3, "neumann", False)


def test_pdebenchs_data():
    """Two values, 1 where five bumps exceed the law's mean. u >= 0; its mean, the energy, falls where a grows."""
    recipe = DarcyRecipe(coefficient="pdebench")
    assert (recipe.high, recipe.low, recipe.forcing, recipe.ndim) == (1.0, 0.1, 1.0, 2)
    assert not {"tau", "alpha", "sigma"} & set(recipe.parameters())
    grid = recipe.grid(32)
    alone = [solve_elliptic(Darcy(), {"a": np.full(grid.shape, a)}, grid, rtol=1e-10).x.mean() for a in (1.0, 0.1)]
    parts = []
    for seed in range(40):
        v = recipe.law.sample(np.random.default_rng(seed), grid)
        fields = recipe.sample(np.random.default_rng(seed), grid).fields
        np.testing.assert_array_equal(fields["a"], np.where(v >= recipe.law.mean(2), 1.0, 0.1))
        assert fields["u"].min() > 0 and alone[0] * (1 - 1e-6) <= fields["u"].mean() <= alone[1] * (1 + 1e-6)
        parts.append((fields["a"] == 1.0).mean())
    assert 0.3 < np.mean(parts) < 0.7 and np.ptp(parts) > 0.5
    strong = draw(DarcyRecipe(coefficient="pdebench", forcing=100.0), n=32).fields["u"]
    np.testing.assert_allclose(strong, 100 * draw(recipe, n=32).fields["u"], rtol=0, atol=1e-6 * strong.max())


def test_a_seed_is_the_same_medium_on_every_grid():
    recipe = DarcyRecipe(coefficient="pdebench")
    coarse, fine = (draw(recipe, n=n).fields["a"] for n in (24, 72))
    np.testing.assert_array_equal(fine[1::3, 1::3], coarse)


def test_lognormal_coefficient():
    recipe = DarcyRecipe(coefficient="lognormal", sigma=2.0)
    grid = recipe.grid(16)
    v = recipe.law.sample(np.random.default_rng(0), grid)
    np.testing.assert_array_equal(recipe.sample(np.random.default_rng(0), grid).fields["a"], np.exp(v))
    np.testing.assert_allclose(np.log(draw(recipe).fields["a"]).mean(), 0.0, atol=1e-14)


@pytest.mark.parametrize(("ndim", "deviation"), [(1, 0.3), (2, 0.5), (3, 0.7)])
def test_stated_deviation_of_the_logarithm(ndim, deviation):
    recipe = DarcyRecipe(ndim=ndim, coefficient="lognormal")
    variance = recipe.law.variance(recipe.grid({1: 256, 2: 64, 3: 24}[ndim])).mean()
    np.testing.assert_allclose(np.sqrt(variance), deviation, atol=0.06)


def test_pressure_solves_the_equation():
    recipe = DarcyRecipe(forcing=-2.0, high=5.0, low=1.0)
    sample, grid = draw(recipe), recipe.grid(16)
    u = solve_elliptic(Darcy(forcing=-2.0), {"a": sample.fields["a"]}, grid, rtol=1e-12).x
    np.testing.assert_allclose(sample.fields["u"], u, rtol=0, atol=1e-7 * np.abs(u).max())


def test_parameters_that_do_not_apply_are_left_out():
    assert "sigma" not in DarcyRecipe().parameters()
    assert {"high": 12.0, "low": 3.0}.items() <= DarcyRecipe().parameters().items()
    assert "high" not in DarcyRecipe(coefficient="lognormal").parameters()
    assert DarcyRecipe(coefficient="lognormal").parameters()["sigma"] == 5.0


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"sigma": 1.0}, "sigma has no effect on coefficient='threshold'"),
        ({"coefficient": "lognormal", "high": 12.0}, "high has no effect on coefficient='lognormal'"),
        ({"coefficient": "lognormal", "low": 12.0}, "low has no effect"),
        ({"coefficient": "binary"}, "coefficient must be one of threshold, lognormal, pdebench, got 'binary'"),
        ({"coefficient": "pdebench", "tau": 3.0}, "tau has no effect on coefficient='pdebench'"),
        ({"coefficient": "pdebench", "sigma": 3.0}, "sigma has no effect on coefficient='pdebench'"),
        ({"high": 0.0}, "high must be positive"),
        ({"low": -3.0}, "low must be positive"),
        ({"low": float("nan")}, "low must be positive"),
        ({"high": "12"}, "high must be a number, got '12'"),
        ({"tau": True}, "tau must be a number"),
        ({"tau": -1.0}, "tau must be"),
        ({"alpha": 1.0}, "alpha must be greater than ndim/2 = 1"),
        ({"alpha": 1.5, "ndim": 3}, r"alpha must be greater than ndim/2 = 1\.5"),
        ({"coefficient": "lognormal", "sigma": 0.0}, "sigma must be positive"),
        ({"forcing": 0.0}, "forcing must be"),
        ({"forcing": 1e300}, "forcing must be of magnitude 1e-18 to 1e"),
        ({"forcing": -1e-300}, "forcing must be of magnitude"),
        ({"forcing": float("nan")}, "forcing must be of magnitude"),
        ({"high": 1e300}, "high must be positive, from 1e-18 to 1e"),
        ({"low": 10**400}, "low must be a number in the range of float64"),
        ({"tau": 1e300}, "tau must be at most"),
        ({"tau": float("nan")}, "tau must be >= 0 and finite"),
        ({"alpha": float("inf")}, "alpha must be at most"),
        ({"coefficient": "lognormal", "sigma": 1e300}, "sigma must be at most"),
        ({"coefficient": {}}, "coefficient must be one of threshold, lognormal, pdebench, got {}"),
        ({"coefficient": None}, "coefficient must be one of"),
        ({"tolerance": [1e-8]}, "tolerance must be a number"),
        ({"ndim": 2.0}, "ndim must be 1, 2 or 3"),
        ({"ndim": {}}, "ndim must be 1, 2 or 3"),
        ({"ndim": 4}, "ndim must be 1, 2 or 3"),
        ({"tolerance": 0.0}, "tolerance must lie between 0 and 1"),
        ({"tolerance": 2.0}, "tolerance must lie between 0 and 1"),
    ],
)
def test_wrong_parameters(parameters, match):
    with pytest.raises(InputError, match=match):
        DarcyRecipe(**parameters)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_permeability_that_no_float_holds(ndim):
    """In one line, and without a warning of numpy."""
    with pytest.raises(WorkError, match=r"the permeability exp\(v\) leaves 1e-18 to 1e\+18, .*; lower sigma"):
        draw(DarcyRecipe(ndim=ndim, coefficient="lognormal", sigma=1e5))


@pytest.mark.parametrize("forcing", [1e-18, -1e18])
def test_bounds_of_the_forcing_are_solved(forcing):
    sample, usual = draw(DarcyRecipe(forcing=forcing)), draw(DarcyRecipe())
    np.testing.assert_allclose(sample.fields["u"], forcing * usual.fields["u"], rtol=1e-6)
    assert np.abs(sample.fields["u"].astype(np.float32)).min() > 0


def test_grid_that_the_tolerance_forbids():
    recipe = DarcyRecipe(ndim=1)
    recipe.check(recipe.grid(4096))
    with pytest.raises(InputError, match="resolution 1000000 is too high for tolerance=1e-08"):
        recipe.check(recipe.grid(10**6))
