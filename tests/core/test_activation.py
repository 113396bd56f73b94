"""Gradients of nonlinearities that are computed again."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from opforge.core.activation import RECOMPUTABLE, pulled_back, recomputable


@pytest.mark.parametrize("activation", [*RECOMPUTABLE, None, lambda x: x**3])
def test_pulls_gradients_back(activation):
    x = torch.linspace(-2, 2, 9, dtype=torch.float64).requires_grad_()
    grad = torch.arange(9, dtype=torch.float64) - 4
    y = x * 1 if activation is None else activation(x)
    (expected,) = torch.autograd.grad(y, x, grad)
    with torch.no_grad():
        torch.testing.assert_close(pulled_back(activation, x, grad.clone()), expected, rtol=1e-13, atol=1e-13)
    recorded = pulled_back(activation, x, grad)
    torch.testing.assert_close(recorded, expected, rtol=1e-13, atol=1e-13)
    assert recorded.requires_grad == (activation is not None)


def test_knows_what_gives_the_same_again():
    assert recomputable(None)
    assert recomputable(F.gelu)
    assert not recomputable(nn.PReLU())
    assert not recomputable(F.dropout)
