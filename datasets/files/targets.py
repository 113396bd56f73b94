"""Where samples are written while a file is being made: by any process, in any order, each to a place of its own."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from opforge.datasets.files.layout import (
    FAILURE_ROOM,
    FAILURES,
    SUMMED_WITH,
    Places,
    checksums,
    read_bytes,
)
from opforge.datasets.files.slots import Slots

# Bytes of samples that are read at once to see which are whole.
_VERIFIED_AT_ONCE = 2**24


class WriteError(OSError):
    """Samples could not be written; it tells a full disk from an error of the work itself."""


@dataclass(frozen=True)
class Target(ABC):
    """A file that takes samples; it can be sent to other processes of this machine.

    Args:
        path: the file, which must exist.
    """

    path: Path

    def write(self, start: int, arrays: dict[str, np.ndarray]) -> None:
        """Write neighbouring samples.

        Args:
            start: position of the first in the file.
            arrays: (samples, …) as `opforge.datasets.files.layout.variables` has them.

        Raises:
            WriteError: the system refuses.
        """
        try:
            with open(self.path, "r+b", buffering=0) as file:
                for offset, data in self._pieces(start, arrays):
                    _write_at(file.fileno(), offset, data)
        except OSError as error:
            raise WriteError(error.errno, error.strerror) from error

    def write_failures(self, reasons: Sequence[str]) -> None:
        """Keep why samples failed, as many as there is room for.

        Raises:
            WriteError: the system refuses.
        """
        rows, width = FAILURE_ROOM
        data = b"".join(_clipped(reason, width).ljust(width, b"\0") for reason in reasons[:rows])
        try:
            with open(self.path, "r+b", buffering=0) as file:
                _write_at(file.fileno(), self._failures_at, memoryview(data.ljust(rows * width, b"\0")))
        except OSError as error:
            raise WriteError(error.errno, error.strerror) from error

    def read_failures(self, file: int) -> list[str]:
        """The reasons that `write_failures` kept."""
        rows, width = FAILURE_ROOM
        data = os.pread(file, rows * width, self._failures_at).ljust(rows * width, b"\0")
        found = (data[i * width : (i + 1) * width].rstrip(b"\0") for i in range(rows))
        return [text.decode(errors="replace") for text in found if text]

    @property
    @abstractmethod
    def _failures_at(self) -> int: ...

    @abstractmethod
    def _pieces(self, start: int, arrays: dict[str, np.ndarray]) -> Sequence[tuple[int, memoryview]]:
        """What to write where."""

    @abstractmethod
    def whole(self, file: int, samples: int) -> np.ndarray:
        """Which samples agree with their checksums: a truth value for each."""


@dataclass(frozen=True)
class PlainTarget(Target):
    """A file whose samples lie at known places.

    Args:
        path: the file.
        places: where.
    """

    places: Places

    @property
    def _failures_at(self) -> int:
        return self.places[FAILURES].offset

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
                read_bytes(
                    file, place.offset + start * place.size, arrays[name]
                )  # what is beyond the end of the file stays zero
            found[start : start + block] = checksums(arrays) == arrays["checksum"]
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

    def _pieces(self, start: int, arrays: dict[str, np.ndarray]) -> Sequence[tuple[int, memoryview]]:
        slots, rows = self.slots, len(arrays[SUMMED_WITH[0]])
        return [(slots.first + (start + row) * slots.size, memoryview(slots.pack(arrays, row))) for row in range(rows)]

    def whole(self, file: int, samples: int) -> np.ndarray:
        return np.array([self.slots.whole(file, index) is not None for index in range(samples)])


def _write_at(file: int, offset: int, data: memoryview) -> None:
    while data:  # a write may be short
        count = os.pwrite(file, data, offset)
        data, offset = data[count:], offset + count


def _clipped(text: str, size: int) -> bytes:
    """As much of a text as fits so many bytes of UTF-8."""
    return text.encode()[:size].decode(errors="ignore").encode()
