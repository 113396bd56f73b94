"""How much work goes into planning a transform, and how many threads run it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Literal, NamedTuple, get_args

from opforge.errors import InputError, UnknownNameError

Effort = Literal["estimate", "measure", "patient"]
EFFORTS: tuple[str, ...] = get_args(Effort)
VARIABLE = "OPFORGE_FFTW"

# With fewer numbers, waking threads up costs about as much as they save.
_WORTH_THREADS = 2**16


class Planning(NamedTuple):
    """The effort, and the number of threads."""

    effort: str = "estimate"
    threads: int = 1


# the effort and the threads that blocks have set
_inside: ContextVar[tuple[str | None, int | None]] = ContextVar("opforge_planning", default=(None, None))


@contextmanager
def planning(effort: Effort | None = None, *, threads: int | None = None) -> Iterator[None]:
    """Set how the full transforms (`fftn` … `dstn`) are planned and run in a block.

    - ``"estimate"``, the default: FFTW's rule of thumb, and a fixed choice between FFTW and pocketfft (scipy.fft). The
      same call gives the same bits in every run, and in any number of processes.
    - ``"measure"``: FFTW tries several algorithms when a size is first met, which takes from milliseconds to seconds,
      and keeps the fastest as *wisdom* in the user's cache folder. Fourier transforms then take 0.5 to 0.9 of the time,
      but for sizes with large prime factors; cosine and sine transforms stay with pocketfft, which is faster than any
      plan of FFTW's. The bits of a result are the same as long as the file of wisdom is: not on another machine, nor
      after it was deleted.
    - ``"patient"``: as ``"measure"``, among many more algorithms; planning takes ten times as long and more.

    The block governs its own thread (or asyncio task). Where no block does, the environment variable ``OPFORGE_FFTW``
    sets the effort for the process: ``OPFORGE_FFTW=measure python ...``

    Args:
        effort: see above; unchanged when left out.
        threads: number of threads, from 1, that one large transform (2^16 numbers) may use. Unless set it is 1 for
            numpy arrays, for tensors what torch uses. Results depend on it by rounding errors at most. FFTW's own
            threads get in the way of torch's, and are left out in a forked process, where they would hang.

    Raises:
        InputError: an unknown effort, fewer threads than 1.

    Example:
        >>> import numpy as np
        >>> from opforge.core import rfftn
        >>> with planning(threads=2):
        ...     spectrum = rfftn(np.ones((512, 512)))
    """
    if effort is not None and effort not in EFFORTS:
        raise UnknownNameError("planning effort", str(effort), EFFORTS)
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise InputError(f"threads must be a whole number from 1, got {threads!r}")
    outer_effort, outer_threads = _inside.get()
    token = _inside.set((effort or outer_effort, threads or outer_threads))
    try:
        yield
    finally:
        _inside.reset(token)


def planning_for(size: int, usual_threads: int = 1) -> Planning:
    """How to transform ``size`` numbers here; with ``usual_threads``, if they are many, unless a block says otherwise.

    Raises:
        InputError: OPFORGE_FFTW is set to something else than an effort.

    Example:
        >>> with planning("measure"):
        ...     planning_for(100, usual_threads=8), planning_for(10**6, usual_threads=8)
        (Planning(effort='measure', threads=1), Planning(effort='measure', threads=8))
    """
    effort, threads = _inside.get()
    return Planning(effort or _usual_effort(), 1 if size < _WORTH_THREADS else threads or usual_threads)


@cache
def _usual_effort() -> str:
    # Once, because reading the environment takes a microsecond.
    effort = os.environ.get(VARIABLE) or "estimate"
    if effort not in EFFORTS:
        raise InputError(f"{VARIABLE} must be one of {', '.join(EFFORTS)}, got {effort!r}; correct or unset it")
    return effort


def threads_for(x: object) -> int:
    """How many threads work on an array is to be divided among: as `planning` says, or else 1, for tensors torch's.

    Example:
        >>> import numpy as np
        >>> with planning(threads=2):
        ...     threads_for(np.zeros(3))
        2
    """
    threads = _inside.get()[1]
    if threads is not None:
        return threads
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch is not None and isinstance(x, torch.Tensor) else 1
