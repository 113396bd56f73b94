"""Mixing against complex matrix products with the dense weight."""

import pytest
import torch

from opforge.core import CPWeight
from opforge.core.spectral import mixing
from opforge.core.spectral.mixing import factors_are_cheaper, mix
from tests.core.spectral.reference import MODES, as_dense, random_weight

KINDS = ("dense", "separable", "block", "cp", "tucker")


def rows_and_values():
    """Rows (5, 4, 2, 3, 4) over the kept modes, and the same as complex numbers."""
    rows = torch.randn(5, 4, 2, 3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return rows, torch.complex(rows[:, :, 0], rows[:, :, 1])


@pytest.mark.parametrize("cheaper", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_dense_weight(kind, cheaper, monkeypatch):
    monkeypatch.setattr(mixing, "factors_are_cheaper", lambda weight, batch: cheaper)
    rows, values = rows_and_values()
    weight = random_weight(kind, MODES)
    expected = values @ as_dense(weight, kind)
    y = mix(rows, weight, kind)
    torch.testing.assert_close(torch.complex(y[:, :, 0], y[:, :, 1]), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(mix(values, weight, kind), expected, rtol=1e-12, atol=1e-12)


def test_low_rank_is_contracted_and_high_rank_rebuilt():
    def weight(rank, channels=64):
        factor = torch.zeros(channels, rank, 2)
        return CPWeight(torch.zeros(rank, 2), factor, factor, (torch.zeros(9, rank, 2),))

    assert factors_are_cheaper(weight(4), 8)
    assert not factors_are_cheaper(weight(4096), 64)
    # what pays for one sample pays less for a larger batch where the rank is above the number of channels
    assert factors_are_cheaper(weight(200), 1)
    assert not factors_are_cheaper(weight(200), 100_000)
