"""The spectral convolution as a layer."""

import pytest
import torch

from opforge.core import Grid, resample
from opforge.errors import InputError
from opforge.layers import SpectralConv


@pytest.mark.parametrize(("shape", "modes"), [((16,), (4,)), ((12, 9), (3, 4)), ((8, 6, 7), (2, 1, 3))])
def test_keeps_the_variance_of_smooth_fields(shape, modes):
    torch.manual_seed(0)
    field = resample(torch.randn(200, 16, *(2 * k + 1 for k in modes)), shape)
    field = field - field.mean(dim=tuple(range(2, field.ndim)), keepdim=True)
    with torch.no_grad():
        ratio = SpectralConv(16, 16, modes)(field).var() / field.var()
    assert 0.7 < ratio < 1.4, ratio


def test_the_bias_is_the_mean_of_the_output():
    torch.manual_seed(0)
    layer = SpectralConv(2, 3, (2, 2))
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([1.0, -2.0, 0.5]))
    x = torch.randn(4, 2, 8, 9)
    x = x - x.mean(dim=(2, 3), keepdim=True)
    means = layer(x).mean(dim=(2, 3))
    torch.testing.assert_close(means, layer.bias.expand(4, 3), rtol=0, atol=1e-6)


def test_out_shape_samples_the_same_function_on_cells():
    torch.manual_seed(0)
    layer = SpectralConv(1, 1, (2,), points="cells").double()
    phase = 2 * torch.pi * torch.from_numpy(Grid((10,)).coordinates()[0])
    x = torch.cos(2 * phase)[None, None]
    coarse, fine = layer(x), layer(x, out_shape=(30,))
    torch.testing.assert_close(fine[..., 1::3], coarse, rtol=1e-12, atol=1e-12)


def test_parameters_are_real():
    assert all(p.dtype == torch.float32 and not p.is_complex() for p in SpectralConv(2, 3, (2, 2)).parameters())
    assert SpectralConv(2, 3, (2, 2), bias=False).bias is None


def test_autocast_leaves_it_in_single_precision():
    torch.manual_seed(0)
    layer, x = SpectralConv(2, 3, (2, 2)), torch.randn(1, 2, 8, 8)
    expected = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(layer(x), expected, rtol=0, atol=0)
        half = layer(x.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half, layer(x.bfloat16().float()).bfloat16(), rtol=0, atol=0)


def test_half_computes_in_bfloat16_when_asked():
    torch.manual_seed(0)
    layer, x = SpectralConv(4, 4, (5, 5), reduced_precision=True), torch.randn(2, 4, 32, 32)
    expected = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.float32
    error = ((y - expected).norm() / expected.norm()).item()
    assert 1e-3 < error < 1e-2  # what the docstring states; float32 has 1e-7
    assert layer(x.bfloat16()).dtype == torch.bfloat16
    y.square().sum().backward()
    assert layer.weight.grad.dtype == torch.float32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1, (2,)), "in_channels must be at least 1, got 0"),
        ((1, 0, (2,)), "out_channels must be at least 1, got 0"),
        ((1, 1, (2, -1)), "modes must be 1 to 3 numbers"),
        ((1, 1, (2, 2, 2, 2)), "modes must be 1 to 3 numbers"),
    ],
)
def test_wrong_input_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        SpectralConv(*arguments)


def test_a_grid_too_coarse_for_the_modes_is_refused():
    with pytest.raises(InputError, match=r"modes must be .* at most \(3,\) .* use a finer grid"):
        SpectralConv(1, 1, (4,))(torch.randn(1, 1, 8))
