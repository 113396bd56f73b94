"""Complex products of pairs of reals: against complex numbers, and all their derivatives."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from opforge.core.spectral import pairs


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def complex_rows(x):
    return torch.complex(x[:, 0], x[:, 1])


def test_product_is_the_complex_product():
    x, w = random(5, 2, 3, 4), random(5, 4, 6, 2, seed=1)
    y = complex_rows(pairs.product(x, w))
    torch.testing.assert_close(y, complex_rows(x) @ torch.view_as_complex(w), rtol=1e-13, atol=1e-13)


def test_shared_product_and_scale():
    x, w, s = random(5, 2, 3, 4), random(4, 6, 2, seed=1), random(5, 4, 2, seed=2)
    y = complex_rows(pairs.shared_product(x, w))
    torch.testing.assert_close(y, complex_rows(x) @ torch.view_as_complex(w), rtol=1e-13, atol=1e-13)
    y = complex_rows(pairs.scale(x, s))
    torch.testing.assert_close(y, complex_rows(x) * torch.view_as_complex(s)[:, None], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("equation", ["ij,jk->ik", "z,az,bz->abz", "ABpq,aA,bB->abpq", "ij->ij"])
def test_einsum_is_that_of_complex_numbers(equation):
    sizes = {letter: n for n, letter in enumerate("ijkzabABpq", 2)}
    terms = equation.split("->")[0].split(",")
    operands = [random(*(sizes[c] for c in term), 2, seed=i) for i, term in enumerate(terms)]
    expected = torch.einsum(equation, *(torch.view_as_complex(o) for o in operands))
    torch.testing.assert_close(
        torch.view_as_complex(pairs.einsum(equation, *operands)), expected, rtol=1e-12, atol=1e-12
    )


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # torch's forward mode
def test_derivatives_to_third_order():
    x, w = random(2, 2, 1, 2).requires_grad_(), random(2, 2, 2, 2, seed=1).requires_grad_()
    assert gradcheck(pairs.product, (x, w), check_forward_ad=True)
    assert gradgradcheck(pairs.product, (x, w), check_fwd_over_rev=True)

    def second(x, w):
        y = pairs.product(x, w).square().sum()
        (gx,) = torch.autograd.grad(y, x, create_graph=True)
        (gw,) = torch.autograd.grad(gx.square().sum(), w, create_graph=True)
        return gw

    assert gradcheck(second, (x, w))


def test_serves_vmap():
    x, w = random(3, 5, 2, 3, 4), random(5, 4, 6, 2, seed=1)
    expected = torch.stack([pairs.product(one, w) for one in x])
    torch.testing.assert_close(torch.vmap(pairs.product, in_dims=(0, None))(x, w), expected, rtol=1e-13, atol=1e-13)

    def loss(x, w):
        return pairs.product(x, w).square().sum()

    per_sample = torch.vmap(torch.func.grad(loss, argnums=1), in_dims=(0, None))(x, w)
    one_by_one = torch.stack([torch.func.grad(loss, argnums=1)(one, w) for one in x])
    torch.testing.assert_close(per_sample, one_by_one, rtol=1e-12, atol=1e-12)
