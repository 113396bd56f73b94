"""Coefficients of cosines and sines against complex exponentials, and the tables against the traced form."""

import itertools

import pytest
import torch

from opforge.core.spectral.butterfly import combine, combine_fast, spread, spread_fast

MODES = [(3,), (0,), (3, 2), (0, 2), (2, 0), (2, 1, 3)]
BATCH, CHANNELS = 3, 4


def coefficients(modes):
    generator = torch.Generator().manual_seed(0)
    sizes = [2 * (k + 1) for k in modes]
    return torch.randn(*sizes, BATCH * CHANNELS, generator=generator, dtype=torch.float64)


def as_pairs(t, modes):
    return t.reshape(*[size for k in modes for size in (2, k + 1)], BATCH, CHANNELS)


@pytest.mark.parametrize("modes", MODES)
def test_modes_are_the_products_of_both_parts(modes):
    t = as_pairs(coefficients(modes), modes)
    rows = combine(t, len(modes))
    for place in itertools.product(*(range(2 * k + 1) for k in modes[:-1]), range(modes[-1] + 1)):
        signed = [i - k for i, k in zip(place[:-1], modes[:-1], strict=True)] + [place[-1]]
        expected = 0
        for sines in itertools.product((0, 1), repeat=len(modes)):
            index = tuple(entry for sine, k in zip(sines, signed, strict=True) for entry in (sine, abs(k)))
            factor = 1
            for sine, k in zip(sines, signed, strict=True):
                factor *= (1j if k >= 0 else -1j) if sine else 1
            expected = expected + factor * t[index]
        torch.testing.assert_close(torch.complex(*rows[place]), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("modes", MODES)
def test_spread_is_the_adjoint(modes):
    t = as_pairs(coefficients(modes), modes)
    rows = combine(t, len(modes))
    other = torch.randn(rows.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    there, back = (rows * other).sum(), (t * spread(other, len(modes))).sum()
    torch.testing.assert_close(there, back, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("modes", MODES)
def test_tables_do_the_same(modes, channels_last):
    t = coefficients(modes)
    rows = combine(as_pairs(t, modes), len(modes))
    back = spread(rows, len(modes)).reshape(*t.shape[:-1], BATCH, CHANNELS)
    if channels_last:
        t = t.reshape(*t.shape[:-1], BATCH, CHANNELS).movedim(-2, 0).contiguous()
        back = back.movedim(-2, 0)
    else:
        back = back.flatten(-2)
    fast = combine_fast(t, modes, BATCH, channels_last)
    torch.testing.assert_close(fast.reshape(rows.shape), rows, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(spread_fast(rows, modes, channels_last), back, rtol=1e-13, atol=1e-13)
