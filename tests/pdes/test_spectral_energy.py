"""Integrals by Fourier coefficients, against closed forms, for even and odd numbers of points."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.pdes._spectral_energy import gradient_energy, mean_over_points


@pytest.mark.parametrize("shape", [(8, 6), (9, 7), (8, 7)])
def test_gradient_energy_of_waves(shape):
    grid = Grid(shape, (1.0, 3.0), "periodic")
    x, y = grid.mesh()
    u = 1.5 + np.cos(2 * np.pi * x) * np.sin(2 * np.pi * y / 3)
    expected = ((2 * np.pi) ** 2 + (2 * np.pi / 3) ** 2) / 8
    np.testing.assert_allclose(gradient_energy(np.stack([u, 2 * u]), grid), [expected, 4 * expected], rtol=1e-12)
    np.testing.assert_allclose(mean_over_points(u, grid), 1.5)
