"""Diffusion with sorption: retardation, ends, what is refused."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import DiffusionSorption


def test_retardation_of_numpy_and_torch():
    u = np.array([1e-9, 0.1, 0.5, 1.0])
    found = DiffusionSorption().retardation(u)
    np.testing.assert_allclose(found[1:], 1 + 0.71 / 0.29 * 2880 * 3.5e-4 * 0.874 * u[1:] ** -0.126, rtol=1e-12)
    assert np.isfinite(found[0])
    np.testing.assert_allclose(DiffusionSorption().retardation(torch.from_numpy(u)).numpy(), found, rtol=1e-14)
    assert np.ptp(DiffusionSorption(exponent=1.0).retardation(u)) == 0


def test_a_line_that_meets_both_ends_is_at_rest():
    """D u_x + u = 0 at x = 1 and u(0) = 1: u = 1 − x/(1 + D)."""
    grid, equation = Grid((20,)), DiffusionSorption(diffusivity=0.3)
    u = 1 - grid.coordinates()[0] / 1.3
    assert np.abs(equation.tendency(u[None], grid)).max() < 1e-12


@pytest.mark.parametrize("name", ["diffusivity", "porosity", "bulk_density", "isotherm", "exponent"])
def test_parameters_must_be_positive(name):
    with pytest.raises(InputError, match=f"{name} must be a number greater than 0"):
        DiffusionSorption(**{name: 0.0})


def test_porosity_is_a_part():
    with pytest.raises(InputError, match=r"porosity must lie between 0 and 1, got 1\.2"):
        DiffusionSorption(porosity=1.2)
