"""Processes that fork, or start anew, while other threads plan and run transforms."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest
import scipy.fft

from opforge import core
from opforge.core.full_transforms import _fftw, _forks

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning"),
]

LONGEST = 60.0  # seconds until a process counts as hung


def transforms_are_right(threads=1):
    """Whether every library works, with plans that are new to this process and with those of the process before."""
    for shape in ((32, 32), (33, 20), (40, 41, 42)):
        x = np.random.default_rng(0).standard_normal(shape)
        with core.planning(threads=threads):
            for backend in ("fftw", "scipy"):
                assert np.allclose(core.rfftn(x, backend=backend), scipy.fft.rfftn(x), rtol=0, atol=1e-9)
                assert np.allclose(core.dctn(x, backend=backend), scipy.fft.dctn(x), rtol=0, atol=1e-9)
    return True


def child(threads=1):
    os._exit(0 if transforms_are_right(threads) else 1)


def finishes(method, **options):
    process = multiprocessing.get_context(method).Process(target=child, kwargs=options)
    process.start()
    process.join(LONGEST)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode == 0


@pytest.fixture
def in_thread():
    """Run something over and over in threads of its own until the test ends."""
    stop = threading.Event()
    threads, errors = [], []

    def start(work):
        def run():
            try:
                while not stop.is_set():
                    work()
            except BaseException as error:
                errors.append(error)
                raise

        threads.append(threading.Thread(target=run))
        threads[-1].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_child_of_a_process_that_has_plans(method):
    assert transforms_are_right()
    assert finishes(method)


def test_fork_while_another_thread_plans(in_thread):
    """FFTW's planner is between two states then, and pyFFTW's lock for it is held."""
    planning = threading.Event()
    sizes = iter(range(200, 1000))

    def plan():
        with core.planning("measure"):
            planning.set()
            core.fftn(np.ones((next(sizes), 64), complex), backend="fftw")

    in_thread(plan)
    for _ in range(4):
        planning.clear()
        assert planning.wait(LONGEST)
        assert finishes("fork")


def test_fork_waits_for_the_planner(in_thread):
    """The instant before, at a place that the test controls."""
    inside, leave = threading.Event(), threading.Event()

    def plan():
        with _forks.under_way(), _fftw._planner:
            inside.set()
            leave.wait(LONGEST)

    in_thread(plan)
    assert inside.wait(LONGEST)
    done = []
    forking = threading.Thread(target=lambda: done.append(finishes("fork")))
    forking.start()
    forking.join(0.2)
    assert forking.is_alive()
    leave.set()
    forking.join(LONGEST)
    assert done == [True]


def test_forks_while_other_threads_transform(in_thread):
    for seed in range(4):
        rng = np.random.default_rng(seed)

        def work(rng=rng):
            x = rng.standard_normal(tuple(rng.integers(2, 40, 2)))
            with core.planning(threads=2):
                core.rfftn(x, backend="fftw")
                core.dctn(x, backend="scipy")
                core.rfftn(np.ones((4, 128, 128)), (1, 2), backend="scipy")

        in_thread(work)
    for _ in range(6):
        assert finishes("fork", threads=2)


OPENMP = """
import numpy as np, os
from opforge import core
x = np.ones((40, 41, 42))
with core.planning(threads=2):
    core.rfftn(x, backend="fftw")
    pid = os.fork()
    core.rfftn(x, backend="fftw")
if pid == 0:
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_threads_of_openmp_are_left_out_in_a_fork():
    """A fork of a process that has used GNU OpenMP's threads would wait for them for ever."""
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", OPENMP]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as parent:
        try:
            assert parent.communicate(timeout=LONGEST)[0].strip() == "0"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(parent.pid, signal.SIGKILL)


def test_fork_in_the_middle_of_a_transform():
    """As a signal handler may: the thread that forks has its own lock."""
    with _forks.under_way():
        assert finishes("fork")


def test_end_of_a_thread_frees_its_plans_and_its_lock():
    kept = []

    def work():
        core.rfftn(np.ones((6, 34)), backend="fftw")
        (plan,) = _fftw._plans.kept.values()
        kept.append(weakref.ref(plan.source))

    before = len(_forks._locks)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert kept[0]() is None
    assert len(_forks._locks) == before


def test_plans_are_not_carried_into_a_fork():
    core.rfftn(np.ones((6, 34)), backend="fftw")
    plans = _fftw._plans.of_this_process()
    assert plans
    pid = os.fork()
    if pid == 0:
        os._exit(0 if not _fftw._plans.of_this_process() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert _fftw._plans.of_this_process() is plans
