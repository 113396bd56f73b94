"""Pointwise linear maps."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from opforge.layers import pointwise


@pytest.mark.parametrize("before", [None, F.gelu, torch.tanh, lambda x: x.sin()])
@pytest.mark.parametrize("bias", [True, False])
def test_is_the_linear_layer_with_its_derivatives(bias, before):
    torch.manual_seed(0)
    linear, x = nn.Linear(3, 5, bias=bias).double(), torch.randn(2, 4, 6, 3, dtype=torch.float64, requires_grad=True)
    results = linear(x if before is None else before(x)), pointwise(linear, x, before)
    torch.testing.assert_close(*results, rtol=1e-13, atol=1e-13)
    inputs = (x, *linear.parameters())
    plain = [torch.autograd.grad(y.sin().sum(), inputs, retain_graph=True) for y in results]
    torch.testing.assert_close(*plain, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(y.sin().sum(), inputs, create_graph=True) for y in results]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)
    second = [torch.autograd.grad(sum(g.sin().sum() for g in first), inputs) for first in gradients]
    torch.testing.assert_close(*second, rtol=1e-12, atol=1e-12)


def test_serves_autocast():
    linear, x = nn.Linear(3, 5), torch.randn(7, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert pointwise(linear, x).dtype == linear(x).dtype == torch.bfloat16
        assert pointwise(linear, x, F.gelu).dtype == torch.bfloat16
