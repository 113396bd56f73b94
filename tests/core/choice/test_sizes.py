"""Sizes in questions about back ends."""

from __future__ import annotations

import pytest

from opforge.core.choice.sizes import by, largest_prime, rounded_batch


@pytest.mark.parametrize(("batch", "rounded"), [(0, 1), (1, 1), (2, 2), (3, 4), (13, 16), (16, 16), (20, 16), (24, 32)])
def test_batches_of_similar_size_share_a_power_of_two(batch, rounded):
    assert rounded_batch(batch) == rounded


def test_the_largest_prime_is_a_factor_and_no_larger_prime_is():
    def factors(n: int) -> set[int]:
        return {p for p in range(2, n + 1) if n % p == 0 and all(p % q for q in range(2, p))}

    assert [largest_prime(n) for n in range(2, 200)] == [max(factors(n)) for n in range(2, 200)]
    assert largest_prime(1) == 1


def test_sizes_in_words():
    assert by([64, 32, 5]) == "64x32x5" and by((7,)) == "7" and by(()) == ""
