import itertools

import numpy as np
import pytest

from opforge.datasets.reading.windows import Windows
from opforge.errors import InputError

CHOICES = list(itertools.product((2, 3, 7, 10), (1, 2, 4), (1, 3), (1, 2, 3), (1, 2, 5)))


@pytest.mark.parametrize("frames", [2, 3, 7, 10])
def test_every_run_that_fits_is_a_pair_and_no_other(frames):
    for _, given, wanted, step, stride in (choice for choice in CHOICES if choice[0] == frames):
        runs = [[start + step * i for i in range(given + wanted)] for start in range(0, frames, stride)]
        runs = [run for run in runs if run[-1] < frames]
        if not runs:
            with pytest.raises(InputError, match=f"must fit the {frames} frames of a sample, got {given} .* {wanted}"):
                Windows.along(frames, given, wanted, step, stride)
            continue
        windows = Windows.along(frames, given, wanted, step, stride)
        pairs = np.arange(len(windows.starts))
        assert windows.frames(pairs, wanted=False).tolist() == [run[:given] for run in runs]
        assert windows.frames(pairs, wanted=True).tolist() == [run[given:] for run in runs]


def test_pairs_in_any_order():
    windows = Windows.along(9, 2, 1, 2, 1)
    all_pairs = windows.frames(np.arange(5), wanted=False)
    np.testing.assert_array_equal(windows.frames(np.array([4, 0, 4]), wanted=False), all_pairs[[4, 0, 4]])
    assert windows.frames(np.array([], int), wanted=True).shape == (0, 1)


@pytest.mark.parametrize("frames", [1, 2, 9])
def test_unless_told_the_ends_make_the_pair(frames):
    windows = Windows.ends(frames)
    assert windows.frames(np.array([0]), wanted=False).tolist() == [[0]]
    assert windows.frames(np.array([0]), wanted=True).tolist() == [[frames - 1]]
    assert windows.channels("u", wanted=False) == windows.channels("u", wanted=True) == ("u",)


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize(("given", "wanted"), [(1, 1), (3, 1), (1, 2), (4, 3)])
def test_channels_count_from_the_last_that_is_given(given, wanted, step):
    windows = Windows.along(30, given, wanted, step, 1)
    before = [f"u[{i}]" for i in range(1 - given, 1)] if given > 1 else ["u"]
    after = [f"u[{i}]" for i in range(1, wanted + 1)] if wanted > 1 else ["u"]
    assert list(windows.channels("u", wanted=False)) == before
    assert list(windows.channels("u", wanted=True)) == after


@pytest.mark.parametrize("name", ["given", "wanted", "step", "stride"])
@pytest.mark.parametrize(("value", "match"), [(0, "at least 1 frame, got 0"), (1.5, "a whole number of frames, got 1")])
def test_wrong_numbers_are_named(name, value, match):
    with pytest.raises(InputError, match=f"{name} must be {match}"):
        Windows.along(10, **{"given": 1, "wanted": 1, "step": 1, "stride": 1, name: value})
