"""The matrices of one axis: exact angles, and the same when a graph is traced."""

import math

import numpy as np
import pytest
import torch

from opforge.core.spectral import fourier_matrices
from opforge.core.spectral.fourier_matrices import angles, matrix

CPU = torch.device("cpu")


def test_angles_are_reduced_before_they_are_rounded():
    n, k, j = 4096, 2047, 4095
    exact = 2 * math.pi * ((k * j) % n) / n
    assert angles(n, k, 0.0)[k, j] == pytest.approx(exact, rel=1e-15)
    # half a spacing off the corner
    assert angles(3, 1, 0.5)[1].tolist() == pytest.approx([math.pi / 3, math.pi, 5 * math.pi / 3], rel=1e-15)


@pytest.mark.parametrize("offset", [0.0, 0.5])
@pytest.mark.parametrize(("n", "modes"), [(8, 3), (9, 4), (1, 0), (97, 12)])
def test_synthesis_inverts_analysis_on_what_the_modes_carry(n, modes, offset):
    there = matrix(n, modes, offset, "analysis", torch.float64, CPU)
    back = matrix(n, modes, offset, "last", torch.float64, CPU)
    coefficients = torch.randn(2 * (modes + 1), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    coefficients[modes + 1] = 0  # the sine of mode 0 is none
    torch.testing.assert_close(there @ (back.T @ coefficients), coefficients, rtol=1e-12, atol=1e-12)


def test_leading_axes_are_not_scaled():
    leading = matrix(8, 3, 0.0, "leading", torch.float64, CPU)
    analysis = matrix(8, 3, 0.0, "analysis", torch.float64, CPU)
    torch.testing.assert_close(leading, 8 * analysis, rtol=1e-15, atol=0)
    theta = 2 * np.pi * np.arange(4)[:, None] * np.arange(8) / 8
    np.testing.assert_allclose(leading, np.concatenate([np.cos(theta), -np.sin(theta)]), atol=1e-14)


@pytest.mark.parametrize("weights", ["analysis", "leading", "last"])
@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_the_traced_form_is_the_same(weights, offset):
    arguments = (11, 4, offset, weights, torch.float64, CPU)
    traced = fourier_matrices._traced(*arguments)
    torch.testing.assert_close(traced, matrix(*arguments), rtol=1e-14, atol=1e-14)
