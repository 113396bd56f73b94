"""Checks of parameters: what passes, and what the errors say."""

import numpy as np
import pytest

from opforge.errors import InputError
from opforge.pdes._numbers import axes_of_space, finite, not_negative, positive


def test_numbers_become_floats():
    assert (positive("x", np.float32(2)), not_negative("x", 0), finite("x", -3)) == (2.0, 0.0, -3.0)
    assert isinstance(finite("x", np.int64(1)), float)


@pytest.mark.parametrize("value", [True, "1", None, np.nan, np.inf, -np.inf])
def test_what_is_no_finite_number(value):
    for check, words in ((positive, "greater than 0"), (not_negative, "at least 0"), (finite, "finite number")):
        with pytest.raises(InputError, match=rf"x must be a .*{words}.*, got"):
            check("x", value)


def test_signs():
    with pytest.raises(InputError, match=r"x must be a number greater than 0 \(it is a size\), got 0"):
        positive("x", 0, "it is a size")
    with pytest.raises(InputError, match="x must be a number of at least 0, got -1"):
        not_negative("x", -1)


def test_axes():
    axes_of_space(2, (1, 2, 3))
    for wrong in (0, 4, 2.0, True, "2"):
        with pytest.raises(InputError, match="ndim must be 1, 2 or 3, got"):
            axes_of_space(wrong, (1, 2, 3))
    with pytest.raises(InputError, match="ndim must be 2, got 3"):
        axes_of_space(3, (2,))
