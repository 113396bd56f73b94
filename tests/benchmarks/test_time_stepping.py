"""The benchmark of time steppers: contestants that compute the same thing."""

import numpy as np
import pytest
import torch

from opforge.benchmarks import time_stepping
from opforge.benchmarks.contest import REFERENCE


@pytest.mark.parametrize("problem", time_stepping.PROBLEMS, ids=lambda problem: problem.label)
def test_plain_torch_computes_the_same(monkeypatch, problem):
    monkeypatch.setattr(time_stepping, "STEPS", 5)
    start = problem.start()
    assert start.shape == (problem.samples, 1, *problem.grid.shape) and start.dtype == np.float32
    threads = torch.get_num_threads()
    ours = time_stepping.ours(problem, compiled=False).result()[0]
    plain = time_stepping.by_torch(problem, 1).result()[0]
    assert torch.get_num_threads() == threads
    torch.testing.assert_close(plain, ours, rtol=0, atol=1e-4)
    assert (ours - torch.from_numpy(start)).norm() > 1e-4 * ours.norm()


def test_every_case_has_all_contestants():
    for case in time_stepping.cases():
        names = case.contestants(case.passes[0])
        assert set(names) >= {REFERENCE, "exponax", "torch.fft, 2 threads"}
