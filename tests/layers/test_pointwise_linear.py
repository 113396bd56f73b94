"""Pointwise linear maps."""

import pytest
import torch
from torch import nn

from opforge.layers import pointwise


@pytest.mark.parametrize("bias", [True, False])
def test_is_the_linear_layer_with_its_gradients(bias):
    torch.manual_seed(0)
    linear, x = nn.Linear(3, 5, bias=bias).double(), torch.randn(2, 4, 6, 3, dtype=torch.float64, requires_grad=True)
    results = [function(x) for function in (linear, lambda x: pointwise(linear, x))]
    torch.testing.assert_close(*results, rtol=1e-13, atol=1e-13)
    inputs = (x, *linear.parameters())
    gradients = [torch.autograd.grad(y.sin().sum(), inputs) for y in results]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


def test_serves_autocast():
    linear, x = nn.Linear(3, 5), torch.randn(7, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert pointwise(linear, x).dtype == linear(x).dtype == torch.bfloat16
