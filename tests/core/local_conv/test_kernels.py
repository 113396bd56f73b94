"""Factorised kernels: what they stand for, and what they refuse."""

import pytest
import torch

from opforge.core import FactorisedKernels, SeparableKernels
from opforge.errors import InputError


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_factorised_kernels_are_sums_of_outer_products():
    rows, columns = random(4, 3, 2, 5), random(4, 3, 2, 3, seed=1)
    kernels = FactorisedKernels((rows, columns))
    assert (kernels.channels, kernels.rank, kernels.taps) == ((4, 3), 2, (5, 3))
    expected = sum(rows[:, :, r, :, None] * columns[:, :, r, None, :] for r in range(2))
    torch.testing.assert_close(kernels.to_dense(), expected, rtol=0, atol=1e-14)
    assert torch.linalg.matrix_rank(kernels.to_dense()[1, 2]) == 2


def test_enough_terms_give_every_kernel():
    kernel = random(2, 3, 5, 4)
    u, s, vh = torch.linalg.svd(kernel, full_matrices=False)
    factorised = FactorisedKernels(((u * s[..., None, :]).mT, vh))
    torch.testing.assert_close(factorised.to_dense(), kernel, rtol=0, atol=1e-13)


def test_separable_kernels_share_their_filters():
    a, b, c, e, f = random(4, 2), random(3, 2, seed=1), *(random(2, k, seed=k) for k in (5, 3, 2))
    kernels = SeparableKernels(a, b, (c, e, f))
    assert (kernels.channels, kernels.rank, kernels.taps) == ((4, 3), 2, (5, 3, 2))
    expected = torch.zeros(4, 3, 5, 3, 2, dtype=torch.float64)
    for r in range(2):
        in_space = c[r][:, None, None] * e[r][None, :, None] * f[r][None, None, :]
        expected += a[:, r, None, None, None, None] * b[:, r, None, None, None] * in_space
    torch.testing.assert_close(kernels.to_dense(), expected, rtol=0, atol=1e-14)


def test_gradients_reach_every_factor():
    factors = [t.requires_grad_() for t in (random(4, 2), random(3, 2, seed=1), random(2, 5, seed=2))]
    SeparableKernels(factors[0], factors[1], (factors[2],)).to_dense().square().sum().backward()
    filters = random(4, 3, 2, 5).requires_grad_()
    FactorisedKernels((filters,)).to_dense().square().sum().backward()
    for factor in (*factors, filters):
        assert factor.grad is not None
        assert factor.grad.abs().min() > 0


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ((), "filters must be a tuple of one tensor"),
        ((random(2, 2, 1, 3),) * 4, "one to three"),
        (random(2, 2, 1, 3), "filters must be a tuple of one tensor"),
        (None, "filters must be a tuple of one tensor .* got None"),
        ((random(2, 2, 3),), r"filters\[0\] must have the shape \(out, in, rank, taps\)"),
        ((random(2, 2, 1, 3), random(2, 2, 2, 3)), r"filters\[1\] must .* got \(2, 2, 2, 3\) beside \(2, 2, 1, 3\)"),
        ((random(2, 0, 1, 3),), "without a size 0"),
        ((random(2, 2, 1, 3), random(2, 2, 1, 3).float()), r"filters\[1\] must be of filters\[0\]'s type and device"),
        ((torch.zeros(2, 2, 1, 3, dtype=torch.int64),), r"filters\[0\] must be of float32 or float64"),
    ],
)
def test_factors_that_do_not_fit_are_refused(filters, message):
    with pytest.raises(InputError, match=message):
        FactorisedKernels(filters)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outgoing": random(4, 3)}, r"outgoing must have .* the filters' rank 2, got \(4, 3\)"),
        ({"incoming": random(3)}, "incoming must have the shape"),
        ({"incoming": random(0, 2)}, "incoming must have the shape"),
        ({"outgoing": random(4, 2).float()}, "outgoing must be of the filters' type and device"),
        ({"outgoing": random(4, 2).to(torch.complex128)}, "outgoing must be of float32 or float64"),
        ({"filters": (random(2, 1, 3),)}, r"filters\[0\] must have the shape \(rank, taps\)"),
    ],
)
def test_shared_factors_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        SeparableKernels(**({"outgoing": random(4, 2), "incoming": random(3, 2), "filters": (random(2, 3),)} | changes))
