"""Fused long convolutions against sums and torch.fft in double precision, through the interpreter where no GPU is."""

import math

import pytest
import torch

from opforge.core.triton_kernels import long_convolution
from opforge.core.triton_kernels.long_convolution import lagged_conv, long_conv
from tests.core.triton_kernels.derivatives import assert_same_derivatives

# samples of signal and kernel, circular length, samples of the result
CASES = [
    (100, 30, 129, 100),  # causal, odd sizes
    (256, 256, 512, 256),  # causal, the transform as long as the signal
    (300, 100, 399, 399),  # every sample, the signal longer than the transform
    (60, 300, 400, 60),  # the kernel longer than the transform and the signal
    (200, 200, 256, 256),  # circular, a power of two
    (97, 50, 97, 97),  # circular, of prime length
    (700, 50, 750, 700),  # several blocks of frequencies
    (1, 1, 1, 1),
]


def reference(u, k, length, n_out):
    spectrum = torch.fft.rfft(u, n=length) * torch.fft.rfft(k, n=length)
    return torch.fft.irfft(spectrum, n=length)[..., :n_out]


def random_case(n, m, n_out, device, *, batch=3, channels=2, dtype=torch.float64):
    """Signal, kernel and the gates before and after."""
    generator = torch.Generator().manual_seed(0)
    shapes = (batch, channels, n), (channels, m), (batch, channels, n), (batch, channels, n_out)
    return [torch.randn(*s, generator=generator, dtype=torch.float64).to(device, dtype) for s in shapes]


def test_is_the_sum_over_the_kernel(triton_device):
    u, k, _, _ = random_case(9, 4, 9, triton_device)
    expected = torch.zeros_like(u)
    for lag in range(4):
        expected[..., lag:] += k[:, lag, None] * u[..., : 9 - lag]
    torch.testing.assert_close(long_conv(u, k, 12, 9), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("n", "m", "length", "n_out"), CASES)
def test_equals_torch_fft(triton_device, n, m, length, n_out):
    u, k, gate_in, gate_out = random_case(n, m, n_out, triton_device)
    expected = reference(u, k, length, n_out)
    scale = expected.abs().max().item()
    torch.testing.assert_close(long_conv(u, k, length, n_out), expected, rtol=0, atol=1e-12 * scale)
    single = long_conv(u.float(), k.float(), length, n_out)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single, expected.float(), rtol=0, atol=1e-5 * scale)
    gated = long_conv(u, k, length, n_out, gate_in=gate_in, gate_out=gate_out)
    expected = gate_out * reference(gate_in * u, k, length, n_out)
    torch.testing.assert_close(gated, expected, rtol=0, atol=1e-12 * expected.abs().max().item())


