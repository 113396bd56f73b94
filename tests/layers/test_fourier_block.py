"""The block that Fourier neural operators stack."""

import torch
import torch.nn.functional as F

from opforge.layers import FourierBlock


def test_is_the_sum_of_both_parts():
    torch.manual_seed(0)
    block = FourierBlock(3, (2, 3), F.gelu).double()
    torch.nn.init.normal_(block.spectral.bias)
    x = torch.randn(2, 8, 9, 3, dtype=torch.float64)
    spectral = block.spectral(F.gelu(x).movedim(-1, 1)).movedim(1, -1)
    torch.testing.assert_close(block(x), spectral + F.gelu(x) @ block.pointwise, rtol=1e-12, atol=1e-12)


def test_commutes_with_shifts():
    torch.manual_seed(0)
    block = FourierBlock(3, (2, 3), torch.tanh).double()
    x = torch.randn(2, 8, 9, 3, dtype=torch.float64)
    torch.testing.assert_close(block(x.roll((1, 2), (1, 2))), block(x).roll((1, 2), (1, 2)), rtol=1e-12, atol=1e-12)


def test_derivatives():
    torch.manual_seed(0)
    block = FourierBlock(2, (1, 2), torch.tanh).double()
    x = torch.randn(2, 4, 5, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, x)
    assert torch.autograd.gradgradcheck(block, x)
