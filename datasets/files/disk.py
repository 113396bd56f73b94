"""The file under HDF5, where writing may fail."""

from __future__ import annotations

from io import FileIO
from typing import Any


class Disk:
    """The file under HDF5. It keeps the first failure and goes on as if nothing had happened.

    HDF5 does not survive a failing write: closing fails as well, and the process may crash later. So it is not told;
    who uses it asks for the failure afterwards.
    """

    def __init__(self, file: FileIO):
        self._file = file
        self.failure: OSError | None = None

    def check(self) -> None:
        """Raise the first failure, if there was one."""
        if self.failure is not None:
            raise self.failure

    def _try(self, action: Any, *arguments: Any) -> None:
        if self.failure is None:
            try:
                action(*arguments)
            except OSError as error:
                self.failure = error

    def write(self, data: Any) -> int:
        self._try(self._write_all, memoryview(data))
        return len(data)

    def _write_all(self, data: memoryview) -> None:
        while data:  # without a buffer a write may be short
            data = data[self._file.write(data) :]

    def truncate(self, size: int) -> int:
        self._try(self._file.truncate, size)
        return size

    def flush(self) -> None:
        self._try(self._file.flush)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer)
