import numpy as np

from opforge.datasets.reading.reach import Reach
from opforge.datasets.reading.source import ArraySource
from tests.datasets.reading.examples import HEADER, columns


def test_arrays_in_memory_are_read_in_any_order_and_belong_to_the_caller():
    arrays = columns()
    source, frames = (
        ArraySource(HEADER, {name: arrays[name].copy() for name in HEADER.names}),
        np.array([[6, 0], [2, 2]]),
    )
    for _ in range(2):
        found = source.read(np.array([4, 1]), {"a": None, "u": frames})
        np.testing.assert_array_equal(found["a"], arrays["a"][[4, 1]])
        np.testing.assert_array_equal(found["u"], [arrays["u"][4, [6, 0]], arrays["u"][1, [2, 2]]])
        for values in found.values():
            values[...] = 0


def test_no_order_of_reading_memory_is_cheaper_than_another():
    source = ArraySource(HEADER, columns())
    assert source.places(np.arange(5), np.zeros(5, int), Reach.whole(7)) is None
    with source.passing():
        assert source.drawn(np.arange(2)) == {}
