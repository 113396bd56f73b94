"""The AllenCahn equation: its energy, its tendency, what is refused."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import AllenCahn


def test_energy_is_that_of_the_formula():
    grid = Grid.cube(1, 64, points="periodic")
    u = np.cos(2 * np.pi * grid.coordinates()[0])
    expected = 0.02**2 * (2 * np.pi) ** 2 / 4 + ((1 - u**2) ** 2).mean() / 4
    np.testing.assert_allclose(AllenCahn(1, 0.02).energy({"u": u}, grid), expected, rtol=1e-12)


def test_tendency_is_the_steepest_descent_of_the_energy():
    equation, grid = AllenCahn(2, 0.1), Grid((12, 16), (1.0, 2.0), "periodic")
    x, y = grid.mesh()
    u = 0.3 + 0.5 * np.cos(2 * np.pi * x) - 0.2 * np.sin(np.pi * y)
    rate = equation.tendency(u[None], grid)[0]
    change = np.cos(2 * np.pi * x) + np.sin(np.pi * y)
    h = 1e-5
    slope = (equation.energy({"u": u + h * change}, grid) - equation.energy({"u": u - h * change}, grid)) / (2 * h)
    np.testing.assert_allclose(slope, -(rate * change).mean(), rtol=1e-7)


@pytest.mark.parametrize("width", [0.0, -1.0, float("nan")])
def test_width_must_be_positive(width):
    with pytest.raises(InputError, match="width must be a number greater than 0"):
        AllenCahn(width=width)
