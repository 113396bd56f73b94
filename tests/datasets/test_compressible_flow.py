"""Samples of compressible flow: Mach number, shock tubes, what is refused."""

from dataclasses import replace

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
        ({"initial": "bomb"}, "initial must be one of waves, tube, pdebench"),
        ({"draw": "gamma"}, "unknown parameter in draw of the recipe 'compressible_flow': 'gamma'"),
        ({"draw": "shear_viscosity"}, "shear_viscosity must be greater than 0 where it is drawn"),
        ({"initial": "tube", "mach": 0.1}, "mach has no effect on initial='tube' with ndim=1, got 0.1; leave it out"),
        ({"initial": "pdebench", "mach": 0.1}, "mach has no effect on initial='pdebench' with ndim=1"),
        ({"initial": "pdebench_turbulence"}, "ndim must be 2 for initial='pdebench_turbulence', got 1"),
        ({"initial": "pdebench_tube", "ndim": 2}, "ndim must be 1 for initial='pdebench_tube', got 2"),
        ({"boundary": "no-slip"}, "shear_viscosity must be greater than 0 for boundary='no-slip'"),
        ({"mach": 0.0}, "mach must be"),
        ({"gamma": 0.5}, "gamma must be a number greater than 1"),
        ({"bulk_viscosity": -1.0}, "bulk_viscosity must be"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        CompressibleFlowRecipe(**parameters)


@pytest.mark.parametrize(
    ("parameters", "shape"),
    [
        ({"initial": "pdebench", "boundary": "outflow"}, (64,)),
        ({"initial": "pdebench_tube"}, (64,)),
        ({"initial": "pdebench", "ndim": 2, "mach": 1.0}, (32, 32)),
        ({"initial": "pdebench_turbulence", "ndim": 2, "mach": 1.0, "boundary": "walls"}, (32, 32)),
    ],
)
def test_published_distributions_are_solved(parameters, shape):
    recipe = CompressibleFlowRecipe(frames=3, **parameters)
    recipe = replace(recipe, end_time=recipe.end_time / 20)
    assert recipe.equation.gamma == 5 / 3
    grid = recipe.grid(shape)
    assert (grid.origin[0], grid.lengths[0]) == ((-1.0, 2.0) if len(shape) == 1 else (0.0, 1.0))
    made = recipe.samples([np.random.default_rng(i) for i in range(2)], grid)
    assert made.fields["rho"].shape == (2, 3, *shape)
    assert min(made.fields["rho"].min(), made.fields["p"].min()) > 0
    assert made.residuals.max() < 0.02


def test_drawn_viscosities_are_those_of_the_sample():
    options = {"initial": "waves", "frames": 5, "end_time": 0.02, "shear_viscosity": 0.02, "bulk_viscosity": 0.01}
    recipe = CompressibleFlowRecipe(draw="shear_viscosity,bulk_viscosity", **options)
    rngs = [np.random.default_rng(i) for i in range(12)]
    grid = recipe.grid(48)
    made = recipe.samples(rngs, grid)
    eta, zeta = made.drawn["shear_viscosity"], made.drawn["bulk_viscosity"]
    assert 0.02 <= eta.min() < 0.04 and 0.1 < eta.max() <= 0.2
    assert 0.01 <= zeta.min() < 0.02 and 0.05 < zeta.max() <= 0.1
    assert abs(np.corrcoef(np.log(eta), np.log(zeta))[0, 1]) < 0.7  # independent
    for i in (0, 5):
        fields = {name: values[i] for name, values in made.fields.items()} | {"time": recipe.times}
        own = replace(recipe, draw=None, shear_viscosity=eta[i], bulk_viscosity=zeta[i]).equation
        expected = own.residual(fields, grid)
        found = recipe.equation.residual(
            {**fields, "shear_viscosity": eta[i : i + 1][0], "bulk_viscosity": zeta[i]}, grid
        )
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
        assert np.abs(recipe.equation.residual(fields, grid)).max() > 3 * np.abs(expected).max()
    together = recipe.equation.residual(
        {**made.fields, "time": recipe.times, "shear_viscosity": eta, "bulk_viscosity": zeta}, grid
    )
    assert together.shape == (12, 3, 4, 48)
    np.testing.assert_allclose(together[5], expected, rtol=0, atol=1e-12)
