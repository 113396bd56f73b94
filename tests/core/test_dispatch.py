"""Which back end is chosen, and what is said about it."""

import pytest

from opforge.core import explain
from opforge.core.dispatch import choose
from opforge.errors import InputError


def test_explain_names_the_choice():
    assert ": gemm (" in explain("spectral_conv", (64, 64), modes=(12, 12))
    assert ": torch (" in explain("spectral_conv", (8192,), modes=(4000,))
    assert ": torch, as asked (" in explain("spectral_conv", (64, 64), modes=(12, 12), backend="torch")


def test_counts_operations_of_matrix_products():
    """By hand for 8 x 6 points and modes 2, 1: 48 points by 4 rows, then 32 numbers by 10 rows with 2 parts each."""
    choice = choose((8, 6), (2, 1))
    assert choice.gemm_operations == 2 * (2 * 48 * 4 + 2 * 2 * 32 * 5)


def test_more_modes_never_make_matrix_products_cheaper():
    costs = [choose((64, 64), (k, k)).gemm_operations for k in range(32)]
    assert costs == sorted(costs)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: explain("fft", (64,), modes=(3,)), "unknown op 'fft'"),
        (lambda: explain("spectral_conv", (64,), modes=(32,)), "modes must be between 0"),
        (lambda: explain("spectral_conv", (64,), modes=(3,), backend="gem"), "did you mean 'gemm'"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
