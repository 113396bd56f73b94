"""The back end of Triton's kernels, through Triton's interpreter where there is no GPU."""

import pytest
import torch

from opforge.core import fft_conv
from opforge.errors import InputError


@pytest.mark.parametrize(
    ("mode", "points", "taps"), [("causal", 40, 40), ("causal", 33, 5), ("same", 40, 7), ("circular", 32, 9)]
)
def test_equals_the_padded_transform(mode, points, taps, triton_device):
    generator = torch.Generator().manual_seed(0)
    u = torch.randn(2, 3, points, generator=generator, dtype=torch.float64).to(triton_device).requires_grad_()
    k = torch.randn(3, taps, generator=generator, dtype=torch.float64).to(triton_device).requires_grad_()
    gate = torch.randn(2, 3, points, generator=generator, dtype=torch.float64).to(triton_device)
    results = [fft_conv(u, k, mode=mode, gate_out=gate, backend=name) for name in ("triton", "fft")]
    torch.testing.assert_close(*results, rtol=1e-11, atol=1e-11)
    gradients = [torch.autograd.grad(y.sin().sum(), (u, k)) for y in results]
    torch.testing.assert_close(*gradients, rtol=1e-11, atol=1e-11)


def test_says_what_it_cannot_serve():
    u, k = torch.ones(1, 2, 8), torch.ones(2, 8)
    with pytest.raises(InputError, match=r"backend 'triton' cannot serve this fft_conv: .* need a GPU"):
        fft_conv(u, k, backend="triton")
    with pytest.raises(InputError, match="it cuts no spectrum"):
        fft_conv(u, k, keep_modes=2, backend="triton")
