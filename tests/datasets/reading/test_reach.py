import numpy as np
import pytest

from opforge.datasets.reading.reach import Reach


def by_definition(frames, size):
    """The most runs that are wanted later and were read before, over all pairs in the order of their last frames."""
    order = np.argsort(frames.max(axis=1) // size, kind="stable")
    steps, runs = frames.max(axis=1)[order] // size, [set((row // size).tolist()) for row in frames[order]]
    most = 0
    for step in set(steps.tolist()):
        until = set().union(*(run for run, at in zip(runs, steps, strict=True) if at <= step))
        since = set().union(*(run for run, at in zip(runs, steps, strict=True) if at >= step))
        most = max(most, len(until & since))
    return most


@pytest.mark.parametrize("size", [1, 2, 3, 5, 12, 40])
@pytest.mark.parametrize("offsets", [[0], [0, 1], [0, 1, 2, 3], [0, 4], [0, 3, 6], [11, 0]])
@pytest.mark.parametrize("stride", [1, 3])
def test_how_many_runs_are_alive(size, offsets, stride):
    frames = np.arange(0, 20, stride)[:, None] + offsets
    assert Reach(frames).alive(size) == Reach(frames).alive(size) == by_definition(frames, size)


def test_ends_of_samples_need_two_runs_and_whole_samples_all():
    assert Reach(np.array([[0, 99]])).alive(10) == 2
    assert [Reach.whole(100).alive(size) for size in (10, 33, 100)] == [10, 4, 1]
    assert Reach.whole(0).last.tolist() == [0]
