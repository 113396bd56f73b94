"""What no stepper takes: time steps, boundaries, media and numbers that are none."""

import math

import numpy as np
import pytest

from opforge import pdes, solvers
from opforge.core import Grid
from opforge.errors import InputError

WRONG_STEPS = (None, "0.1", [0.1], np.array([0.1, 0.2]), True, 0.0, -0.1, math.nan, math.inf, 1j)
CELLS, PERIODIC = Grid((8,)), Grid((8,), (8.0,), "periodic")
MAKES = {
    "ETDRK4": lambda dt: solvers.ETDRK4(pdes.KuramotoSivashinsky(), PERIODIC, dt),
    "IMEXRK": lambda dt: solvers.IMEXRK(pdes.KuramotoSivashinsky(), PERIODIC, dt),
    "CrankNicolson": lambda dt: solvers.CrankNicolson(CELLS, np.ones(8), dt),
    "ExactDiffusion": lambda dt: solvers.ExactDiffusion(CELLS, 1.0, dt),
    "ExactWave": lambda dt: solvers.ExactWave(pdes.Wave(1), CELLS, dt),
    "Leapfrog": lambda dt: solvers.Leapfrog(pdes.Wave(1), CELLS, dt),
    "FiniteVolumes": lambda dt: solvers.FiniteVolumes(pdes.ShallowWater(1), CELLS, dt),
    "ProjectionStepper": lambda dt: solvers.ProjectionStepper(pdes.IncompressibleFlow(lid=1.0), Grid((8, 8)), dt),
    "SSPRK3": lambda dt: solvers.SSPRK3(lambda u: -u, dt),
    "BDF": lambda dt: solvers.BDF(lambda u: -u, dt),
}


@pytest.mark.parametrize("dt", WRONG_STEPS, ids=str)
@pytest.mark.parametrize("name", MAKES)
def test_what_is_no_time_step_is_refused(name, dt):
    with pytest.raises(InputError, match="dt must be a time greater than 0, got"):
        MAKES[name](dt)


@pytest.mark.parametrize("boundary", ["Neumann", "robin", None, 3])
def test_what_is_no_boundary_is_refused(boundary):
    for make in (
        lambda: solvers.CrankNicolson(CELLS, np.ones(8), 0.1, boundary),
        lambda: solvers.ExactDiffusion(CELLS, 1.0, 0.1, boundary),
        lambda: solvers.fast_poisson(np.zeros(8), CELLS, boundary),
    ):
        with pytest.raises(InputError, match="boundary must be one of dirichlet, neumann, periodic, got"):
            make()


def test_equations_without_a_linear_part_for_modes_are_refused():
    for stepper in (solvers.ETDRK4, solvers.IMEXRK):
        with pytest.raises(InputError, match="equation must be linear for every Fourier mode"):
            stepper(pdes.Heat(1), PERIODIC, 0.1)


@pytest.mark.parametrize(
    ("speed", "match"),
    [
        (np.full((1, 8), np.nan), "speed must be finite and greater than 0"),
        (np.full((1, 8), -1.0), "speed must be finite and greater than 0"),
        (np.zeros((1, 8)), "speed must be finite and greater than 0"),
        (np.ones(8), r"speed must be an array \(samples or 1, 8\), got shape \(8,\)"),
        (np.ones((3, 8)), "speed must be that of each of 1 samples, or of one, got 3"),
    ],
)
def test_speeds_that_are_none_are_refused(speed, match):
    with pytest.raises(InputError, match=match):
        solvers.Leapfrog(pdes.Wave(1), CELLS, 0.01, speed)(np.zeros((1, 2, 8)))


def test_numbers_of_other_samples_are_refused():
    with pytest.raises(InputError, match="speed must have one value for each of 1 samples, got 7"):
        solvers.ExactWave(pdes.Wave(1), CELLS, 0.1, np.ones(7))(np.zeros((1, 2, 8)))
    with pytest.raises(InputError, match="diffusivity must have one value for each of 2 samples, got 3"):
        solvers.ExactDiffusion(CELLS, np.ones((3, 1)), 0.1)(np.zeros((2, 1, 8)))


@pytest.mark.parametrize(
    ("own", "match"),
    [
        ({"foo": [1.0]}, "own must name viscosity, force, buoyancy, diffusivity, q of .*got 'foo'"),
        ({"force": [np.nan]}, "force must be finite for every sample"),
        ({"q": -np.ones((1, 8, 8))}, "q must be at least 0 for every sample"),
        ({"q": np.ones((1, 8))}, "q must be an array"),
    ],
)
def test_what_samples_of_a_flow_cannot_have_is_refused(own, match):
    with pytest.raises(InputError, match=match):
        solvers.ProjectionStepper(pdes.IncompressibleFlow(buoyancy=1.0), Grid((8, 8)), 0.01, own=own)


def test_no_frames_at_all_are_refused():
    step = solvers.ExactDiffusion(CELLS, 1.0, 0.1)
    with pytest.raises(InputError, match="frames must be whole numbers of at least 1, got 0"):
        solvers.rollout(step, np.zeros((1, 1, 8)), frames=0)
    assert solvers.rollout(step, np.zeros((1, 1, 8)), frames=0, start=True).shape == (1, 1, 1, 8)


def test_whole_numbers_are_no_state_of_finite_volumes():
    with pytest.raises(InputError, match="state must hold float32 or float64, got int64"):
        solvers.FiniteVolumes(pdes.ShallowWater(1), CELLS, 0.01)(np.ones((1, 2, 8), dtype=np.int64))


def test_points_that_are_no_cells_are_refused():
    nodes = Grid((8,), points="nodes")
    for make in (
        lambda: solvers.CrankNicolson(nodes, np.ones(8), 0.1),
        lambda: solvers.ExactDiffusion(nodes, 1.0, 0.1),
        lambda: solvers.ExactWave(pdes.Wave(1), nodes, 0.1),
        lambda: solvers.Leapfrog(pdes.Wave(1), nodes, 0.01),
    ):
        with pytest.raises(InputError, match="grid must have points='cells'"):
            make()


@pytest.mark.parametrize("shape", [(1, 2, 16), (1, 3, 8), (2, 8, 8)])
def test_states_of_waves_on_other_cells_are_refused(shape):
    for step in (solvers.Leapfrog(pdes.Wave(1), CELLS, 0.01), solvers.ExactWave(pdes.Wave(1), CELLS, 0.1)):
        with pytest.raises(InputError, match=r"state must be an array \(..., 2, 8\) with u, v on 8 points"):
            step(np.zeros(shape))
    with pytest.raises(InputError, match="grid must have 1 axes"):
        solvers.Leapfrog(pdes.Wave(1), Grid((8, 8)), 0.01)
