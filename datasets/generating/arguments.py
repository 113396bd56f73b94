"""The arguments of `opforge.generate`, checked before any work is done."""

from __future__ import annotations

import operator
import os
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

from opforge.core import Grid
from opforge.datasets.arguments import whole_number
from opforge.datasets.generating.pace import cost
from opforge.datasets.generating.parallel import available_cpus
from opforge.datasets.recipe import Recipe
from opforge.errors import InputError

# Below this cost, starting processes takes longer than they save.
_WORTH_PROCESSES = 2**20

# Assumed where the system does not tell its memory.
_USUAL_MEMORY = 16 * 2**30


def checked_dtype(name: str) -> np.dtype:
    """The type of the fields that are kept.

    Raises:
        InputError: neither of the two.
    """
    if name not in ("float32", "float64"):
        raise InputError(f"dtype must be 'float32' or 'float64', got {name!r}")
    return np.dtype(name)


def checked_level(compression: Any) -> int | None:
    """The level of compression; None for none.

    Raises:
        InputError: no whole number from 1 to 9.
    """
    if compression is None:
        return None
    if isinstance(compression, bool) or not 1 <= whole_number("compression", compression, 0) <= 9:
        raise InputError(f"compression must be a level from 1 (fast) to 9 (small), or None, got {compression!r}")
    return int(compression)


def checked_shard(shard: Any, samples: int) -> tuple[int, int]:
    """The samples (first, stop) that a shard (i, n) of ``samples`` has; those of all shards differ by at most one.

    Raises:
        InputError: numbers that are no shard, more shards than samples.

    Example:
        >>> [checked_shard((i, 3), 10) for i in (1, 2, 3)]
        [(0, 3), (3, 6), (6, 10)]
    """
    try:
        number, count = (operator.index(value) for value in shard)
    except (TypeError, ValueError) as error:
        raise InputError(f"shard must be two whole numbers (i, n), the i-th of n parts, got {shard!r}") from error
    if not 1 <= number <= count:
        raise InputError(f"shard must be (i, n) with i from 1 to n, got {number}/{count}; shards count from 1")
    if count > samples:
        raise InputError(f"shard must be one of at most {samples} parts, a sample each, got {number}/{count}")
    return (number - 1) * samples // count, number * samples // count


def checked_path(name: str, given: Any) -> Path:
    """A path.

    Raises:
        InputError: neither text nor a path.
    """
    if not isinstance(given, str | os.PathLike):
        raise InputError(f"{name} must be a path, got {given!r}")
    return Path(given)


def checked_workers(recipe: Recipe, grid: Grid, samples: int, workers: int | None, executor: Executor | None) -> int:
    """How many processes to use; refuses what they could not hold in memory.

    Raises:
        InputError: no number of processes, a resolution that does not fit the memory.
    """
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise InputError(
            f"executor must be a concurrent.futures.Executor, got {executor!r}; for processes of this machine give "
            "workers="
        )
    wanted = 1 if workers is None else whole_number("workers", workers, 1)
    needed, memory = recipe.bytes_per_point * grid.size * recipe.at_once(grid), total_memory()
    if needed > memory:
        raise InputError(
            f"resolution {'x'.join(map(str, grid.shape))} is {grid.size:.3g} points, which take about "
            f"{needed / 1e9:,.0f} GB of memory, this machine has {memory / 1e9:,.0f} GB; lower the resolution"
        )
    if executor is None and needed * wanted > memory:
        raise InputError(
            f"workers must be at most {memory // needed} at this resolution (each takes about {needed / 1e9:.1f} GB of "
            f"memory, this machine has {memory / 1e9:.1f} GB), got {wanted}"
        )
    if workers is not None:
        return min(wanted, samples)
    frames = 1 if recipe.times is None else len(recipe.times)
    if executor is None and samples * (cost(grid) + (frames - 1) * grid.size) < _WORTH_PROCESSES:
        return 1
    return int(min(available_cpus(), samples, memory // needed))


def total_memory() -> int:
    """Bytes of memory of this machine."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not a POSIX system
        return _USUAL_MEMORY
