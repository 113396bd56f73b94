import itertools

import numpy as np
import pytest

from opforge.datasets.reading.stored import Stored

AXES = ("sample", "time", "x", "y", 1)
SIZES = {"sample": 3, "time": 4, "x": 5, "y": 2, 1: 6}
# The numbers of a field, by (sample, time, x, y), in the component 1 of six.
WHOLE = np.random.default_rng(0).standard_normal([SIZES[axis] for axis in AXES])


@pytest.mark.parametrize("order", list(itertools.permutations(range(5)))[::7])
def test_any_order_of_axes_comes_back_as_sample_time_space(order):
    axes = tuple(AXES[i] for i in order)
    stored = Stored(("u",), axes)
    wanted = {"sample": slice(1, 3), "time": slice(2, 3)}
    selected = WHOLE.transpose(order)[stored.selection(wanted)]
    np.testing.assert_array_equal(selected.transpose(stored.order(("x", "y"))), WHOLE[1:3, 2:3, :, :, 1])
    assert stored.kept_axes == tuple(axis for axis in axes if axis != 1)


def test_without_samples_or_time():
    stored = Stored(("u",), ("y", "x"))
    assert stored.selection({"sample": slice(0, 1)}) == (slice(None), slice(None))
    assert stored.order(("x", "y")) == (1, 0)


def test_one_array_for_each_sample():
    assert Stored(("1/u", "2/u"), ("x",)).by_sample
    assert not Stored(("u",), ("x",)).by_sample
    assert not Stored(("u",), ("sample", "x")).by_sample
