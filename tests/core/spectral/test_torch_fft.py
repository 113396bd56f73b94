"""Truncated transforms axis by axis against full ones."""

import pytest
import torch

from opforge.core.spectral import fftw, torch_fft

CASES = [((9,), (3,)), ((8, 6), (2, 1)), ((7, 6, 5), (2, 1, 2))]


@pytest.mark.parametrize("engine", [torch_fft, fftw])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(("shape", "modes"), CASES)
def test_modes_are_those_of_the_full_transform(shape, modes, channels_last, engine):
    x = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    full = torch.fft.rfftn(x, dim=tuple(range(2, x.ndim)), norm="forward")
    for axis, k in enumerate(modes[:-1], 2):
        full = full.index_select(axis, torch.arange(-k, k + 1) % full.shape[axis])
    full = full[..., : modes[-1] + 1]
    rows = engine.analyse(x, modes, 0.0, channels_last)
    torch.testing.assert_close(rows, full.movedim((0, 1), (-2, -1)).contiguous(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(("shape", "modes"), CASES)
def test_a_grid_too_coarse_samples_the_field(shape, modes, channels_last):
    rows = torch.randn(
        *(2 * k + 1 for k in modes[:-1]),
        modes[-1] + 1,
        2,
        3,
        dtype=torch.complex128,
        generator=torch.Generator().manual_seed(0),
    )
    coarse = tuple(2 for _ in shape)
    fine = torch_fft.synthesise(rows, modes, tuple(6 for _ in shape), 0.0, channels_last)
    step = (..., *(slice(None, None, 3) for _ in shape))
    y = torch_fft.synthesise(rows, modes, coarse, 0.0, channels_last)
    torch.testing.assert_close(y, fine[step], rtol=1e-12, atol=1e-12)


def test_pieces():
    spectrum = torch.arange(8.0)
    kept = torch_fft.keep(spectrum, 2, 0)
    assert kept.tolist() == [6, 7, 0, 1, 2]
    assert torch_fft.fill(kept, 2, 0, 8).tolist() == [0, 1, 2, 0, 0, 0, 6, 7]
    assert torch_fft.fine_enough((8, 4, 3), (3, 3, 3)) == [8, 8, 9]
