"""Navier–Stokes in vorticity: velocity, forcings, symmetries that go with them, the tracer, what is refused."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import NavierStokes

GRID = Grid((24, 32), (2 * np.pi, 4 * np.pi), "periodic")


def test_velocity_has_the_vorticity_and_no_divergence():
    x, y = GRID.mesh()
    w = np.cos(2 * x) * np.sin(y / 2) + 0.5 * np.cos(y)
    u, v = NavierStokes(mean_flow=(1.0, 2.0)).velocity(w, GRID)
    np.testing.assert_allclose([u.mean(), v.mean()], [1.0, 2.0], atol=1e-13)
    k = 2 * np.pi * np.fft.fftfreq(24, GRID.spacing[0])[:, None], 2 * np.pi * np.fft.fftfreq(32, GRID.spacing[1])
    slope = lambda f, axis: np.fft.ifft2(1j * k[axis] * np.fft.fft2(f)).real  # noqa: E731
    np.testing.assert_allclose(slope(v, 0) - slope(u, 1), w, rtol=0, atol=1e-12)
    np.testing.assert_allclose(slope(u, 0) + slope(v, 1), 0, atol=1e-12)
    tensors = NavierStokes(mean_flow=(1.0, 2.0)).velocity(torch.from_numpy(w), GRID)
    np.testing.assert_allclose(tensors.numpy(), np.stack([u, v]), rtol=0, atol=1e-13)


@pytest.mark.parametrize("forcing", ["diagonal", "kolmogorov"])
def test_forcing_is_that_of_the_formula(forcing):
    equation = NavierStokes(forcing=forcing, amplitude=0.3, wavenumber=2)
    rate = equation.tendency(np.zeros((1, *GRID.shape)), GRID)[0]
    x, y = GRID.mesh()
    if forcing == "diagonal":
        angle = 2 * np.pi * 2 * (x / GRID.lengths[0] + y / GRID.lengths[1])
        expected = 0.3 * (np.sin(angle) + np.cos(angle))
    else:
        k = 2 * np.pi * 2 / GRID.lengths[1]
        expected = -0.3 * k * np.cos(k * y)
    np.testing.assert_allclose(rate, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("forcing", ["none", "diagonal", "kolmogorov"])
@pytest.mark.parametrize("mean_flow", [(0.0, 0.0), (1.0, 0.5)])
def test_symmetries_go_with_forcing_and_mean_flow(forcing, mean_flow):
    equation = NavierStokes(forcing=forcing, mean_flow=mean_flow, tracer_diffusivity=0.1)
    grid = Grid((24, 24), (2.0, 2.0), "periodic")
    state = np.random.default_rng(0).standard_normal((2, 24, 24))
    rate = equation.tendency(state, grid)
    assert equation.symmetries
    for symmetry in equation.symmetries:
        moved = symmetry({"w": state[0], "c": state[1]}, 2)
        expected = symmetry({"w": rate[0], "c": rate[1]}, 2)
        found = equation.tendency(np.stack([moved["w"], moved["c"]]), grid)
        np.testing.assert_allclose(found, np.stack([expected["w"], expected["c"]]), rtol=0, atol=1e-10)


def test_the_tracer_does_not_act_on_the_flow():
    state = np.random.default_rng(0).standard_normal((2, 24, 32))
    alone = NavierStokes().tendency(state[:1], GRID)
    both = NavierStokes(tracer_diffusivity=0.0).tendency(state, GRID)
    np.testing.assert_allclose(both[:1], alone, rtol=0, atol=1e-12)
    assert abs(both[1].mean()) < 1e-14


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"viscosity": -1e-3}, "viscosity must be a number of at least 0"),
        ({"drag": float("inf")}, "drag must be a number"),
        ({"forcing": "wind"}, "forcing must be one of none, diagonal, kolmogorov, got 'wind'"),
        ({"amplitude": "1"}, "amplitude must be a finite number"),
        ({"wavenumber": 0}, "wavenumber must be a whole number of at least 1"),
        ({"mean_flow": 1.0}, "mean_flow must be two velocities"),
        ({"mean_flow": (1.0, float("nan"))}, "mean_flow must be a finite number"),
        ({"tracer_diffusivity": -1.0}, "tracer_diffusivity must be a number of at least 0"),
        ({"ndim": 3}, "ndim must be 2, got 3"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        NavierStokes(**parameters)


def test_a_grid_that_does_not_carry_the_forcing():
    with pytest.raises(InputError, match=r"too coarse for a forcing of wavenumber 8.*at least 25 points"):
        NavierStokes(forcing="kolmogorov", wavenumber=8).tendency(
            np.zeros((1, 16, 16)), Grid.cube(2, 16, points="periodic")
        )


def test_no_closed_form_with_a_force():
    with pytest.raises(InputError, match="no closed form is known"):
        NavierStokes(forcing="diagonal").exact(GRID)
