"""Which samples share transforms: sizes seen in the samples and in their modes, numpy and torch, samples come back."""

from typing import Any

import numpy as np
import pytest
import torch

from opforge.core.pairing import Spectrum, alone, fields_in_order, in_order, order_by_modes, order_by_size
from opforge.core.pairs import PairedModes

CASES = [((9,), (3,)), ((8, 12), (2, 5)), ((6, 7, 8), (1, 2, 2))]
MAKES = [np.asarray, torch.from_numpy]


def fields(paired, sizes, dtype: Any = np.float32):
    """Samples of two components of these sizes, made of kept modes."""
    sizes = np.asarray(sizes, float).reshape(len(sizes), -1) * np.ones(2)
    u = np.random.default_rng(0).standard_normal((len(sizes), 2, *paired.shape))
    u = paired.fields(paired.of_fields(u), len(u))
    norms = np.sqrt((u**2).mean(paired.axes, keepdims=True))
    return (sizes.reshape(len(sizes), 2, *(1,) * paired.ndim) * u / norms).astype(dtype)


# sizes of samples, or of both their components; the order
SIZES = [
    ([1, 2, 3, 5], None),
    ([1], None),
    ([1, 7, 1, 1 / 7, 100], None),
    ([1, 9, 1, 1], (0, 0, 1, 1, 2, 3)),
    ([1, 1, 9, 1, 100], (0, 1, 2, 2, 3, 3, 4, 4)),
    ([1e-7, 3, 3, 1e-7], (0, 0, 1, 1, 2, 2, 3, 3)),
    ([[1, 1], [1, 9], [1, 0], [1, 0]], (0, 0, 1, 1, 2, 3)),
    ([[0, 1], [1, 0]], (0, 0, 1, 1)),
    ([0, 0, 0, 1], (0, 1, 2, 2, 3, 3)),
]


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize(("shape", "highest"), CASES)
@pytest.mark.parametrize(("sizes", "order"), SIZES)
def test_samples_and_modes_tell_which_are_unlike(make, shape, highest, sizes, order):
    paired = PairedModes(shape, highest)
    u = make(fields(paired, sizes))
    assert order_by_size(u) == order
    assert order_by_modes(Spectrum(paired.of_fields(u), len(u)), paired.ndim) == order


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_spent_depends_on_the_precision(make, dtype):
    paired = PairedModes((9,), (3,))
    for ratio, apart in ((7, False), (9, dtype == np.float32), (4000, dtype == np.float32), (4200, True)):
        u = make(fields(paired, [1, ratio], dtype))
        assert (order_by_size(u) is not None) == apart
        assert (order_by_modes(Spectrum(paired.of_fields(u), 2), 1) is not None) == apart


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize(("shape", "highest"), CASES)
def test_samples_come_back_from_any_order(make, shape, highest):
    paired = PairedModes(shape, highest)
    u = fields(paired, [1, 2, 3, 4, 5], np.float64)
    for order in (None, (0, 0, 1, 1, 2, 3, 4, 4), alone(5)):
        modes = paired.of_fields(in_order(make(u), order))
        assert len(modes) == (3 if order is None else len(order) // 2)
        assert np.allclose(np.asarray(fields_in_order(modes, 5, order, paired)), u, rtol=0, atol=1e-13)


@pytest.mark.parametrize("make", MAKES)
def test_partners_may_be_chosen(make):
    u = make(fields(PairedModes((9,), (3,)), [1, 9, 1, 9, 1]))
    assert order_by_size(u, (0, 2, 1, 3, 4, 4)) is None
    assert order_by_size(u, (0, 2, 1, 4, 3, 3)) == (0, 2, 1, 1, 4, 4, 3, 3)


def test_pairs_are_divided_further_and_no_more_than_once():
    paired = PairedModes((9,), (3,))
    u = fields(paired, [1, 9, 1, 9])
    order = (0, 0, 1, 1, 2, 3)
    spectrum = Spectrum(paired.of_fields(in_order(u, order)), 4, order)
    assert order_by_modes(spectrum, 1) == alone(4)
    apart = Spectrum(paired.of_fields(in_order(u, alone(4))), 4, alone(4))
    assert order_by_modes(apart, 1) is None


@pytest.mark.parametrize("make", MAKES)
def test_what_is_not_finite_stays_where_it_is(make):
    paired = PairedModes((9,), (3,))
    u = fields(paired, [1, 1])
    u[1] = np.nan
    assert order_by_size(make(u)) is None
    assert order_by_modes(Spectrum(paired.of_fields(make(u)), 2), 1) is None


def test_values_are_not_looked_at_while_operations_are_traced():
    u = torch.tensor([[[1.0]], [[100.0]]])
    assert order_by_size(u) == (0, 0, 1, 1)
    seen = []
    torch.func.vmap(lambda x: seen.append(order_by_size(x)) or x)(u[None])
    assert seen == [None]
