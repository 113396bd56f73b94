"""Jobs over processes: results in order, few at a time, nothing left running."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from opforge.datasets.generating.dask_cluster import cluster_error
from opforge.errors import InputError, WorkError

Result = TypeVar("Result")

# One thread for every library that would start more: the processes share the cores, and sums keep their order.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "BLIS_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
}

# Read by glibc when a process starts: freed arrays of up to 32 MB stay with the worker, which needs the like again for
# the next sample. Getting them anew, page by page, takes as long as many a solver.
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}

# How often a worker looks whether its parent is still there.
_LOOK_SECONDS = 1.0


def available_cpus() -> int:
    """Cores that this process may use, limits of containers included."""
    from loky import cpu_count

    return cpu_count()


def run(jobs: Iterable[Callable[[], Result]], workers: int, executor: Executor | None = None) -> Generator[Result]:
    """Do the jobs and yield their results in order.

    At most a few jobs per worker are under way or waiting to be taken, so memory does not grow with their number.

    Args:
        jobs: functions without arguments that can be pickled.
        workers: 1 works in this process, more starts as many processes. With an ``executor``, how many jobs it is
            expected to do at once.
        executor: does the jobs instead; it is not shut down.

    Raises:
        WorkError: a worker process died; whatever a job raises comes through.
    """
    if executor is not None:
        # threads share this process and its libraries, other workers have their own
        inside = isinstance(executor, ThreadPoolExecutor)
        waiting: deque[Future] = deque()
        try:
            with _one_thread() if inside else nullcontext():
                yield from _in_order(executor, jobs if inside else map(_Limited, jobs), 3 * workers, waiting)
        finally:
            for future in waiting:
                future.cancel()
    elif workers == 1:
        with _one_thread():
            for job in jobs:
                yield job()
    else:
        with _processes(workers) as pool:
            yield from _in_order(pool, jobs, 3 * workers, deque())


def _submitted(executor: Executor, job: Callable[[], Result]) -> Future:
    try:
        with _signals_held():
            return executor.submit(job)
    except BrokenExecutor:
        raise
    except RuntimeError as error:  # what concurrent.futures raises
        raise InputError(
            f"executor must take jobs, got one that does not: {error}; give one that is running"
        ) from error


def _in_order(
    executor: Executor, jobs: Iterable[Callable[[], Result]], ahead: int, waiting: deque[Future]
) -> Iterator[Result]:
    """Results in the order of the jobs; ``waiting`` holds the futures that are not yet handed on."""
    try:
        for job in jobs:
            waiting.append(_submitted(executor, job))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenExecutor as error:
        raise WorkError(
            f"a worker process died ({(str(error).splitlines() or [type(error).__name__])[0]}); "
            "memory may have run out, try fewer workers or a lower resolution"
        ) from error
    except Exception as error:
        lost = cluster_error(error)
        if lost is None:
            raise
        raise lost from error


@contextmanager
def _processes(workers: int) -> Iterator[Executor]:
    """Fresh processes; killed at once when the block is left early, by an interrupt or a failure."""
    # loky starts processes without running __main__ again: no `if __name__ == "__main__"` in the user's script
    from loky import ProcessPoolExecutor

    _start_trackers()
    memory = {} if any(name.startswith("MALLOC_") for name in os.environ) else _KEEP_MEMORY  # the user's stand
    pool = ProcessPoolExecutor(workers, env=ONE_THREAD | memory, initializer=_start_worker, initargs=(os.getpid(),))
    finished = False
    try:
        yield pool
        finished = True
    finally:
        pool.shutdown(wait=True, kill_workers=not finished)


@contextmanager
def _signals_held() -> Iterator[None]:
    """A block in which Ctrl-C and SIGTERM wait.

    Processes that are started within are never reached by them, so that Ctrl-C shows no traceback of one that is still
    importing what it needs.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_trackers() -> None:
    """Start the processes that look after a pool's semaphores.

    They would else be started with the first worker, and that lets signals through again that `_signals_held` holds.
    """
    if os.name == "posix":
        from multiprocessing import resource_tracker

        from loky.backend.resource_tracker import ensure_running

        resource_tracker.ensure_running()
        ensure_running()


def _start_worker(parent: int) -> None:
    """Ctrl-C reaches every process of the terminal, a batch system's SIGTERM every process of a job; the parent alone
    answers them and ends the workers.

    A parent that is killed cannot end them: they notice that it is gone and end themselves.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.name == "posix":  # elsewhere the parent's number tells nothing about its life
        threading.Thread(target=_end_without, args=(parent,), daemon=True).start()


def _end_without(parent: int) -> None:
    """End this process, whatever it does, when it is no longer the child of ``parent``."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


class _Limited:
    """A job that keeps its process's libraries at one thread while it runs."""

    def __init__(self, job: Callable):
        self.job = job

    def __call__(self):
        with _one_thread():
            return self.job()


def _one_thread():
    import scipy.linalg  # noqa: F401 -- brings a BLAS of its own, and only libraries that are loaded can be limited
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)
