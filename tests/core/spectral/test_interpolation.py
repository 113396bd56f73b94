"""Interpolation by matrices against interpolation by transforms, and against the functions themselves."""

import math

import numpy as np
import pytest
import torch

from opforge.core import resample
from opforge.core.spectral.interpolation import resampled, weights

SIZES = [
    *((8, 12), (8, 13), (7, 12), (7, 15)),
    *((12, 8), (13, 8), (12, 7), (9, 7), (97, 64)),
    *((1, 5), (2, 7), (5, 1), (6, 6), (2, 2)),
]


@pytest.mark.parametrize("points", ["periodic", "cells"])
@pytest.mark.parametrize(("n", "size"), SIZES)
def test_equals_resampling_by_transforms(n, size, points):
    x = torch.from_numpy(np.random.default_rng(n).standard_normal((2, n, 3)))
    found = resampled(x, size, 1, 0.5 if points == "cells" else 0.0)
    expected = resample(x.movedim(1, -1), (size,), points=points).movedim(-1, 1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13 * math.sqrt(n))


def test_a_wave_is_exact_in_single_precision():
    def wave(n):
        return torch.cos(2 * torch.pi * 5 * torch.arange(n, dtype=torch.float64) / n + 0.3).float()

    torch.testing.assert_close(resampled(wave(64), 100, 0, 0.0), wave(100), rtol=0, atol=1e-6)


def test_weights_of_a_constant_add_up_to_one():
    for n, size in SIZES:
        total = weights(n, size, 0.5, torch.float64, torch.device("cpu")).sum(1)
        torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-14 * n)
