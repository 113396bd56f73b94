"""Incompressible flow: closed forms, three dimensions, symmetry, what is refused."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import IncompressibleFlow


@pytest.mark.parametrize("boundary", ["periodic", "free slip"])
def test_taylor_green_has_no_discrete_divergence(boundary):
    equation, grid = IncompressibleFlow(boundary=boundary), Grid((64, 48), (1.0, 2.0))
    fields = equation.exact(grid, [0.0, 0.3])
    assert np.abs(equation.divergence(fields, grid)).max() < 1e-12
    state = np.stack([fields["u"][0], fields["v"][0]])
    k2 = (np.pi * (2 if boundary == "periodic" else 1)) ** 2 * (1 + 1 / 4)
    rate = equation.tendency(state, grid)
    assert np.abs(rate + 0.01 * k2 * state).max() < 0.05 * np.abs(0.01 * k2 * state).max() + 0.02


def test_three_dimensions():
    equation, grid = IncompressibleFlow(3, buoyancy=1.0), Grid((6, 5, 7))
    state = np.zeros((4, 6, 5, 7))
    state[3, 2:4, 2:4, 1:3] = 1.0
    rate = equation.tendency(state, grid)
    assert equation.unknowns == ("u", "v", "w", "s")
    assert np.abs(equation.divergence({"u": rate[0], "v": rate[1], "w": rate[2]}, grid)).max() < 1e-12
    assert rate[2, 2:4, 2:4, 1].min() > 0  # it rises


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"viscosity": -1.0}, "viscosity must be"),
        ({"boundary": "pipe"}, "boundary must be one of walls, free slip, channel, periodic"),
        ({"lid": 1.0, "boundary": "free slip"}, "lid must be 0 where the flow does not stick"),
        ({"ndim": 1}, "ndim must be 2 or 3"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        IncompressibleFlow(**parameters)
