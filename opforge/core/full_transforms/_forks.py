"""A process that forks waits until its transforms under way have ended.

While FFTW plans, its planner is between two states, and pocketfft (scipy.fft) locks its table of plans for moments. A
child forked in that instant by another thread would find the planner broken or the lock held by a thread that it does
not have, and would wait for ever. So every thread holds a lock of its own while a transform runs, and a fork takes
all of them first. A thread pays for taking its own lock, about 0.1 µs; threads never wait for one another.
"""

from __future__ import annotations

import os
import threading
import weakref

# Not a WeakSet of bare locks alone: the list keeps those alive that the fork at hand has taken.
_locks: weakref.WeakSet[threading.RLock] = weakref.WeakSet()
_taken: list[threading.RLock] = []
_changing = threading.RLock()
_fork_waits = False


# Seconds; not for ever, for this thread may be in the middle of a transform that a signal handler interrupted.
_PATIENCE = 0.1


class _Mine(threading.local):
    def __init__(self) -> None:
        # Re-entrant: a signal handler that forks may run in the middle of a transform.
        self.lock = threading.RLock()
        with _changing:
            _locks.add(self.lock)


_mine = _Mine()


def under_way() -> threading.RLock:
    """This thread's lock: ``with under_way():`` around work that a fork must not interrupt.

    No Python code that takes foreign locks (logging, warnings) may run inside.
    """
    # Let a fork go first that waits: a thread that takes its lock again at once would keep it waiting.
    if _fork_waits and _changing.acquire(timeout=_PATIENCE):
        _changing.release()
    return _mine.lock


def _before_fork() -> None:
    global _fork_waits
    _changing.acquire()
    _fork_waits = True
    _taken.extend(_locks)
    for lock in _taken:
        lock.acquire()


def _after_fork() -> None:
    global _fork_waits
    while _taken:
        _taken.pop().release()
    _fork_waits = False
    _changing.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
