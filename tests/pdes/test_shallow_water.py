"""The shallow water equations: rest, Stoker's solution, conserved and primitive, what is refused."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import ShallowWater
from opforge.pdes.shallow_water import stoker


@pytest.mark.parametrize("boundary", ["outflow", "walls", "periodic"])
def test_a_lake_at_rest_stays(boundary):
    grid, rng = Grid((8, 9)), np.random.default_rng(0)
    b = 0.5 * rng.random((8, 9))
    if boundary != "walls":  # ghosts of depth and surface are those of a flat bottom then
        b[[0, 1, -2, -1]] = b[:, [0, 1, -2, -1]] = 0.2
    lake = np.stack([1.2 - b, 0 * b, 0 * b])
    assert np.abs(ShallowWater(boundary=boundary).tendency(lake, grid, b)).max() < 1e-13


def test_stoker_satisfies_the_jump_conditions():
    h, u, s = stoker(2.0, 1.0, 9.81)
    np.testing.assert_allclose(s * (h - 1.0), h * u, rtol=1e-12)
    np.testing.assert_allclose(s * h * u, h * u**2 + 9.81 / 2 * (h**2 - 1), rtol=1e-12)
    fields = ShallowWater(1, gravity=1.0).dam_break(Grid((100,)), [0.1])
    assert fields["h"].shape == (1, 100) and fields["h"][0, 0] == 2.0 and fields["h"][0, -1] == 1.0


def test_conserved_and_back():
    state = np.random.default_rng(0).uniform(0.5, 2, (3, 3, 4, 5))
    equation = ShallowWater()
    np.testing.assert_allclose(equation.primitive(equation.conserved(state, 2), 2), state, rtol=1e-14)


def test_a_field_is_the_bottom():
    grid, rng = Grid((12,)), np.random.default_rng(0)
    b = 0.1 * rng.random(12)
    fields = {"h": 1 - b + np.zeros((2, 1)), "u": np.zeros((2, 12)), "time": np.array([0.0, 0.1])}
    equation = ShallowWater(1, boundary="walls")
    assert np.abs(equation.residual({**fields, "b": b}, grid)).max() < 1e-14
    assert np.abs(equation.residual(fields, grid)).max() > 1e-3


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"gravity": 0.0}, "gravity must be"),
        ({"boundary": "open"}, "boundary must be one of"),
        ({"ndim": 3}, "ndim must be"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        ShallowWater(**parameters)


def test_dry_beds_are_refused():
    with pytest.raises(InputError, match="depth h must be greater than 0 everywhere"):
        ShallowWater(1).check_physical(np.zeros((1, 2, 4)), 1)
