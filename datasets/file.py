"""Where generated samples go: a netCDF-4 file that appears only when it is whole, or arrays in memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import h5netcdf
import h5py
import numpy as np

from opforge.datasets.header import Header
from opforge.datasets.recipe import Sample
from opforge.errors import InputError, WorkError, no_room

# Besides the numbers: HDF5's own structures and the attributes.
_OVERHEAD = 2**16

# Attributes of the variables that go with every sample.
SEED = {"long_name": "seed of the sample"}
RESIDUAL = {"long_name": "relative residual of the double precision solution", "units": "1"}


class Sink(Protocol):
    """Takes samples in order."""

    header: Header

    def append(self, samples: Sequence[Sample], seeds: np.ndarray) -> None: ...


class Arrays:
    """A sink in memory: fields (samples, *space), residuals and seeds."""

    def __init__(self, header: Header, dtype: np.dtype):
        self.header = header
        self.fields = {name: np.empty((header.samples, *header.grid.shape), dtype) for name in header.names}
        self.residual = np.empty(header.samples)
        self.seed = np.empty(header.samples, np.uint64)
        self._count = 0

    def append(self, samples: Sequence[Sample], seeds: np.ndarray) -> None:
        rows = slice(self._count, self._count + len(samples))
        for name, values in self.fields.items():
            values[rows] = [sample.fields[name] for sample in samples]
        self.residual[rows] = [sample.residual for sample in samples]
        self.seed[rows] = seeds
        self._count += len(samples)


class FileWriter:
    """A sink in a netCDF-4 file, written as ``<path>.partial`` and renamed when all samples are there.

    Used as a context manager. Whatever ends the block early, the partial file is removed and ``path`` is untouched.

    Args:
        path: the file to be.
        header: what it says about itself.
        dtype: of the fields.

    Raises:
        InputError: a folder that may not be written to; a disk that is too full or runs full; another process that is
            writing the same file.
        WorkError: writing failed for another reason.
    """

    def __init__(self, path: Path, header: Header, dtype: np.dtype):
        self.path = path
        self.header = header
        self.dtype = dtype
        self.partial = path.with_name(f"{path.name}.partial")
        self._count = 0

    def __enter__(self) -> Self:
        check_space(self.path, self.header, self.dtype)
        self._disk = _Disk(_create(self.partial))
        try:
            # netCDF wants the order of creation to be kept
            self._hdf5 = h5py.File(self._disk, "w", track_order=True)
            _lay_out(self._hdf5, self.header, self.dtype)
            self._check()
        except BaseException:
            self._abandon()
            raise
        return self

    def append(self, samples: Sequence[Sample], seeds: np.ndarray) -> None:
        rows = slice(self._count, self._count + len(samples))
        columns = {
            **{name: np.stack([sample.fields[name] for sample in samples]) for name in self.header.names},
            "solver_residual": np.array([sample.residual for sample in samples]),
            "seed": seeds,
        }
        for name, values in columns.items():
            variable: Any = self._hdf5[name]
            variable[rows] = values
        self._count += len(samples)
        self._check()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._abandon()
            return
        try:
            self._hdf5.close()
            self._disk.finish()
            self._check()
            os.replace(self.partial, self.path)
        except BaseException:
            self._abandon()
            raise

    def _check(self) -> None:
        error = self._disk.failure
        if error is not None:
            kind = InputError if no_room(error) else WorkError
            raise kind(
                f"writing {self.path} failed after {self._count} of {self.header.samples} samples: "
                f"{_reason(error)}; the partial file is removed, free some space or choose another folder"
            ) from error

    def _abandon(self) -> None:
        if hasattr(self, "_hdf5"):
            self._hdf5.close()
        self._disk.close()
        self.partial.unlink(missing_ok=True)


class _Disk:
    """The file under HDF5. It keeps the first failure and goes on as if nothing had happened.

    HDF5 does not survive a failing write: closing fails as well, and the process may crash later. So it is not told;
    `FileWriter` asks for the failure after every step.
    """

    def __init__(self, file: FileIO):
        self._file = file
        self.failure: OSError | None = None

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

    def finish(self) -> None:
        """Have the system write everything now, and close."""
        self._try(os.fsync, self._file.fileno())
        self._try(self._file.close)

    def close(self) -> None:
        with suppress(OSError):  # what was written is thrown away
            self._file.close()


def check_output(path: Path, *, overwrite: bool) -> None:
    """Refuse an output that cannot be written before any work is done.

    Raises:
        InputError: a file that exists and shall not be overwritten, a folder, a device or a pipe in its place, a
            folder that is missing.
    """
    if path.is_dir():
        raise InputError(f"out must be a file, {path} is a folder; name a file in it, such as {path / 'darcy.nc'}")
    if path.exists() and not path.is_file():  # renaming the partial file to it would remove it from the system
        raise InputError(f"out must be a file, {path} is a device, a pipe or a socket; choose another name")
    if path.exists() and not overwrite:
        raise InputError(f"out names {path}, which exists; choose another name or set overwrite=True (--force)")
    if not path.parent.is_dir():
        raise InputError(f"out lies in the folder {path.parent}, which does not exist; create it first")


def check_space(path: Path, header: Header, dtype: np.dtype) -> None:
    """Refuse to start what does not fit on the disk.

    Raises:
        InputError: the file needs more than is free.
    """
    needed = header.samples * (header.grid.size * len(header.names) * dtype.itemsize + 16) + _OVERHEAD
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise InputError(
            f"{path} needs {needed / 1e6:.1f} MB and the disk has {free / 1e6:.1f} MB free; "
            "free some space, choose another folder or generate fewer samples"
        )


def _create(partial: Path) -> FileIO:
    """Create the partial file and lock it; one that a killed process left is removed, one in use is not."""
    try:
        if partial.exists():
            with open(partial, "r+b") as left:
                _lock(left)
            partial.unlink()
        file = open(partial, "x+b", buffering=0)  # noqa: SIM115 -- closed by _Disk
        _lock(file)
    except BlockingIOError as error:
        raise InputError(f"{partial} is being written by another process; wait or choose another output") from error
    except OSError as error:
        raise InputError(f"cannot write {partial}: {_reason(error)}; choose another output") from error
    return file


def _lock(file: Any) -> None:
    """Take the file for this process while it is open, or raise BlockingIOError."""
    try:
        import fcntl
    except ImportError:  # Windows does not let go of open files without being asked: removing them fails
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _lay_out(hdf5: h5py.File, header: Header, dtype: np.dtype) -> None:
    """Create dimensions, variables and attributes as netCDF has them."""
    grid, axes = header.grid, header.grid.axis_names
    # h5netcdf is given the open HDF5 file, not its path, and leaves it open
    with h5netcdf.File(hdf5, "w") as file:
        file.dimensions = {"sample": header.samples, **dict(zip(axes, grid.shape, strict=True))}
        file.attrs.update(header.to_attributes())
        variables: dict[str, tuple[tuple[str, ...], Any, dict[str, str]]] = {
            **{axis: ((axis,), np.float64, {"long_name": f"{axis} coordinate", "units": "1"}) for axis in axes},
            **{name: (("sample", *axes), dtype, header.describe(name)) for name in header.names},
            "seed": (("sample",), np.uint64, SEED),
            "solver_residual": (("sample",), np.float64, RESIDUAL),
        }
        coordinates = dict(zip(axes, grid.coordinates(), strict=True))
        for name, (dimensions, kind, attributes) in variables.items():
            variable = file.create_variable(name, dimensions, dtype=kind, data=coordinates.get(name))
            variable.attrs.update(attributes)


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
