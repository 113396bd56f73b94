"""The direct solution of the Helmholtz equation."""

import numpy as np

from opforge.core import Grid
from opforge.pdes import Helmholtz
from opforge.solvers import solve_helmholtz


def test_a_wave_leaves_a_source_on_both_sides():
    grid, f = Grid((400,)), np.zeros(400)
    f[200] = 400.0
    real, imag, residual = solve_helmholtz(Helmholtz(1, 20.0), {"f": f}, grid)
    assert residual < 1e-10
    # u = e^{ik|x|}/(2ik)
    away = np.abs(grid.coordinates()[0] - grid.coordinates()[0][200])
    exact = np.exp(20j * away) / 40j
    inside = slice(80, 320)
    np.testing.assert_allclose((real + 1j * imag)[inside], exact[inside], rtol=0, atol=0.02 * abs(exact[0]))
