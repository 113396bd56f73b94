import numpy as np
import pytest

from opforge.datasets.reading.picking import ends_of_parts, positions
from opforge.errors import InputError


@pytest.mark.parametrize("indices", [[0, 2, -1], np.array([0, 2, 4], np.uint8), [True, False, True, False, True]])
def test_positions_are_counted_from_the_front(indices):
    assert positions(indices, 5, "samples").tolist() == [0, 2, 4]
    assert positions([], 5, "samples").tolist() == []


@pytest.mark.parametrize(
    ("indices", "match"),
    [
        ([5], "between 0 and 4, got 5; the dataset has 5 samples"),
        ([-6], "got -6"),
        ([True], r"a truth value for each of the 5 samples, got shape \(1,\)"),
        ([0.5], "a sequence of integers or a mask"),
        (3, "a sequence of integers or a mask, got 3"),
    ],
)
def test_what_is_no_position(indices, match):
    with pytest.raises(InputError, match=match):
        positions(indices, 5, "samples")


def test_parts_end_one_after_the_other():
    assert ends_of_parts((2, 3), 5).tolist() == [2, 5]
    for total in (7, 10, 1000):
        ends = ends_of_parts((0.7, 0.2, 0.1), total)
        assert ends[-1] == total and np.abs(np.diff([0, *ends]) - np.array([0.7, 0.2, 0.1]) * total).max() <= 1
    with pytest.raises(InputError, match="at most the 5 samples"):
        ends_of_parts((3, 3), 5)
    with pytest.raises(InputError, match="all be numbers of samples or all be fractions"):
        ends_of_parts((3, 0.5), 5)
