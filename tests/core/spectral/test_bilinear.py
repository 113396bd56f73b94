"""The products of either form of rows: all derivatives, and function transforms."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from opforge.core.spectral import bilinear, complexes, pairs


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def operands(algebra, m=2, b=1, i=2, o=2):
    x, w = random(m, 2, b, i), random(m, i, o, 2, seed=1)
    return (torch.complex(x[:, 0], x[:, 1]) if algebra is complexes else x), w


both_forms = pytest.mark.parametrize("algebra", [complexes, pairs])


@both_forms
@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # torch's forward mode
def test_derivatives_to_third_order(algebra):
    x, w = (t.requires_grad_() for t in operands(algebra))
    assert gradcheck(algebra.product, (x, w), check_forward_ad=True)
    assert gradgradcheck(algebra.product, (x, w), check_fwd_over_rev=True)

    def second(x, w):
        y = algebra.product(x, w).abs().square().sum()
        (gx,) = torch.autograd.grad(y, x, create_graph=True)
        (gw,) = torch.autograd.grad(gx.abs().square().sum(), w, create_graph=True)
        return gw

    assert gradcheck(second, (x, w))


@both_forms
def test_one_gradient_alone_is_that_of_both(algebra):
    x, w = operands(algebra, 5, 3, 4, 6)
    gradients = {}
    for wanted in ("x", "w", "xw"):
        leaves = {"x": x.clone().requires_grad_("x" in wanted), "w": w.clone().requires_grad_("w" in wanted)}
        y = bilinear.product(algebra, leaves["x"], leaves["w"])
        gradients[wanted] = torch.autograd.grad(y.abs().square().sum(), [leaves[name] for name in wanted])
    torch.testing.assert_close((*gradients["x"], *gradients["w"]), gradients["xw"], rtol=1e-13, atol=1e-13)


@both_forms
def test_serves_vmap(algebra):
    x, w = operands(algebra, 5, 3, 4, 6)
    x = torch.stack([x, 2 * x, x - 1])
    expected = torch.stack([algebra.product(one, w) for one in x])
    torch.testing.assert_close(torch.vmap(algebra.product, in_dims=(0, None))(x, w), expected, rtol=1e-13, atol=1e-13)

    def loss(x, w):
        return algebra.product(x, w).abs().square().sum()

    per_sample = torch.vmap(torch.func.grad(loss, argnums=1), in_dims=(0, None))(x, w)
    one_by_one = torch.stack([torch.func.grad(loss, argnums=1)(one, w) for one in x])
    torch.testing.assert_close(per_sample, one_by_one, rtol=1e-12, atol=1e-12)
