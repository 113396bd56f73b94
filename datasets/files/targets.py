"""Where samples are written while a file is being made: by any process, in any order, each to a place of its own."""

from __future__ import annotations

import errno
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from opforge.datasets.files.columns import PAGE, SUMMED_WITH, checksums
from opforge.datasets.files.layout import FAILURES, REASON_BYTES, Places, failure_room, read_bytes, split_reasons
from opforge.datasets.files.slots import Slots

# Bytes of samples that are read at once to see which are whole.
_VERIFIED_AT_ONCE = 2**24

# Bytes of a file from which on samples are written past the system's cache, and of what is worth a write of its own.
_LARGE = 2**30
_WORTH_DIRECT = 2**18


class WriteError(OSError):
    """Samples could not be written; it tells a full disk from an error of the work itself."""


@dataclass(frozen=True)
class Target(ABC):
    """A file that takes samples; it can be sent to other processes of this machine.

    Args:
        path: the file, which must exist.
        owner: the process that makes the file. Its workers may outlive it for a moment, in which the path may already
            be that of another file.
    """

    path: Path
    owner: int = field(default_factory=os.getpid, kw_only=True)

    def write(self, start: int, arrays: dict[str, np.ndarray]) -> None:
        """Write neighbouring samples.

        Args:
            start: position of the first in the file.
            arrays: (samples, …) as `opforge.datasets.files.columns.variables` has them.

        Raises:
            WriteError: the system refuses.
        """
        try:
            if self.owner not in (os.getpid(), os.getppid()):
                raise ProcessLookupError(errno.ESRCH, "the process that makes the file is gone")
            with ExitStack() as closing:
                file = closing.enter_context(open(self.path, "r+b", buffering=0)).fileno()
                around = closing.enter_context(_around_the_cache(self.path)) if self.large else None
                for offset, data in self._pieces(start, arrays):
                    if not (around is not None and _write_pages(around, offset, data)):
                        _write_at(file, offset, data)
        except OSError as error:
            raise WriteError(error.errno, error.strerror) from error

    @property
    def large(self) -> bool:
        """Whether the file is too large to be worth a place in the system's cache."""
        return False

    def write_failures(self, reasons: Sequence[str]) -> None:
        """Keep why samples failed, as many as there is room for and as much of each.

        Raises:
            WriteError: the system refuses.
        """
        rows, width = self._failure_room
        data = b"".join(clipped(reason).encode().ljust(width, b"\0") for reason in reasons[:rows])
        try:
            with open(self.path, "r+b", buffering=0) as file:
                _write_at(file.fileno(), self._failures_at, memoryview(data.ljust(rows * width, b"\0")))
        except OSError as error:
            raise WriteError(error.errno, error.strerror) from error

    def read_failures(self, file: int) -> list[str]:
        """The reasons that `write_failures` kept."""
        rows, width = self._failure_room
        return split_reasons(os.pread(file, rows * width, self._failures_at))

    @property
    @abstractmethod
    def _failures_at(self) -> int: ...

    @property
    @abstractmethod
    def _failure_room(self) -> tuple[int, int]: ...

    @abstractmethod
    def _pieces(self, start: int, arrays: dict[str, np.ndarray]) -> Sequence[tuple[int, memoryview]]:
        """What to write where."""

    @abstractmethod
    def whole(self, file: int, samples: int) -> np.ndarray:
        """Which samples are there: they agree with their checksums and did not fail. A truth value for each."""


@dataclass(frozen=True)
class PlainTarget(Target):
    """A file whose samples lie at known places.

    Args:
        path: the file.
        places: where.
        samples: how many it has room for.
    """

    places: Places
    samples: int

    @property
    def large(self) -> bool:
        return self.samples * sum(place.size for place in self.places.values()) >= _LARGE

    @property
    def _failures_at(self) -> int:
        return self.places[FAILURES].offset

    @property
    def _failure_room(self) -> tuple[int, int]:
        return failure_room(self.samples)

    def _pieces(self, start: int, arrays: dict[str, np.ndarray]) -> Sequence[tuple[int, memoryview]]:
        places = ((self.places[name], values) for name, values in arrays.items())
        return [(place.offset + start * place.size, values.data.cast("B")) for place, values in places]

    def whole(self, file: int, samples: int) -> np.ndarray:
        places = {name: place for name, place in self.places.items() if name != FAILURES}
        block = max(1, _VERIFIED_AT_ONCE // sum(place.size for place in places.values()))
        found = np.zeros(samples, bool)
        for start in range(0, samples, block):
            arrays = {}
            for name, place in places.items():
                arrays[name] = np.zeros((min(block, samples - start), *place.shape), place.dtype)
                # what is beyond the end of the file stays zero
                read_bytes(file, place.offset + start * place.size, arrays[name])
            there = checksums(arrays) == arrays["checksum"]
            found[start : start + block] = there & ~np.isnan(arrays["solver_residual"])
        return found


@dataclass(frozen=True)
class SlotTarget(Target):
    """A sparse file of slots for compressed samples.

    Args:
        path: the file.
        slots: its plan.
    """

    slots: Slots

    @property
    def _failures_at(self) -> int:
        return self.slots.room

    @property
    def _failure_room(self) -> tuple[int, int]:
        return failure_room(self.slots.header.samples)

    def _pieces(self, start: int, arrays: dict[str, np.ndarray]) -> Sequence[tuple[int, memoryview]]:
        slots, rows = self.slots, len(arrays[SUMMED_WITH[0]])
        return [(slots.first + (start + row) * slots.size, memoryview(slots.pack(arrays, row))) for row in range(rows)]

    def whole(self, file: int, samples: int) -> np.ndarray:
        found = np.zeros(samples, bool)
        for index in range(samples):
            body = self.slots.whole(file, index)
            found[index] = body is not None and not np.isnan(self.slots.chunks(body)[0][0])
        return found


@contextmanager
def _around_the_cache(path: Path) -> Iterator[int | None]:
    """The file opened for writing whole pages past the system's cache; None where the system cannot.

    To fill the cache takes the processor as long as a cheap solver, and the samples that are there already their place.
    """
    file = None
    with suppress(OSError):  # a file system that lacks it
        file = os.open(path, os.O_WRONLY | os.O_DIRECT) if hasattr(os, "O_DIRECT") else None
    try:
        yield file
    finally:
        if file is not None:
            os.close(file)


def _write_pages(file: int, offset: int, data: memoryview) -> bool:
    """Write what begins and ends at pages, in the file and in memory; whether it does, and the system has done so."""
    address = np.frombuffer(data, np.uint8).ctypes.data
    if len(data) < _WORTH_DIRECT or offset % PAGE or len(data) % PAGE or address % PAGE:
        return False
    try:
        return os.pwrite(file, data, offset) == len(data)
    except OSError as error:
        if error.errno == errno.EINVAL:  # a disk with larger blocks
            return False
        raise


def _write_at(file: int, offset: int, data: memoryview) -> None:
    while data:  # a write may be short
        count = os.pwrite(file, data, offset)
        data, offset = data[count:], offset + count


def clipped(reason: str) -> str:
    """As much of the reason of a failure as is kept: what fits so many bytes of UTF-8.

    Example:
        >>> len(clipped("é" * 1000)), clipped("short")
        (128, 'short')
    """
    return reason.encode(errors="replace")[:REASON_BYTES].decode(errors="ignore")
