import numpy as np

from opforge.datasets.reading.kept import Kept
from tests.datasets.reading.examples import FLOAT, HEADER, columns


def test_samples_are_there_once_they_were_put():
    arrays, kept = columns(), Kept(HEADER, dict.fromkeys(HEADER.names, FLOAT))
    assert kept.missing(np.array([3, 1, 3])).tolist() == [1, 3]
    rows = np.array([1, 3])
    kept.put(rows, {name: arrays[name][rows] for name in HEADER.names})
    assert kept.missing(np.array([3, 4, 1, 0])).tolist() == [0, 4]
    for _ in range(2):
        found = kept.read(np.array([3, 1]), {"a": None, "u": np.array([[2], [5]])})
        np.testing.assert_array_equal(found["a"], arrays["a"][[3, 1]])
        np.testing.assert_array_equal(found["u"], [arrays["u"][3, [2]], arrays["u"][1, [5]]])
        found["a"][...] = 0
