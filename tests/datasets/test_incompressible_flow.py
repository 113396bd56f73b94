"""Samples of incompressible flow: smoke, vortices, cavities, streams, obstacles, what is refused."""

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


def test_smoke_comes_from_its_source():
    recipe = IncompressibleFlowRecipe(scene="source", obstacles=1, pressure=True, frames=3, end_time=0.4)
    assert recipe.inputs == ("solid", "q", "u", "v", "s") and recipe.outputs == ("u", "v", "s", "p")
    fields = recipe.sample(np.random.default_rng(0), recipe.grid(24)).fields
    np.testing.assert_allclose(fields["s"].mean((1, 2)), recipe.times * fields["q"].mean(), rtol=1e-12, atol=1e-15)
    assert fields["s"].min() > -1e-14 and not (fields["q"] * fields["solid"]).any()


@pytest.mark.parametrize("parameters", [{"scene": "stream", "obstacles": 2}, {"scene": "source"}])
def test_the_pressure_that_is_kept_is_that_of_the_equation(parameters):
    """The residual with it is what time steps leave over: of order 3 in the time between frames."""
    left = []
    for end_time in (0.02, 0.01):
        recipe = IncompressibleFlowRecipe(**parameters, pressure=True, frames=2, end_time=end_time, settling=0.2)
        fields = {**recipe.sample(np.random.default_rng(0), recipe.grid(16)).fields, "time": recipe.times}
        left.append(np.abs(recipe.equation.residual(fields, recipe.grid(16))[:2]).max())
    assert left[1] < left[0] / 5


def test_cavities_of_drawn_viscosities():
    recipe = IncompressibleFlowRecipe(scene="cavity", draw="viscosity", frames=3, end_time=0.2)
    grid = recipe.grid(16)
    rngs = [np.random.default_rng(i) for i in range(4)]
    made = recipe.samples(rngs, grid)
    viscosity = made.drawn["viscosity"]
    assert viscosity.shape == (4,) and np.all((viscosity >= 1e-3) & (viscosity <= 1e-2)) and np.ptp(viscosity) > 1e-3
    own = IncompressibleFlowRecipe(
        scene="cavity", viscosity=float(viscosity[2]), frames=3, end_time=0.2, time_step=1e-3
    )
    np.testing.assert_allclose(
        own.sample(np.random.default_rng(0), grid).fields["u"], made.fields["u"][2], rtol=0, atol=1e-3
    )


def test_streams_flow_around_obstacles_from_the_start():
    recipe = IncompressibleFlowRecipe(scene="stream", obstacles=2, frames=2, end_time=0.1)
    grid = recipe.grid((32, 16))
    assert grid.lengths == (2.0, 1.0)
    fields = recipe.sample(np.random.default_rng(0), grid).fields
    assert np.abs(recipe.equation.divergence({"u": fields["u"], "v": fields["v"]}, grid)).max() < 1e-11
    assert not (fields["u"] * fields["solid"]).any()
    np.testing.assert_allclose(fields["u"].mean(-1), 1.0, rtol=1e-12)


def test_coarser_velocities_have_no_divergence_either():
    recipe = IncompressibleFlowRecipe(scene="vortices", frames=2, end_time=0.05, oversampling=2)
    grid = recipe.grid(16)
    fields = recipe.sample(np.random.default_rng(0), grid).fields
    assert np.abs(recipe.equation.divergence(fields, grid)).max() < 1e-11


def test_ahead_of_bodies_there_are_no_stripes():
    """At a Reynolds number of 31 in a cell; the validation has errors too."""
    left = {}
    for convection in ("limited", "central"):
        recipe = IncompressibleFlowRecipe(
            scene="stream", obstacles=2, convection=convection, frames=2, end_time=0.5, tolerance=0.5
        )
        fields = recipe.sample(np.random.default_rng(3), recipe.grid((64, 32))).fields
        first = int(np.flatnonzero(fields["solid"].any(1))[0])
        # what alternates from cell to cell along x ahead of the bodies
        left[convection] = np.sqrt((np.diff(fields["v"][-1, : first - 1], 4, axis=0) ** 2).mean()) / 16
    assert 0 < left["limited"] < 0.15 * left["central"], left


def test_cells_that_are_too_large_for_the_layers_of_a_stream_are_refused():
    def check(resolution, **parameters):
        recipe = IncompressibleFlowRecipe(scene="stream", obstacles=2, **parameters)
        recipe.check(recipe.grid(resolution))

    check((128, 64))
    check((64, 32), oversampling=2)
    with pytest.raises(InputError, match=r"too coarse for viscosity=0\.001: .* number 31\.2 in a cell.* 125x63 points"):
        check((64, 32))
    with pytest.raises(InputError, match=r"too coarse for viscosity=0: .* take a viscosity of at least 0\.00196"):
        check((64, 32), viscosity=0.0)
    check((64, 32), viscosity=0.00196)
    with pytest.raises(InputError, match=r"too coarse for viscosity=0\.0005"):
        check((128, 64), draw="viscosity:0.0005:0.01")


def test_steps_that_are_too_long_are_refused_by_their_parameter():
    recipe = IncompressibleFlowRecipe(draw="viscosity:0.001:0.1", time_step=0.01)
    with pytest.raises(
        InputError, match=r"time_step must be at most 0\.001221 for the viscosity on this grid, got 0\.01"
    ):
        recipe.check(recipe.grid(32))
    stream = IncompressibleFlowRecipe(scene="stream", obstacles=1, time_step=0.5, frames=2)
    with pytest.raises(InputError, match=r"time_step must be .* the viscosity and the speed of the stream"):
        stream.check(stream.grid((128, 64)))
    IncompressibleFlowRecipe(viscosity=0.0, time_step=1.0).check(recipe.grid(32))  # parts of steps, as the flow needs


def test_the_solver_that_is_recorded_says_which_fluxes():
    solvers = [IncompressibleFlowRecipe(convection=each).solver for each in ("limited", "central")]
    assert "limited central fluxes" in solvers[0] and "limited" not in solvers[1]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"scene": "storm"}, "scene must be one of"),
        ({"obstacles": -1}, "obstacles must be a whole number"),
        ({"draw": "all"}, "unknown parameter in draw"),
        ({"draw": "viscosity", "viscosity": 0.0}, "viscosity must be greater than 0 where it is drawn"),
        ({"scene": "stream"}, "obstacles must be at least 1 for scene='stream'"),
        ({"pressure": 1}, "pressure must be true or false"),
        ({"scene": "vortices", "ndim": 3}, "goes with two axes and without obstacles"),
        ({"viscosity": -1.0}, "viscosity must be"),
        ({"obstacles": 10000}, "obstacles must be at most 20 in 2 dimensions, got 10000"),
        ({"obstacles": 101, "ndim": 3}, "obstacles must be at most 100 in 3 dimensions, got 101"),
        ({"convection": "upwind"}, "convection must be one of limited, central"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        IncompressibleFlowRecipe(**parameters)
