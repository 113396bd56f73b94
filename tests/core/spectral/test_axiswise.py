"""The sum of one-dimensional convolutions: what it does to plane waves, and its layouts."""

import math

import pytest
import torch

from opforge.core import spectral_conv
from tests.core.spectral.reference import BACKENDS, random_weight


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_wave_along_one_axis_meets_that_axis_weight_and_the_other_means(backend):
    modes, points = (2, 3), 9
    weights = random_weight("axis", modes, (1, 1))
    theta = 2 * math.pi * torch.arange(points, dtype=torch.float64) / points
    x = torch.cos(2 * theta)[:, None].expand(points, 8).reshape(1, 1, points, 8)
    y = spectral_conv(x, weights, modes, kind="axis", backend=backend)
    first = torch.view_as_complex(weights[0])[2, 0, 0]
    second = torch.view_as_complex(weights[1])[0, 0, 0]  # constant along the second axis: its mode 0
    expected = (first * torch.exp(2j * theta)).real + second.real * torch.cos(2 * theta)
    torch.testing.assert_close(y[0, 0], expected[:, None].expand(points, 8), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_layout_and_lines_do_not_matter(backend):
    x = torch.randn(2, 4, 7, 6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = random_weight("axis", (2, 1, 2))
    y = spectral_conv(x, weights, (2, 1, 2), kind="axis", backend=backend)
    last = x.movedim(1, -1).contiguous().movedim(-1, 1)
    torch.testing.assert_close(
        spectral_conv(last, weights, (2, 1, 2), kind="axis", backend=backend), y, rtol=1e-12, atol=1e-12
    )
    turned = spectral_conv(x.transpose(2, 4), weights[::-1], (2, 1, 2), kind="axis", backend=backend)
    torch.testing.assert_close(turned, y.transpose(2, 4), rtol=1e-12, atol=1e-12)
