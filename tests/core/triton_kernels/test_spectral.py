"""The fused transforms against torch.fft in double precision, through Triton's interpreter where no GPU is."""

import math

import pytest
import torch
from torch.autograd import gradgradcheck

from opforge.core import mode_shape, rfftn_modes, spectral_conv
from opforge.core.triton_kernels import spectral
from tests.core.triton_kernels.derivatives import assert_same_derivatives

# odd, prime, non-square; a side longer than a block; no modes along an axis; more modes than a matrix unit takes
CASES = [
    ((16,), (5,)),
    ((9,), (0,)),
    ((12, 10), (3, 4)),
    ((7, 13), (3, 2)),
    ((8, 9), (0, 3)),
    ((67, 70), (9, 0)),
    ((6, 5, 4), (1, 2, 1)),
    ((5, 3, 6), (0, 1, 2)),
]


def random_case(shape, modes, device, *, dtype=torch.float64, channels=(3, 2)):
    generator = torch.Generator().manual_seed(0)

    def random(*sizes):
        return torch.randn(*sizes, generator=generator, dtype=torch.float64).to(device, dtype)

    return random(2, channels[0], *shape), random(*mode_shape(modes), *channels, 2)


def convolve(x, weight, modes, out_shape=None, points="periodic", channels_last=False):
    """The spectral convolution from the three kernels."""
    offset = {"periodic": 0.0, "cells": 0.5}[points]
    rows = spectral.analyse(x, modes, offset, channels_last)
    mixed = spectral.product(rows.flatten(0, len(modes) - 1), weight.flatten(0, len(modes) - 1))
    mixed = mixed.unflatten(0, mode_shape(modes))
    return spectral.synthesise(mixed, modes, x.shape[2:] if out_shape is None else out_shape, offset, channels_last)


@pytest.mark.parametrize("points", ["periodic", "cells"])
@pytest.mark.parametrize(("shape", "modes"), CASES)
def test_equals_torch_fft(triton_device, shape, modes, points):
    x, weight = random_case(shape, modes, triton_device)
    out_shape = tuple(n + 3 if points == "cells" else n for n in shape)
    expected = spectral_conv(x, weight, modes, out_shape, points=points, backend="torch")
    y = convolve(x, weight, modes, out_shape, points)
    torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)
    single = convolve(x.float(), weight.float(), modes, out_shape, points)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single, expected.float(), rtol=0, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize("points", ["periodic", "cells"])
@pytest.mark.parametrize(("shape", "modes"), [((9,), (4,)), ((7, 6), (3, 2)), ((4, 5, 3), (1, 2, 1))])
def test_coefficients_stand_as_rfftn_modes_has_them(triton_device, shape, modes, points):
    x, _ = random_case(shape, modes, triton_device)
    rows = spectral.analyse(x, modes, {"periodic": 0.0, "cells": 0.5}[points], False)  # (*modes, 2, batch, channels)
    expected = rfftn_modes(x, modes, points=points, backend="torch")  # (batch, channels, *modes, 2)
    torch.testing.assert_close(rows.movedim((-2, -1), (0, 1)), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("shape", "modes"), [((9,), (3,)), ((7, 6), (1, 2)), ((34, 33), (8, 0)), ((4, 3, 5), (1, 0, 1))]
)
def test_first_and_second_derivatives_equal_those_of_torch_fft(triton_device, shape, modes):
    inputs = [t.requires_grad_() for t in random_case(shape, modes, triton_device)]
    out_shape = tuple(n + 1 for n in shape)
    assert_same_derivatives(
        lambda x, w: convolve(x, w, modes, out_shape),
        lambda x, w: spectral_conv(x, w, modes, out_shape, backend="torch"),
        inputs,
    )


def test_analysis_and_synthesis_of_the_same_scale_are_adjoint(triton_device):
    from opforge.core.triton_kernels._spectral_operations import analyse_fields, synthesise_fields

    x = torch.randn(3, 4, 6, 5, dtype=torch.float64, device=triton_device)
    rows = torch.randn(3 * 5 * 3, 2, 3, dtype=torch.float64, device=triton_device)
    for mean in (False, True):
        there = analyse_fields(x, 1, 2, 2, 0.5, mean)
        back = synthesise_fields(rows, 1, 2, 2, 4, 6, 5, 0.5, mean)
        torch.testing.assert_close((there * rows).sum(), (x * back).sum(), rtol=1e-12, atol=0)


def test_commutes_with_shifts(triton_device):
    x, weight = random_case((7, 10), (3, 4), triton_device)
    shifted = convolve(x.roll((2, 3), (2, 3)), weight, (3, 4))
    torch.testing.assert_close(shifted, convolve(x, weight, (3, 4)).roll((2, 3), (2, 3)), rtol=1e-12, atol=1e-12)


