"""Settings of the command's own process, made before torch is loaded. The library leaves its caller's process alone."""

from __future__ import annotations

import ctypes
import os
import platform
import signal

# mallopt's parameters, from glibc's malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def tune() -> None:
    """Make training steps faster; what the user set in the environment stands.

    - Threads that wait for each other soon sleep instead of spinning for milliseconds, which is ruinous on a machine
      that has other work to do.
    - Freed arrays of up to 32 MB stay with the process. glibc gives them back to the system and gets them anew, page
      by page, at every step.

    A step of the quickstart takes 48 ms instead of 66 ms on an idle machine with two cores, 93 ms instead of 247 ms
    beside a process that keeps one of them busy (benchmarks/results/process_settings.csv).
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # read by GNU's OpenMP when it is loaded
    if platform.libc_ver()[0] == "glibc" and not any(name.startswith("MALLOC_") for name in os.environ):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 2**25)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


_terminated = False  # whether the system asked the process to end


def interrupt_when_terminated() -> None:
    """Answer SIGTERM, with which a batch system ends a job, as Ctrl-C: what is done is kept, no process is left."""
    signal.signal(signal.SIGTERM, _interrupt)


def terminated() -> bool:
    """Whether that happened."""
    return _terminated


def _interrupt(*_: object) -> None:
    global _terminated
    _terminated = True
    raise KeyboardInterrupt