@pytest.mark.parametrize("first", [-300, -120, -50, 0, 7, 250])
def test_kernels_that_look_ahead_or_back(triton_device, first):
    u, k, _, _ = random_case(200, 120, 200, triton_device, batch=1)
    padded = torch.nn.functional.pad(u, (400, 400))
    expected = sum(k[:, j, None] * padded.roll(first + j, -1)[..., 400:600] for j in range(120))
    torch.testing.assert_close(lagged_conv(u, k, first), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("size", [512, 1024, 2048, 4096, 8192])
def test_every_split_of_a_transform(triton_device, size):
    u, k, _, _ = random_case(size, size, size, triton_device, batch=1, channels=1)
    expected = reference(u, k, 2 * size, size)
    found = long_conv(u, k, 2 * size, size)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12 * expected.abs().max().item())
    found = long_conv(u.float(), k.float(), 2 * size, size)
    torch.testing.assert_close(found, expected.float(), rtol=0, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize(("n", "m", "length", "n_out"), CASES[:6])
def test_first_and_second_derivatives_equal_those_of_torch_fft(triton_device, n, m, length, n_out):
    inputs = [t.requires_grad_() for t in random_case(n, m, n_out, triton_device, batch=2)]
    assert_same_derivatives(
        lambda u, k, a, b: long_conv(u, k, length, n_out, gate_in=a, gate_out=b),
        lambda u, k, a, b: b * reference(a * u, k, length, n_out),
        inputs,
    )


def test_derivatives_without_gates(triton_device):
    inputs = [t.requires_grad_() for t in random_case(300, 40, 300, triton_device)[:2]]
    assert_same_derivatives(lambda u, k: long_conv(u, k, 400, 300), lambda u, k: reference(u, k, 400, 300), inputs)


@pytest.mark.parametrize("how", ["real", "both", "wrap"])
def test_spectra_and_signals_are_adjoint(triton_device, how):
    from opforge.core.triton_kernels._long_operations import signals_of, spectra

    x = torch.randn(3, 300 if how == "both" else 200, dtype=torch.float64, device=triton_device)
    spectrum = torch.randn(3, 2, 256, dtype=torch.float64, device=triton_device)
    there, back = spectra(x, 256, how), signals_of(spectrum, x.shape[-1], how)
    torch.testing.assert_close((there * spectrum).sum(), (x * back).sum(), rtol=1e-11, atol=0)


def test_commutes_with_shifts_around_the_circle(triton_device):
    u, k, _, _ = random_case(256, 256, 256, triton_device, batch=1)
    shifted = long_conv(u.roll(37, -1), k, 256)
    torch.testing.assert_close(shifted, long_conv(u, k, 256).roll(37, -1), rtol=0, atol=1e-11)


def test_memory_layout_and_batch_do_not_matter(triton_device):
    u, k, _, _ = random_case(50, 20, 50, triton_device)
    expected = long_conv(u, k, 70, 50)
    for other in (u.transpose(0, 2).contiguous().transpose(0, 2), torch.stack([u, u], -1)[..., 0]):
        torch.testing.assert_close(long_conv(other, k, 70, 50), expected, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(long_conv(u[1:2], k, 70, 50), expected[1:2], rtol=1e-13, atol=1e-13)
    assert long_conv(u[:0], k, 70, 50).shape == (0, 2, 50)


def test_nan_stays_in_its_sample(triton_device):
    u, k, _, _ = random_case(50, 20, 50, triton_device)
    u[1, 0, 3] = math.nan
    y = long_conv(u, k, 70, 50)
    assert y[1, 0].isnan().all()
    assert y[[0, 2]].isfinite().all()
    assert y[1, 1].isfinite().all()


def test_compiles_into_one_graph(triton_device):
    compiled = torch.compile(
        lambda *a: long_conv(a[0], a[1], 130, 100, gate_in=a[2]), fullgraph=True, backend="aot_eager"
    )
    for batch in (2, 3):  # the second makes the batch a symbol
        u, k, gate, _ = random_case(100, 30, 100, triton_device, batch=batch)
        inputs = [t.requires_grad_() for t in (u, k, gate)]
        found, expected = compiled(*inputs), long_conv(u, k, 130, 100, gate_in=gate)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
        found, expected = (torch.autograd.grad(y.square().sum(), inputs) for y in (found, expected))
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-9)


def test_operators_declare_what_they_do(triton_device):
    from opforge.core.triton_kernels import _long_operations as operations

    u, k, gate_in, gate_out = (t.requires_grad_() for t in random_case(5, 3, 6, triton_device, dtype=torch.float32))
    spectrum = torch.randn(2, 2, 256, device=triton_device, requires_grad=True)
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    arguments = (u, spectrum, gate_in, gate_out, 6, "real", "real", False)
    torch.library.opcheck(operations.convolve, arguments, test_utils=tests)
    torch.library.opcheck(operations.correlate, (u, gate_out, "real", "wrap", 256), test_utils=tests)
    torch.library.opcheck(operations.spectra, (k, 256, "real"), test_utils=tests)
    torch.library.opcheck(operations.signals_of, (spectrum, 300, "both"), test_utils=tests)


def test_stated_errors_of_inexact_products(triton_device, monkeypatch):
    if triton_device != "cpu":
        pytest.skip("matrix units are imitated in the interpreter only")
    from opforge.core.triton_kernels import _long_stages
    from tests.core.triton_kernels import matrix_units

    for size in (512, 4096):
        u, k, _, _ = random_case(size, size, size, "cpu", batch=2, channels=1)
        expected = reference(u, k, 2 * size, size)
        for name, least, most in matrix_units.UNITS:
            monkeypatch.setattr(_long_stages, "dot", getattr(matrix_units, name))
            error = (long_conv(u.float(), k.float(), 2 * size, size) - expected).norm() / expected.norm()
            assert least < error < most, (name, size)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((10, 5, 8, 8), "u must hold between 1 and length = 8 samples, got 10"),
        ((5, 10, 8, 8), "k must hold between 1 and length = 8 samples, got 10"),
        ((5, 5, 8, 9), "n_out must hold between 1 and length = 8 samples, got 9"),
        ((70_000, 5, 80_000, 70_000), "length must suit the kernels, .* a transform of 65536 numbers"),
    ],
)
def test_wrong_sizes_are_named(triton_device, arguments, message):
    n, m, length, n_out = arguments
    u, k, _, _ = random_case(n, m, 1, triton_device, batch=1, channels=1)
    with pytest.raises(ValueError, match=message):
        long_conv(u, k, length, n_out)


def test_tensors_that_do_not_agree_are_named(triton_device):
    u, k, gate, _ = random_case(9, 4, 9, triton_device)
    for wrong in (k[:1], k.float(), k[0]):
        with pytest.raises(ValueError, match="k must hold a kernel for each channel of u"):
            long_conv(u, wrong, 12)
    with pytest.raises(ValueError, match=r"gate_in must be of torch.float64 and shape \(3, 2, 9\)"):
        long_conv(u, k, 12, gate_in=gate[:1])
    with pytest.raises(ValueError, match=r"gate_out must be of torch.float64 and shape \(3, 2, 5\)"):
        long_conv(u, k, 12, 5, gate_out=gate)


def test_what_cannot_be_served_is_said(monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert long_convolution.why_not(16384, 16384, 32768, torch.float32, n_out=16384) == ""
    assert long_convolution.why_not(60_000, 5000, 65_536, torch.float32) == ""
    assert "a transform of 65536 numbers" in long_convolution.why_not(65_536, 65_536, 65_536, torch.float32)
    assert "got torch.bfloat16" in long_convolution.why_not(64, 64, 128, torch.bfloat16)
    monkeypatch.delenv("TRITON_INTERPRET")
    with pytest.raises(ValueError, match=r"length must suit the kernels, got 16 on cpu: .* need a GPU"):
        long_conv(torch.zeros(1, 1, 8), torch.zeros(1, 8), 16)
