import numpy as np
import pytest

from opforge.datasets.neighbours import runs, spans


@pytest.mark.parametrize(
    ("numbers", "expected"), [([], []), ([3], [range(3, 4)]), ([0, 1, 4], [range(2), range(4, 5)]), ([5, 3, 4], None)]
)
def test_runs_of_neighbours(numbers, expected):
    numbers = np.array(numbers, dtype=int)
    found = runs(numbers)
    assert [i for run in found for i in run] == numbers.tolist()
    assert expected is None or found == expected
    assert [list(numbers[start:stop]) for start, stop in spans(numbers)] == [list(run) for run in found]
