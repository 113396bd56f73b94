"""Peaks of calls whose need of memory is known."""

import json
import os
import subprocess
import sys

import pytest
import torch

from opforge.benchmarks.memory import ENVIRONMENT, allocated

MEGA = 2**20

MEASURE = """
import json, torch
from opforge.benchmarks.memory import allocated, resident
torch.set_num_threads(1)
x = torch.ones(2**20)

def run():
    y = x + 1  # 4 MB
    z = torch.cat([y, y])  # 8 MB more, so 12
    del y
    return (z * 2).sum()  # z and 8 MB, so 16

run()
print(json.dumps([allocated(run), resident(run)]))
"""


@pytest.fixture(scope="module")
def measured():
    """[allocated, resident] of `run` above, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_the_allocators_peak_counts_what_lives_at_once(measured):
    assert measured[0] == pytest.approx(16 * MEGA, abs=1000)  # the sum is a few bytes


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_the_resident_peak_agrees(measured):
    assert measured[1] == pytest.approx(measured[0], abs=MEGA)


@pytest.mark.filterwarnings("ignore::UserWarning")  # the profiler's own
def test_what_stood_before_does_not_count():
    x = torch.ones(MEGA)
    assert allocated(lambda: x.sum()) < 1000
