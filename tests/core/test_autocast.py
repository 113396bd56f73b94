"""Operations compute in the precision of their arguments under autocast."""

import pytest
import torch
import torch.nn.functional as F

from opforge.core import conv_nd, fft_conv, fourier_layer, irfftn_modes, mode_shape, rfftn_modes, spectral_conv
from opforge.core.autocast import without_autocast
from opforge.models import FNO


def operations(x):
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(*mode_shape((2, 2)), 3, 3, 2, generator=generator)
    matrix, kernel = torch.randn(3, 3, generator=generator), torch.randn(3, 3, 3, 3, generator=generator)
    for backend in ("gemm", "torch", "fftw"):
        yield spectral_conv(x, weight, (2, 2), backend=backend)
        yield irfftn_modes(rfftn_modes(x, (2, 2), backend=backend), (6, 7), backend=backend)
    yield fourier_layer(x, weight, matrix, (2, 2), before=F.gelu, backend="gemm")
    yield fourier_layer(x.detach(), weight, matrix, (2, 2), backend="gemm")
    for backend in ("direct", "fft"):
        yield conv_nd(x, kernel, backend=backend)
    for backend in ("fft", "direct", "monarch"):
        yield fft_conv(x, torch.randn(3, 5, generator=generator), backend=backend)


def test_results_do_not_depend_on_it():
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    expected = list(operations(x))
    with torch.autocast("cpu", torch.bfloat16):
        found = list(operations(x))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_activations_that_autocast_rounded_are_raised():
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).bfloat16().requires_grad_()
    expected = list(operations(x.float()))
    with torch.autocast("cpu", torch.bfloat16):
        found = list(operations(x))
        (gradient,) = torch.autograd.grad(found[0].square().sum(), x)
    assert gradient.dtype == torch.bfloat16 and gradient.isfinite().all()
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_half_precision_for_all_is_kept():
    x, weight = torch.randn(2, 3, 8, 8).bfloat16(), torch.randn(*mode_shape((2, 2)), 3, 3, 2).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        assert spectral_conv(x, weight, (2, 2)).dtype == torch.bfloat16


@pytest.mark.parametrize("before", [None, F.gelu])
def test_backward_passes_inside_the_block(before):
    generator = torch.Generator().manual_seed(0)
    sizes = ((2, 3, 8, 8), (*mode_shape((2, 2)), 3, 3, 2), (3, 3), (3,))
    x, weight, matrix, bias = inputs = [torch.randn(s, generator=generator).requires_grad_() for s in sizes]

    def gradients():
        y = fourier_layer(x, weight, matrix, (2, 2), bias=bias, before=before, backend="gemm")
        return torch.autograd.grad(y.square().sum(), inputs)

    expected = gradients()
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(gradients(), expected, rtol=0, atol=0)


def test_a_model_trains_inside_the_block():
    model, x = FNO(1, 1, (3, 3), width=4, depth=2), torch.randn(2, 1, 8, 8)
    expected = torch.autograd.grad(model(x).square().sum(), list(model.parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        found = torch.autograd.grad(model(x).float().square().sum(), list(model.parameters()))
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        assert (a - b).norm() < 0.05 * b.norm()  # the projection at each point follows autocast


def test_functions_without_tensors_are_left_alone():
    assert without_autocast(lambda a, b=1: (a, b))(2, b=3) == (2, 3)
