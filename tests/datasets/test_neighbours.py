import numpy as np
import pytest

from opforge.datasets.neighbours import aligned, equal_runs, runs, spans


@pytest.mark.parametrize(
    ("numbers", "expected"), [([], []), ([3], [range(3, 4)]), ([0, 1, 4], [range(2), range(4, 5)]), ([5, 3, 4], None)]
)
def test_runs_of_neighbours(numbers, expected):
    numbers = np.array(numbers, dtype=int)
    found = runs(numbers)
    assert [i for run in found for i in run] == numbers.tolist()
    assert expected is None or found == expected
    assert [list(numbers[start:stop]) for start, stop in spans(numbers)] == [list(run) for run in found]


@pytest.mark.parametrize("first", [0, 3, 100])
@pytest.mark.parametrize("size", [1, 4, 7])
def test_aligned_ranges_are_all_numbers_cut_at_multiples(first, size):
    ranges = aligned(2, 30, size, first)
    assert [i for numbers in ranges for i in numbers] == list(range(2, 30))
    assert all((first + numbers.stop) % size == 0 for numbers in ranges[:-1])
    assert all(0 < len(numbers) <= size for numbers in ranges)


def test_nothing_is_cut_into_nothing():
    assert aligned(3, 3, 4) == []


@pytest.mark.parametrize(("values", "expected"), [([], []), ([7], [1]), ([2, 2, 2], [3]), ([1, 1, 0, 1, 1], [2, 1, 2])])
def test_runs_of_equal_values(values, expected):
    values = np.array(values, int)
    found = [values[start:stop].tolist() for start, stop in equal_runs(values)]
    assert np.array_equal([value for run in found for value in run], values) and [len(run) for run in found] == expected
    assert all(len(set(run)) == 1 for run in found)
