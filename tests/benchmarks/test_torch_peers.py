"""The torch.fft contestants compute opforge's function, or what is said of them."""

import math

import pytest
import torch

from opforge.benchmarks import torch_peers
from opforge.core import mode_shape, spectral_conv

GRIDS = [
    ((16,), (5,)),
    ((12, 9), (4, 3)),
    ((9, 12), (4, 5)),
    ((11, 7), (5, 3)),
    ((6, 7, 8), (2, 3, 3)),
    ((8, 8), (0, 2)),
]
WAYS = {
    "einsum": (torch_peers.spectral_einsum, torch_peers.einsum_weight),
    "bmm": (torch_peers.spectral_bmm, torch_peers.bmm_weight),
    "by axis": (torch_peers.spectral_by_axis, torch_peers.bmm_weight),
}


def problem(grid, modes):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, *grid, dtype=torch.float64, generator=generator)
    weight = torch.randn(*mode_shape(modes), 3, 4, 2, dtype=torch.float64, generator=generator)
    return x, weight, torch.randn(4, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("grid", "modes"), GRIDS)
def test_same_function_as_opforge(way, grid, modes):
    x, weight, bias = problem(grid, modes)
    function, layout = WAYS[way]
    expected = spectral_conv(x, weight, modes, bias=bias, backend="torch")
    torch.testing.assert_close(function(x, layout(weight), bias, modes), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("grid", "modes"), GRIDS)
def test_corners_hold_every_kept_mode_once(grid, modes):
    rows = [torch.fft.fftfreq(n, 1 / n) for n in grid[:-1]] + [torch.fft.rfftfreq(grid[-1], 1 / grid[-1])]
    spectrum = torch.stack(torch.meshgrid(*rows, indexing="ij"), -1)
    weights = torch.stack(
        torch.meshgrid(*(torch.arange(-k, k + 1.0) for k in modes[:-1]), torch.arange(modes[-1] + 1.0), indexing="ij"),
        -1,
    )
    seen = []
    for place, where in torch_peers.corners(modes, grid):
        torch.testing.assert_close(spectrum[place], weights[where], rtol=0, atol=1e-6)
        seen += [tuple(k) for k in weights[where].flatten(0, -2).tolist()]
    assert len(seen) == len(set(seen)) == math.prod(mode_shape(modes))


def test_late_changes_odd_leading_axes_alone():
    for grid, changed in (((8, 9), False), ((9, 8), True), ((8, 9, 8), True)):
        modes = (2,) * len(grid)
        x, weight, bias = problem(grid, modes)
        weight = torch_peers.einsum_weight(weight)
        late = torch_peers.spectral_einsum(x, weight, bias, modes, late=True)
        assert torch.equal(late, torch_peers.spectral_einsum(x, weight, bias, modes)) != changed


@pytest.mark.parametrize(("length", "taps", "size"), [(16, 16, 32), (16, 3, 32), (16, 3, 19)])
def test_padded_convolution_is_causal(length, taps, size):
    generator = torch.Generator().manual_seed(0)
    u = torch.randn(2, 3, length, dtype=torch.float64, generator=generator)
    k = torch.randn(3, taps, dtype=torch.float64, generator=generator)
    expected = torch.zeros_like(u)
    for lag in range(taps):
        expected[..., lag:] += k[:, lag : lag + 1] * u[..., : length - lag]
    torch.testing.assert_close(torch_peers.padded_convolution(u, k, size), expected, rtol=0, atol=1e-12)


def test_padded_convolution_drops_modes():
    u = torch.randn(1, 1, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    impulse = torch.zeros(1, 8, dtype=torch.float64)
    impulse[0, 0] = 1.0
    # Of an impulse nothing is left but the kept part of the padded signal's spectrum.
    spectrum = torch.fft.rfft(u, n=16)
    spectrum[..., 3:] = 0
    expected = torch.fft.irfft(spectrum, n=16)[..., :8]
    torch.testing.assert_close(torch_peers.padded_convolution(u, impulse, 16, 3), expected, rtol=0, atol=1e-12)
