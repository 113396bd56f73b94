import numpy as np
import pytest

from opforge.datasets.reading.values import check_finite, native, picked
from opforge.errors import InputError

VALUES = np.arange(24.0).reshape(4, 3, 2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_sample_with_such_a_value_is_named(value):
    check_finite(VALUES, "u", np.arange(4), remedy="none")
    values = VALUES.copy()
    values[2, 1, 0] = values[3, 0, 0] = value
    with pytest.raises(InputError, match=r"^d\.nc: variable 'u' .* not finite .* in sample 7; drop it$"):
        check_finite(values, "u", np.array([9, 8, 7, 6]), where="d.nc", remedy="drop it")


def test_frames_are_picked_for_each_sample():
    samples, frames = np.array([3, 0, 3]), np.array([[0, 2], [1, 1], [2, 0]])
    expected = np.stack([VALUES[i][which] for i, which in zip(samples, frames, strict=True)])
    np.testing.assert_array_equal(picked(VALUES, samples, frames), expected)
    np.testing.assert_array_equal(picked(VALUES, samples, None), VALUES[[3, 0, 3]])


@pytest.mark.parametrize("kind", ["f2", "f4", ">f4", "f8", ">f8", "i1", "i2", "i4", "u8"])
def test_numbers_of_this_machine_hold_what_is_stored(kind):
    found = native(np.dtype(kind))
    assert found.kind == "f" and found.isnative
    assert found.itemsize == (4 if kind in ("f2", "f4", ">f4", "i1", "i2") else 8)
