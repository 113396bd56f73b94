"""The functions φ: against series and recurrences, where formulas lose all digits, and complex arguments."""

import math

import numpy as np
import pytest

from opforge.pdes._phi import phi


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_series_near_0(order):
    z = np.array([0.0, 1e-9, -1e-4, 0.01, 0.3j, -0.2 + 0.1j])
    series = sum(z**k / math.factorial(k + order) for k in range(20))
    np.testing.assert_allclose(phi(order, z), series, rtol=1e-13)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_recurrence_far_from_0(order):
    z = np.array([-1.0, -50.0, -1e5, 3.0, 40j, -5 + 5j])
    expected = (phi(order - 1, z) - 1 / math.factorial(order - 1)) / z
    np.testing.assert_allclose(phi(order, z), expected, rtol=1e-11)


def test_real_arguments_give_real_values():
    assert phi(1, np.array([-1.0])).dtype == np.float64
    assert phi(1, np.array([-1j])).dtype == np.complex128
