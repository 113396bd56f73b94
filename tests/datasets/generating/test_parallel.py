import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

import pytest
from threadpoolctl import threadpool_info

from opforge.datasets.generating.parallel import available_cpus, run
from opforge.errors import WorkError


def slow_if_first(index):
    time.sleep(0.2 if index == 0 else 0.0)
    return index, os.getpid()


def fail():
    raise WorkError("sample 3 failed")


def alive(pid):
    """Whether the process runs (one that ended and was not yet collected does not)."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def threads():
    import scipy.linalg  # noqa: F401

    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_in_this_process():
    results = list(run([partial(slow_if_first, i) for i in range(5)], 1))
    assert results == [(i, os.getpid()) for i in range(5)]


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks for processes in /proc")
def test_over_processes_in_order_and_nothing_is_left():
    results = list(run([partial(slow_if_first, i) for i in range(20)], 2))
    assert [index for index, _ in results] == list(range(20))
    workers = {pid for _, pid in results}
    assert os.getpid() not in workers
    assert len(workers) == 2
    assert not any(alive(pid) for pid in workers)


def test_on_an_executor_that_stays_open():
    with ThreadPoolExecutor(2) as executor:
        assert [i for i, _ in run([partial(slow_if_first, i) for i in range(9)], 2, executor)] == list(range(9))
        assert executor.submit(int, "3").result() == 3


def test_few_jobs_are_under_way_at_a_time():
    taken = []

    def jobs():
        for i in range(100):
            taken.append(i)
            yield partial(slow_if_first, i)

    with ThreadPoolExecutor(2) as executor, closing(run(jobs(), 2, executor)) as results:
        next(results)
        assert len(taken) <= 6
        next(results)
        assert len(taken) <= 7


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks for processes in /proc")
def test_stopping_early_ends_the_workers():
    """As an interrupt does: the generator is closed while jobs are running."""
    with closing(run([partial(slow_if_first, 1), *[partial(time.sleep, 60)] * 6], 2)) as results:
        _, pid = next(results)
        assert alive(pid)
        started = time.monotonic()
    assert not alive(pid)
    assert time.monotonic() - started < 30


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("busy", [True, False])
def test_workers_end_soon_after_a_parent_that_was_killed(number, busy):
    """Busy workers too; and stderr, which they share with it, is closed, or whoever reads it would wait."""
    code = """
        import os, sys, time
        from functools import partial
        from opforge.datasets.generating.parallel import run
        jobs = [os.getpid] * 4 + [partial(time.sleep, 600)] * 2 * int(sys.argv[1])
        results = run(jobs, 2)
        print(*{next(results) for _ in range(2)}, flush=True)
        time.sleep(600)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(int(busy))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert workers and all(alive(pid) for pid in workers)
        parent.send_signal(number)
        parent.communicate(timeout=15)  # reads until nobody holds the pipes any more
    assert parent.returncode == -number
    assert not any(alive(pid) for pid in workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_come_through(workers):
    with pytest.raises(WorkError, match="sample 3 failed"):
        list(run([partial(slow_if_first, 1), fail, partial(slow_if_first, 2)], workers))


def test_a_worker_that_dies_is_reported():
    with pytest.raises(WorkError, match=r"a worker process died .*try fewer workers"):
        list(run([partial(os._exit, 1)] * 3, 2))


def test_every_way_uses_one_thread():
    before = threads()
    with ThreadPoolExecutor(1) as executor:
        for workers, pool in ((1, None), (2, None), (1, executor)):
            assert list(run([threads] * 2, workers, pool)) == [{1}, {1}]
    assert threads() == before


def test_workers_leave_interrupts_to_their_parent():
    ignored = list(run([partial(signal.getsignal, number) for number in (signal.SIGINT, signal.SIGTERM)], 2))
    assert ignored == [signal.SIG_IGN] * 2


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="has no signal masks")
def test_interrupts_do_not_reach_workers_that_are_being_started():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    held = list(run([partial(signal.pthread_sigmask, signal.SIG_BLOCK, ())] * 2, 2))
    assert all({signal.SIGINT, signal.SIGTERM} <= one for one in held)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_cpus():
    assert 1 <= available_cpus() <= (os.cpu_count() or 1)
