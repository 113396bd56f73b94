"""Kept modes and resampling: exactness on band-limited fields, in every sign quadrant and between any two grids."""

import itertools
import math

import numpy as np
import pytest
import torch

from opforge.core import Grid, irfftn_modes, resample, rfftn_modes
from opforge.errors import InputError
from tests.core.spectral.reference import BACKENDS

GRIDS = [(8,), (9,), (17,), (8, 8), (9, 12), (11, 7), (24, 16), (7, 8, 9), (12, 9, 7)]


def wave(shape, k, points, phase=0.3):
    """cos(2πk·x + phase) at the points of a grid."""
    mesh = Grid(shape, points=points).mesh()
    return torch.from_numpy(np.cos(2 * np.pi * sum(k_i * x for k_i, x in zip(k, mesh, strict=True)) + phase))


@pytest.mark.parametrize("points", ["periodic", "cells"])
@pytest.mark.parametrize("shape", GRIDS)
def test_resamples_band_limited_fields_exactly(shape, points):
    others = [s for s in GRIDS if len(s) == len(shape)]
    for k in itertools.product((-3, 0, 2), repeat=len(shape)):
        field = wave(shape, k, points)
        for other in others:
            expected = wave(other, k, points)
            torch.testing.assert_close(resample(field, other, points=points), expected, rtol=0, atol=1e-12)
            np.testing.assert_allclose(
                resample(field.numpy(), other, points=points), expected.numpy(), rtol=0, atol=1e-12
            )


def test_a_finer_grid_passes_through_the_values():
    x = torch.randn(3, 8, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(resample(x, (24, 12))[:, ::3, ::2], x, rtol=0, atol=1e-13)
    torch.testing.assert_close(resample(x, (8, 6)), x, rtol=0, atol=0)
    torch.testing.assert_close(resample(x, (24, 18), points="cells")[:, 1::3, 1::3], x, rtol=0, atol=1e-13)


def test_a_coarser_grid_keeps_the_mean_and_drops_what_it_cannot_carry():
    x = wave((32,), (7,), "periodic") + 2.0
    torch.testing.assert_close(resample(x, (8,)), torch.full((8,), 2.0, dtype=torch.float64), rtol=0, atol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("points", ["periodic", "cells"])
@pytest.mark.parametrize("shape", GRIDS)
def test_coefficients_belong_to_the_function_not_to_the_grid(shape, points, backend):
    modes = (3,) * len(shape)
    for k in itertools.product((-3, 1), repeat=len(shape)):
        if k[-1] < 0:
            continue
        spectrum = rfftn_modes(wave(shape, k, points), modes, points=points, backend=backend)
        expected = torch.zeros_like(spectrum)
        index = (*(k_i + 3 for k_i in k[:-1]), k[-1])
        expected[index] = 0.5 * torch.tensor([math.cos(0.3), math.sin(0.3)], dtype=torch.float64)
        torch.testing.assert_close(spectrum, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", GRIDS)
def test_round_trip_on_any_grid_and_axes(shape, backend):
    d = len(shape)
    modes = tuple(range(1, d + 1))
    field = sum(wave(shape, k, "periodic") for k in itertools.product((-1, 0, 1), repeat=d))
    batch = torch.stack([field, 2 * field], 1) if d > 1 else torch.stack([field, 2 * field], -1)
    dim = (0, *range(2, d + 1))
    spectrum = rfftn_modes(batch, modes, dim, backend=backend)
    assert spectrum.shape[-1] == 2
    back = irfftn_modes(spectrum, shape, dim, backend=backend)
    torch.testing.assert_close(back, batch, rtol=0, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_part_that_is_no_real_field_is_dropped(backend):
    spectrum = torch.zeros(3, 2, 2, dtype=torch.float64)
    spectrum[0, 0] = torch.tensor([1.0, 2.0])  # mode (−1, 0) without its partner (1, 0)
    field = irfftn_modes(spectrum, (8, 8), backend=backend)
    again = rfftn_modes(field, (1, 1), backend=backend)
    torch.testing.assert_close(again[0, 0], torch.tensor([0.5, 1.0], dtype=torch.float64), rtol=0, atol=1e-14)
    torch.testing.assert_close(again[2, 0], torch.tensor([0.5, -1.0], dtype=torch.float64), rtol=0, atol=1e-14)


def test_float32_keeps_its_precision():
    x = torch.randn(2, 64, 48, generator=torch.Generator().manual_seed(0))
    for backend in BACKENDS:
        single = rfftn_modes(x, (20, 20), backend=backend)
        double = rfftn_modes(x.double(), (20, 20), backend="torch")
        assert single.dtype == torch.float32
        torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-5 * double.abs().max().item())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rfftn_modes(torch.ones(8, 8), (4, 3)), r"modes must be .* at most \(3, 3\)"),
        (lambda: rfftn_modes(torch.ones(8), (2,), (1,)), "dim must name 1 distinct axes"),
        (lambda: rfftn_modes(torch.ones(8), (2,), backend="fft"), "unknown backend 'fft'"),
        (lambda: rfftn_modes(np.ones(8), (2,)), "x must be a torch tensor, got ndarray"),
        (lambda: irfftn_modes(torch.ones(4, 3, 2), (8, 8)), r"spectrum must hold 2K \+ 1 modes"),
        (lambda: irfftn_modes(torch.ones(3, 3), (8,)), "trailing axis of size 2"),
        (lambda: resample(torch.ones(8), (8, 8)), "shape must have from one to as many sizes"),
        (lambda: resample(torch.ones(8), (0,)), "shape needs one size of at least 1"),
        (lambda: resample(torch.ones(8), ()), "shape must have from one to as many sizes"),
        (lambda: rfftn_modes(torch.ones(8), ()), "modes or shape needs one value for each axis"),
        (lambda: irfftn_modes(torch.ones(4, 2), ()), "modes or shape needs one value for each axis"),
        (lambda: rfftn_modes(torch.ones(8, 8), (2,), "x"), "dim must be a whole number or a sequence of them"),
        (lambda: resample(torch.ones(8, dtype=torch.int64), (4,)), "float32 or float64"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
