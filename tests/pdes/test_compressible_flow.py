"""Compressible flow: stress against its formula, conserved and primitive, what is refused."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import CompressibleFlow


def test_conserved_and_back():
    state = np.random.default_rng(0).uniform(0.5, 2, (3, 4, 4, 5))
    equation = CompressibleFlow()
    np.testing.assert_allclose(equation.primitive(equation.conserved(state, 2), 2), state, rtol=1e-13)


def test_viscous_stress_is_that_of_the_formula():
    """What η and ζ add to the momentum: η Δu + (ζ + η/3) ∇∇·u, of order 2."""
    errors = []
    for n in (24, 48):
        grid = Grid((n, n))
        x, y = (2 * np.pi * c for c in grid.mesh())
        u, v = np.sin(x) * np.cos(y), np.cos(2 * x + y)
        state = np.stack([np.ones_like(x), u, v, np.ones_like(x)])
        with_, without = (
            CompressibleFlow(2, eta, zeta).conserved_rate(state, grid) for eta, zeta in ((0.3, 0.2), (0, 0))
        )
        k = 2 * np.pi
        lap = -(k**2) * np.stack([2 * u, 5 * v])
        div_x = -(k**2) * (u + 2 * np.cos(2 * x + y))  # ∂x(u_x + v_y)
        div_y = -(k**2) * (np.cos(x) * np.sin(y) + np.cos(2 * x + y))
        expected = 0.3 * lap + (0.2 + 0.1) * np.stack([div_x, div_y])
        errors.append(np.abs(np.stack(with_[1:3]) - np.stack(without[1:3]) - expected).max())
    assert 1.8 < np.log2(errors[0] / errors[1]) < 2.2


def test_shock_tube_has_two_dimensions_too():
    fields = CompressibleFlow(2, boundary="outflow").shock_tube(Grid((32, 4)), [0.1])
    assert set(fields) == {"rho", "u", "v", "p", "time"}
    assert np.ptp(fields["rho"][0], axis=1).max() == 0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"shear_viscosity": -1.0}, "shear_viscosity must be"),
        ({"gamma": 1.0}, "gamma must be a number greater than 1"),
        ({"boundary": "open"}, "boundary must be one of"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        CompressibleFlow(**parameters)


@pytest.mark.parametrize(("row", "what"), [(0, "density rho"), (3, "pressure p")])
def test_states_that_are_not_physical(row, what):
    state = np.ones((1, 4, 3, 3))
    state[0, row, 1, 1] = -0.5
    with pytest.raises(InputError, match=f"{what} must be greater than 0 everywhere, got -0.5"):
        CompressibleFlow().check_physical(state, 2)
