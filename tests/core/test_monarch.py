"""Transforms by small matrices: equal to torch.fft at every length that splits, in real arithmetic."""

import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.utils._python_dispatch import TorchDispatchMode

from opforge.core import monarch
from opforge.errors import InputError

SPLITS = [(1,), (6,), (7,), (3, 2), (4, 3, 5), (16, 16), (5, 3, 2, 2)]
LENGTHS = [1, 2, 5, 12, 15, 127, 210, 243, 1000, 2048]


def pairs(x):
    return torch.stack([x.real, x.imag], -2)


def random(*shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


def reference(u, k, length, n_out, keep_modes=None):
    spectrum = torch.fft.rfft(u, n=length) * torch.fft.rfft(k, n=length)
    if keep_modes is not None:
        spectrum = spectrum * (torch.arange(length // 2 + 1) <= keep_modes)
    return torch.fft.irfft(spectrum, n=length)[..., :n_out]


@pytest.mark.parametrize("split", SPLITS)
def test_is_the_fourier_transform_in_another_order(split):
    n = math.prod(split)
    x = torch.complex(random(2, 3, n), random(2, 3, n).flip(0))
    spectrum = monarch.monarch_dft(pairs(x), split)
    assert spectrum.shape == (2, 3, *split[:-1], 2, split[-1])
    places = monarch.frequencies(split)
    assert sorted(places.flatten().tolist()) == list(range(n))
    expected = torch.fft.fft(x)[..., places]
    torch.testing.assert_close(spectrum, pairs(expected), rtol=0, atol=1e-12 * math.sqrt(n))
    torch.testing.assert_close(monarch.monarch_dft(spectrum, split, inverse=True), pairs(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("split", SPLITS)
def test_conserves_energy(split):
    x = random(2, math.prod(split))
    energy = monarch.monarch_dft(x, split).square().sum() / math.prod(split)
    torch.testing.assert_close(energy, x.square().sum(), rtol=1e-13, atol=0)


def test_factors_multiply_to_the_length():
    for length in (*range(1, 300), 1024, 4096, 65536, 2**20, 3**9, 127 * 113):
        split = monarch.factors(length)
        largest = max(split, default=0)
        assert largest <= monarch.LARGEST_FACTOR
        assert math.prod(split) == (length if split else 1)
        assert bool(split) == (monarch.why_not(length) == "")
        assert split == tuple(sorted(split, reverse=True))
    assert monarch.why_not(131 * 4) == "length 524 has a prime factor above 128"


@pytest.mark.parametrize("n", [1, 2, 3, 100, 129, 1025, 2047, 131, 30_011])
def test_good_lengths_are_near_and_split(n):
    length = monarch.good_length(n)
    assert n <= length <= 2 * n
    assert monarch.why_not(length) == ""


@pytest.mark.parametrize("length", LENGTHS)
def test_convolution_equals_torch_fft(length):
    half = max(length // 2, 1)
    for n, m, n_out in ((length, length, length), (half, half, half), (half, length, max(length - 1, 1))):
        u, k = random(2, 3, n), random(3, m)
        for keep_modes in (None, 0, length // 8, length // 3, length):
            expected = reference(u, k, length, n_out, keep_modes)
            scale = expected.abs().max().item()
            y = monarch.conv(u, k, length, n_out, keep_modes=keep_modes)
            torch.testing.assert_close(y, expected, rtol=0, atol=1e-12 * scale)
            single = monarch.conv(u.float(), k.float(), length, n_out, keep_modes=keep_modes)
            assert single.dtype == torch.float32
            torch.testing.assert_close(single, expected.float(), rtol=0, atol=1e-5 * scale)


def test_convolution_is_the_sum_over_the_kernel():
    u, k = random(2, 3, 9), random(3, 4)
    expected = sum(k[:, lag, None] * u.roll(lag, -1) for lag in range(4))
    torch.testing.assert_close(monarch.conv(u, k, 9), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("keep_modes", [None, 2])
@pytest.mark.parametrize("length", [7, 12])
def test_first_and_second_derivatives(length, keep_modes):
    inputs = (random(1, 2, length - 1).requires_grad_(), random(2, 3).requires_grad_())
    assert gradcheck(lambda u, k: monarch.conv(u, k, length, length - 2, keep_modes=keep_modes), inputs)
    assert gradgradcheck(lambda u, k: monarch.conv(u, k, length, length - 2, keep_modes=keep_modes), inputs)


def test_several_stages_have_derivatives():
    inputs = (random(1, 1, 150).requires_grad_(), random(1, 20).requires_grad_())
    assert len(monarch.factors(210)) > 1
    assert gradcheck(lambda u, k: monarch.conv(u, k, 210, 150), inputs, fast_mode=True)
    assert gradgradcheck(lambda u, k: monarch.conv(u, k, 210, 150), inputs, fast_mode=True)


def test_commutes_with_shifts_around_the_circle():
    u, k = random(2, 3, 210), random(3, 210)
    y = monarch.conv(u, k, 210)
    torch.testing.assert_close(monarch.conv(u.roll(5, -1), k, 210), y.roll(5, -1), rtol=0, atol=1e-11)


class Operations(TorchDispatchMode):
    """Refuse complex tensors and add up the multiplications of matrix products."""

    products = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in torch.utils._pytree.tree_leaves(out):
            assert not (isinstance(tensor, torch.Tensor) and tensor.is_complex()), func
        if func in (torch.ops.aten.bmm.default, torch.ops.aten.mm.default):
            self.products += out.numel() * args[0].shape[-1]
        return out


def test_there_is_no_complex_tensor():
    u, k = random(2, 3, 210).requires_grad_(), random(3, 100).requires_grad_()
    with Operations():
        monarch.conv(u, k, 210, keep_modes=20).square().sum().backward()
    with pytest.raises(AssertionError), Operations():
        torch.fft.fft(u)


def test_padding_and_dropped_blocks_are_not_computed():
    def products(n, m, n_out, keep_modes=None):
        with Operations() as operations:
            monarch.conv(random(1, 1, n), random(1, m), 4096, n_out, keep_modes=keep_modes)
        return operations.products

    whole = products(4096, 4096, 4096)
    assert products(2048, 2048, 2048) < 0.9 * whole
    assert products(4096, 4096, 4096, keep_modes=256) < 0.75 * whole


def test_memory_layout_and_batch_do_not_matter():
    u, k = random(4, 3, 60), random(3, 60)
    expected = monarch.conv(u, k, 120)
    for other in (u.transpose(0, 2).contiguous().transpose(0, 2), torch.stack([u, u], -1)[..., 0]):
        torch.testing.assert_close(monarch.conv(other, k, 120), expected, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(monarch.conv(u[1:2], k, 120), expected[1:2], rtol=1e-13, atol=1e-13)


def test_nan_stays_in_its_sample():
    u, k = random(2, 3, 60), random(3, 60)
    u[0, 1, 7] = math.nan
    y = monarch.conv(u, k, 120)
    assert y[0, 1].isnan().all()
    assert y[1].isfinite().all()
    assert y[0, [0, 2]].isfinite().all()


def test_tables_made_under_inference_mode_serve_training():
    u, k = random(1, 1, 90), random(1, 90)
    with torch.inference_mode():
        monarch.conv(u, k, 180)
    u.requires_grad_()
    monarch.conv(u, k, 180).sum().backward()
    assert u.grad is not None


def test_compiles_into_one_graph():
    compiled = torch.compile(
        lambda u, k: monarch.conv(u, k, 200, 150, keep_modes=50), fullgraph=True, backend="aot_eager"
    )
    for batch in (2, 3):  # the second makes the batch a symbol
        inputs = (random(batch, 2, 150).requires_grad_(), random(2, 40).requires_grad_())
        found, expected = compiled(*inputs), monarch.conv(*inputs, 200, 150, keep_modes=50)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
        found, expected = (torch.autograd.grad(y.square().sum(), inputs) for y in (found, expected))
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-10)


def test_autocast_is_as_exact_as_bfloat16():
    u, k = random(2, 3, 1000, dtype=torch.float32), random(3, 1000, dtype=torch.float32)
    expected = reference(u.double(), k.double(), 2000, 1000)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = monarch.conv(u, k, 2000, 1000)
    error = (y - expected).norm() / expected.norm()
    assert 1e-3 < error < 2e-2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: monarch.conv(random(1, 1, 5), random(1, 5), 131), "length must split into small factors: length 131"),
        (lambda: monarch.conv(random(1, 1, 5), random(1, 5), 4), "u must hold between 1 and length = 4 samples, got 5"),
        (lambda: monarch.conv(random(1, 1, 4), random(1, 5), 4), "k must hold between 1 and length = 4 samples, got 5"),
        (lambda: monarch.conv(random(1, 1, 4), random(1, 4), 4, 0), "n_out must hold between 1 and length = 4"),
        (lambda: monarch.factors(0), "length must be at least 1, got 0"),
        (lambda: monarch.good_length(-1), "n must be at least 1, got -1"),
        (lambda: monarch.monarch_dft(random(2, 12), (3, 5)), r"x must have the shape \(..., 2, 15\), got \(2, 12\)"),
        (lambda: monarch.monarch_dft(random(2, 15), (3, 5), True), r"x must have the shape \(..., 3, 2, 5\)"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
