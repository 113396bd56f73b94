"""The CahnHilliard equation: its energy, its tendency, what is refused."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import CahnHilliard


def test_mass_is_kept_and_phases_stay():
    equation, grid = CahnHilliard(2, 0.05), Grid.cube(2, 16, points="periodic")
    u = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16))
    assert abs(equation.tendency(u, grid).mean()) < 1e-9
    assert abs(equation.tendency(np.ones((1, 16, 16)), grid)).max() < 1e-9


def test_tendency_is_that_of_the_formula():
    equation, grid = CahnHilliard(1, 0.1), Grid.cube(1, 32, points="periodic")
    k = 2 * np.pi
    c = np.cos(k * grid.coordinates()[0])
    # Δ(c³) of cos³ = (3 cos + cos 3·)/4
    c3 = np.cos(3 * k * grid.coordinates()[0])
    expected = -(k**2) * (3 * c + 9 * c3) / 4 + k**2 * c - 0.01 * k**4 * c
    np.testing.assert_allclose(equation.tendency(c[None], grid)[0], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("width", [0.0, -1.0, float("nan")])
def test_width_must_be_positive(width):
    with pytest.raises(InputError, match="width must be a number greater than 0"):
        CahnHilliard(width=width)
