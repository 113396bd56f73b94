"""First and second derivatives along random directions, to be compared with those of a reference."""

import torch


def derivatives(function, inputs):
    """The gradients of a random combination of the results, and those of a random combination of these gradients."""
    generator = torch.Generator().manual_seed(1)

    def random(like):
        return torch.randn(like.shape, generator=generator, dtype=torch.float64).to(like)

    y = function(*inputs)
    direction = random(y).requires_grad_()
    first = torch.autograd.grad(y, inputs, direction, create_graph=True)
    mixed = sum((gradient * random(gradient)).sum() for gradient in first)
    return *first, *torch.autograd.grad(mixed, [*inputs, direction])


def assert_same_derivatives(function, reference, inputs):
    for found, expected in zip(derivatives(function, inputs), derivatives(reference, inputs), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12 * max(expected.abs().max().item(), 1.0))
