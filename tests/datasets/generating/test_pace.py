import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets.files.header import Header
from opforge.datasets.generating.pace import Pace, cost
from opforge.datasets.generating.sampling import Made, Plan


def pace(grid, missing, workers=1, size=100):
    header = Header((), ("u",), grid, 10**6)
    return Pace(Plan(None, header, 0, np.dtype("f4")), np.asarray(missing), workers, size)  # type: ignore[arg-type]


@pytest.mark.parametrize(("grid", "most"), [(Grid.cube(2, 512), 1), (Grid.cube(1, 16), 100), (Grid.cube(2, 64), 50)])
def test_the_first_job_is_small(grid, most):
    first = next(pace(grid, range(1000), 2).jobs())
    assert 1 <= len(first.positions) <= most
    assert cost(grid) > grid.size


def test_every_missing_sample_is_in_one_job():
    missing = [0, 1, 2, 5, 6, *range(10, 500)]
    jobs = list(pace(Grid.cube(1, 16), missing, 3).jobs())
    assert [i for job in jobs for i in job.positions] == missing


@pytest.mark.parametrize(("seconds", "expected"), [(0.001, 100), (0.03, 4), (3.0, 1)])
def test_jobs_become_a_tenth_of_a_second(seconds, expected):
    paced = pace(Grid.cube(1, 16), range(10**5))
    jobs = paced.jobs()
    for _ in range(20):
        count = len(next(jobs).positions)
        paced.learn(Made(0, count, None, (), seconds * count))
    assert count == expected


def test_jobs_are_bounded_by_memory_and_shared_by_workers():
    paced = pace(Grid.cube(1, 16), range(1000), size=2**24)
    assert len(next(paced.jobs()).positions) == 4
    assert len(next(pace(Grid.cube(1, 16), range(8), 2).jobs()).positions) == 1
