"""Tensors that are made again for the backward pass."""

import gc
import weakref

import torch

from opforge.layers import recomputed


def test_derivatives_are_those_of_keeping_it():
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    matrix = torch.randn(3, 40, dtype=torch.float64, requires_grad=True)
    gradients = []
    for keep in (True, False):
        wide = x @ matrix
        if keep:
            y = wide.sin().square().sum()
        else:
            with recomputed(wide, lambda: x @ matrix):
                middle = wide.sin()
            y = middle.square().sum()
        first = torch.autograd.grad(y, (x, matrix), create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), (x, matrix))
        gradients.append((*first, *second))
    torch.testing.assert_close(*gradients, rtol=1e-13, atol=1e-13)


def test_the_tensor_is_let_go():
    x = torch.randn(5, requires_grad=True)
    wide = x[:, None] * torch.ones(100)
    gone = weakref.ref(wide.untyped_storage())
    with recomputed(wide, lambda: x[:, None] * torch.ones(100)):
        y = wide.sin()
    other = y.cos()  # keeps y, outside the context
    del wide
    gc.collect()
    assert gone() is None
    other.sum().backward()
    torch.testing.assert_close(x.grad, -100 * x.detach().sin().sin() * x.detach().cos(), rtol=1e-4, atol=1e-4)