def test_memory_layout_and_batch_do_not_matter(triton_device):
    modes = (3, 4)
    x, weight = random_case((12, 10), modes, triton_device)
    expected = convolve(x, weight, modes)
    channels_last = x.movedim(1, -1).contiguous().movedim(-1, 1)
    y = convolve(channels_last, weight, modes, channels_last=True)
    assert y.movedim(1, -1).is_contiguous()
    wide = torch.stack([x, x], -1)[..., 0]
    for other in (y, convolve(wide, weight, modes)):
        torch.testing.assert_close(other, expected, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(convolve(x[1:], weight, modes), expected[1:], rtol=1e-13, atol=1e-13)
    assert convolve(x[:0], weight, modes).shape == (0, *expected.shape[1:])


def test_nan_stays_in_its_sample(triton_device):
    x, weight = random_case((8, 6), (3, 2), triton_device)
    x[0, 0, 1, 1] = math.nan
    y = convolve(x, weight, (3, 2))
    assert y[0].isnan().all()
    assert y[1].isfinite().all()


@pytest.mark.parametrize("conjugate", [(False, True), (True, False), (True, True)])
def test_products_of_conjugates_and_their_derivatives(triton_device, conjugate):
    from opforge.core.triton_kernels._pair_product import pair_bmm

    a = torch.randn(1, 3, 4, 2, dtype=torch.float64, device=triton_device, requires_grad=True)
    b = torch.randn(1, 4, 5, 2, dtype=torch.float64, device=triton_device, requires_grad=True)
    factors = [
        torch.view_as_complex(t).conj() if c else torch.view_as_complex(t)
        for t, c in zip((a, b), conjugate, strict=True)
    ]
    expected = torch.view_as_real((factors[0] @ factors[1]).resolve_conj())
    torch.testing.assert_close(pair_bmm(a, b, *conjugate, "npr2"), expected, rtol=1e-12, atol=1e-12)
    strided = pair_bmm(a, b, *conjugate, "2pnr")
    torch.testing.assert_close(strided, expected, rtol=1e-12, atol=1e-12)
    assert strided.permute(3, 1, 0, 2).is_contiguous()
    assert gradgradcheck(lambda a, b: pair_bmm(a, b, *conjugate, "n2pr"), (a, b), fast_mode=True)


def test_compiles_into_one_graph(triton_device):
    modes = (0, 1, 1)
    x, weight = random_case((4, 5, 6), modes, triton_device)
    compiled = torch.compile(lambda x, w: convolve(x, w, modes), fullgraph=True, backend="aot_eager")
    for batch in (2, 3):  # the second makes the batch a symbol
        inputs = [torch.cat([x, x])[:batch].clone().requires_grad_(), weight.clone().requires_grad_()]
        found, expected = compiled(*inputs), convolve(*inputs, modes)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
        found, expected = (torch.autograd.grad(y.square().sum(), inputs) for y in (found, expected))
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)


def test_operators_declare_what_they_do(triton_device):
    from opforge.core.triton_kernels._pair_product import pair_bmm
    from opforge.core.triton_kernels._spectral_operations import analyse_fields, synthesise_fields

    x = torch.randn(2, 1, 5, 4, device=triton_device, requires_grad=True)
    rows = torch.randn(5 * 2, 2, 2, device=triton_device, requires_grad=True)
    a = torch.randn(1, 2, 3, 2, device=triton_device, requires_grad=True)
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(analyse_fields, (x, 0, 2, 1, 0.0, True), test_utils=tests)
    torch.library.opcheck(synthesise_fields, (rows, 0, 2, 1, 1, 6, 5, 0.0, False), test_utils=tests)
    torch.library.opcheck(pair_bmm, (a, a.transpose(1, 2), False, True, "n2pr"), test_utils=tests)


def test_stated_errors_of_inexact_products(triton_device, monkeypatch):
    if triton_device != "cpu":
        pytest.skip("matrix units are imitated in the interpreter only")
    from opforge.core.triton_kernels import _pair_product, _spectral_kernels
    from tests.core.triton_kernels import matrix_units

    modes = (3, 3)
    x, weight = random_case((32, 32), modes, "cpu")
    expected = spectral_conv(x, weight, modes, backend="torch")
    for name, least, most in matrix_units.UNITS:
        for module in (_pair_product, _spectral_kernels):
            monkeypatch.setattr(module, "dot", getattr(matrix_units, name))
        error = (convolve(x.float(), weight.float(), modes) - expected).norm() / expected.norm()
        assert least < error < most, name


def test_kernels_with_too_much_to_hold_are_refused(monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert spectral.why_not((256, 256), (16, 16), torch.float32) == ""
    assert "more than 63 modes" in spectral.why_not((256, 256), (64, 16), torch.float32)
    assert "more than 31 modes" in spectral.why_not((256, 256), (16, 32), torch.float64)
    assert spectral.why_not((256, 64, 64), (100, 16, 16), torch.float32) == ""
    assert "one to three axes" in spectral.why_not((8, 8, 8, 8), (1, 1, 1, 1), torch.float32)
    assert "got torch.float16" in spectral.why_not((8,), (1,), torch.float16)
    monkeypatch.delenv("TRITON_INTERPRET")
    assert "need a GPU" in spectral.why_not((8,), (1,), torch.float32, "cpu")
