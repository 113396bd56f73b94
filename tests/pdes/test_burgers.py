"""Burgers' equation: Cole and Hopf's solution, both forms of the convection, what is refused."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Burgers

GRID = Grid((64,), (2.0,), "periodic", (-1.0,))


def test_cole_hopf_starts_as_it_should_and_decays():
    found = Burgers(viscosity=0.05).cole_hopf(GRID, [0.0, 0.2, 10.0], amplitude=0.7)
    np.testing.assert_allclose(found["u"][0], -0.7 * np.sin(np.pi * (GRID.coordinates()[0] + 1)), rtol=0, atol=1e-12)
    assert np.abs(found["u"][2]).max() < 0.02
    # in the end the heat equation alone acts
    late = Burgers(viscosity=0.05).cole_hopf(GRID, [30.0, 31.0], amplitude=0.7)["u"]
    np.testing.assert_allclose(late[1], np.exp(-0.05 * np.pi**2) * late[0], rtol=0, atol=1e-7)


def test_residual_of_cole_hopf_falls_with_the_time_between_frames():
    equation, sizes = Burgers(viscosity=0.05), []
    for dt in (0.04, 0.02):
        fields = equation.cole_hopf(GRID, dt * np.arange(5))
        sizes.append(np.abs(equation.residual(fields, GRID)).max())
    assert 6 < sizes[0] / sizes[1] < 9


def test_two_dimensions_of_a_wave_along_one_axis_are_one():
    grid = Grid.cube(2, 24, points="periodic")
    u = np.cos(2 * np.pi * grid.mesh()[0])
    rate = Burgers(2, 0.1).tendency(np.stack([u, 0 * u]), grid)
    line = Burgers(1, 0.1).tendency(u[None, :, 0], Grid.cube(1, 24, points="periodic"))
    np.testing.assert_allclose(rate[0], np.repeat(line[0][:, None], 24, 1), rtol=0, atol=1e-12)
    np.testing.assert_allclose(rate[1], 0, atol=1e-13)


def test_fields_go_with_the_axes():
    assert Burgers().unknowns == ("u",)
    assert Burgers(2).unknowns == ("u", "v")
    assert len(Burgers(2).symmetries) == 9


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"ndim": 3}, "ndim must be 1 or 2, got 3"), ({"viscosity": -0.1}, "viscosity must be a number of at least 0")],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        Burgers(**parameters)


def test_cole_hopf_says_where_it_ends():
    with pytest.raises(InputError, match="amplitude must be between 0 and"):
        Burgers(viscosity=1e-6).cole_hopf(GRID, [0.0])
    with pytest.raises(InputError, match="no closed form is known"):
        Burgers(viscosity=0.0).exact(GRID)
