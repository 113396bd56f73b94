"""Operations against torch's own functions of the same form."""

from __future__ import annotations

import pytest
import torch

from opforge.core.operation import Operation


class _Cubed(Operation):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, factor):
        return factor * x**3

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.factor = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx, *gradients):
        (x,) = ctx.saved_tensors
        return gradients[0] * 3 * ctx.factor * x**2, None

    @staticmethod
    def jvp(ctx, *tangents):
        (x,) = ctx.saved_tensors
        return tangents[0] * 3 * ctx.factor * x**2


X = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)


def test_derivatives_of_first_and_second_order():
    x = X.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: _Cubed.apply(x, 2.0), x)
    assert torch.autograd.gradgradcheck(lambda x: _Cubed.apply(x, 2.0), x)


def test_without_gradients_nothing_is_kept():
    assert _Cubed.apply(X, 2.0).grad_fn is None
    with torch.inference_mode():
        assert torch.equal(_Cubed.apply(X, 2.0), 2 * X**3)


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")
def test_transforms_of_torch_func():
    by_sample = torch.func.vmap(torch.func.grad(lambda x: _Cubed.apply(x, 2.0)))(X)
    torch.testing.assert_close(by_sample, 6 * X**2)
    _, change = torch.func.jvp(lambda x: _Cubed.apply(x, 2.0), (X,), (torch.ones_like(X),))
    torch.testing.assert_close(change, 6 * X**2)


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")
def test_dual_numbers():
    with torch.autograd.forward_ad.dual_level():
        dual = _Cubed.apply(torch.autograd.forward_ad.make_dual(X, torch.ones_like(X)), 2.0)
        torch.testing.assert_close(torch.autograd.forward_ad.unpack_dual(dual).tangent, 6 * X**2)


def test_the_arguments_are_those_of_forward():
    with pytest.raises(TypeError):
        _Cubed.apply(X)
