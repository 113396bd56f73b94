"""How many samples a job makes: a tenth of a second's work, learned from the jobs that are done."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from opforge.core import Grid
from opforge.datasets.generating.sampling import Job, Made, Plan
from opforge.datasets.neighbours import runs

# A job shall take so long: far longer than handing it over, and short enough to see the end of it soon.
_SECONDS = 0.1

# What a job holds in memory at most, unless one sample is more.
_BYTES = 2**26

# Samples that a job has at least before it is known how long they take: those that two to this many points make.
_FIRST_POINTS = 2**16


def cost(grid: Grid) -> int:
    """What a sample costs, in points: a solver's steps in Python take as long as two thousand points."""
    return grid.size + 2**11


class Pace:
    """Cuts the samples that are missing into jobs.

    Args:
        plan: what is generated.
        missing: positions of the samples to make, increasing.
        workers: how many make them at once.
        bytes_per_sample: of what a job keeps until it is done.
    """

    def __init__(self, plan: Plan, missing: np.ndarray, workers: int, bytes_per_sample: int):
        self._plan = plan
        self._runs = runs(missing)
        self._left = len(missing)
        self._workers = workers
        self._most = max(1, _BYTES // bytes_per_sample)
        self._seconds = 0.0  # of one sample, as far as is known
        self._guess = max(1, _FIRST_POINTS // cost(plan.header.grid))
        self._together = 1 if plan.recipe is None else plan.recipe.at_once(plan.header.grid)

    def learn(self, made: Made) -> None:
        """Take in how long a job took."""
        seconds = made.seconds / made.count
        self._seconds = seconds if self._seconds == 0.0 else 0.7 * self._seconds + 0.3 * seconds

    def jobs(self) -> Iterator[Job]:
        """The jobs, in the order of the samples, each as large as is right when it is asked for."""
        for run in self._runs:
            start = run.start
            while start < run.stop:
                stop = start + self._size()
                stop += -(self._plan.header.first + stop) % self._together  # what is solved together stays together
                stop = min(stop, run.stop)
                yield Job(self._plan, range(start, stop))
                self._left -= stop - start
                start = stop

    def _size(self) -> int:
        wanted = self._guess if self._seconds == 0.0 else math.ceil(_SECONDS / self._seconds)
        return max(1, min(wanted, self._most, math.ceil(self._left / (4 * self._workers))))
