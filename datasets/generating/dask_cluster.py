"""Many machines: the workers of a Dask cluster as an executor."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager
from typing import Any

from opforge import __version__
from opforge.errors import InputError, WorkError

# How long to look for the scheduler.
_CONNECT_SECONDS = 10


@contextmanager
def dask_executor(address: str) -> Iterator[tuple[Executor, int]]:
    """An executor for `opforge.generate` whose work the workers of a Dask cluster do.

    A worker that is lost costs nothing but its time: the scheduler has what it was doing done again by another, up to
    its own limit (``distributed.scheduler.allowed-failures``). A sample that fails is not tried again.

    Args:
        address: of the scheduler, such as ``"tcp://10.0.0.1:8786"``.

    Yields:
        The executor, and how many jobs the cluster does at once.

    Raises:
        InputError: Dask is not installed, no scheduler at the address, no workers, workers without this opforge.
        WorkError: the cluster gave up.

    Example:
        >>> with dask_executor("nowhere"):
        ...     pass
        Traceback (most recent call last):
        ...
        opforge.errors.InputError: dask must be a scheduler's address such as tcp://10.0.0.1:8786, got 'nowhere'
    """
    if "://" not in address:
        raise InputError(f"dask must be a scheduler's address such as tcp://10.0.0.1:8786, got {address!r}")
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError("dask needs the package distributed; pip install 'opforge[distributed]'") from error
    quiet = logging.getLogger("distributed.client")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL)  # what it has to say is raised, too, without pages of tracebacks
    try:
        with _client(Client, address) as client:
            yield client.get_executor(pure=False), _threads(client, address)
    finally:
        quiet.setLevel(level)


def _client(kind: Any, address: str) -> Any:
    try:
        return kind(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"no Dask scheduler answers at {address}; start one with `dask scheduler` and workers with `dask worker`"
        ) from error


def _threads(client: Any, address: str) -> int:
    """How many jobs the cluster does at once; refuses one that cannot do any."""
    threads = sum(client.nthreads().values())
    if not threads:
        raise InputError(f"the Dask scheduler at {address} has no workers; start some with `dask worker {address}`")
    _check_workers(client)
    return threads


def _check_workers(client) -> None:
    """Refuse workers that have no opforge, or another version of it, whose numbers may differ."""
    try:
        versions = client.run(_version)
    except (ImportError, AttributeError) as error:
        raise InputError(f"the Dask workers have no opforge {__version__}; install it there") from error
    for worker, version in versions.items():
        if version != __version__:
            raise InputError(f"the Dask worker {worker} has opforge {version}, here is {__version__}; install the same")


def _version() -> str:
    return __version__


def cluster_error(error: Exception) -> WorkError | None:
    """What to raise for an error of Dask itself; None for any other."""
    if isinstance(error, CancelledError):
        return WorkError("the work was cancelled: the executor was shut down, or the Dask scheduler went away")
    if type(error).__module__.split(".")[0] != "distributed":
        return None
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return WorkError(f"the Dask cluster gave up: {first}; look at its workers' logs, memory may have run out")
