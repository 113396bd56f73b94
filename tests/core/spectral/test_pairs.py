"""Complex products of pairs of reals, against complex numbers."""

import pytest
import torch

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
