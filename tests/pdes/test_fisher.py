"""Fisher's equation: its front, what is refused."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Fisher


def test_the_front_solves_the_equation():
    equation, grid = Fisher(1, 1e-3, 2.0), Grid((256,), (2.0,), "periodic")
    u = equation.front(grid, [0.0, 1e-4])["u"]
    rate = equation.tendency(u[:1], grid)[0]
    np.testing.assert_allclose(rate, (u[1] - u[0]) / 1e-4, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("parameters", "message"), [({"diffusivity": -1.0}, "diffusivity"), ({"rate": 0.0}, "rate"), ({"ndim": 4}, "ndim")]
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=f"{message} must be"):
        Fisher(**parameters)
