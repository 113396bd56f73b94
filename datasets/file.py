"""Where generated samples go: a netCDF-4 file that appears only when it is whole, or arrays in memory."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import h5py
import numpy as np

from opforge.datasets.header import Header, plain
from opforge.datasets.inspection import DAMAGE, open_hdf5
from opforge.datasets.layout import (
    Places,
    bytes_per_sample,
    checksums,
    columns,
    lay_out,
    places,
    read_samples,
    variables,
)
from opforge.datasets.recipe import Sample
from opforge.errors import InputError, WorkError, no_room

# Besides the numbers: HDF5's own structures and the attributes.
_OVERHEAD = 2**16

# Bytes of samples that are read at once to see which are whole.
_VERIFIED_AT_ONCE = 2**24


class Sink(Protocol):
    """Takes samples in order."""

    header: Header
    count: int  # of the samples that it has

    def append(self, samples: Sequence[Sample], seeds: np.ndarray) -> None: ...


class Arrays:
    """A sink in memory: arrays (samples, …) of all variables, the same as in a file."""

    def __init__(self, header: Header, dtype: np.dtype):
        self.header = header
        self.dtype = dtype
        kinds = variables(header, dtype)
        self.values = {name: np.empty((header.samples, *shape), kind) for name, (kind, shape) in kinds.items()}
        self.count = 0

    def append(self, samples: Sequence[Sample], seeds: np.ndarray) -> None:
        rows = slice(self.count, self.count + len(samples))
        for name, values in columns(samples, seeds, self.header, self.dtype).items():
            self.values[name][rows] = values
        self.count += len(samples)


class FileWriter:
    """A sink in a netCDF-4 file, written as ``<path>.partial`` and renamed when all samples are there.

    Used as a context manager. Samples are written in order, each whole with its checksum. Where the block ends early,
    by an error or an interrupt or because the process is killed, the partial file stays with the samples that it has,
    and a writer with ``resume`` goes on after them; without any it is removed. ``path`` is untouched until the end.

    Args:
        path: the file to be.
        header: what it says about itself.
        dtype: of the fields.
        resume: whether to go on where an earlier writer ended. It starts from nothing where there is nothing.
        overwrite: whether samples of an earlier writer may be thrown away.

    Raises:
        InputError: a folder that may not be written to; a disk that is too full or runs full; another process that is
            writing the same file; samples of an earlier writer that ``resume`` or ``overwrite`` should decide on, or
            that are of another dataset.
        WorkError: writing failed for another reason.
    """

    def __init__(self, path: Path, header: Header, dtype: np.dtype, *, resume: bool = False, overwrite: bool = False):
        self.path = path
        self.header = header
        self.dtype = dtype
        self.partial = partial_of(path)
        self.resume = resume
        self.overwrite = overwrite
        self.count = 0

    def __enter__(self) -> Self:
        self._disk = _Disk(self._opened())
        try:
            if self.count == 0:
                self._places = lay_out(self._disk, self.header, self.dtype)
            self._check()
        except BaseException:
            self._leave()
            raise
        return self

    def _opened(self) -> FileIO:
        """The partial file, locked: a new one, or the one that is there, whose samples are then counted."""
        try:
            if self.partial.exists():
                with ExitStack() as closing:
                    left = closing.enter_context(open(self.partial, "r+b", buffering=0))
                    _lock(left)
                    if self._goes_on(left):
                        closing.pop_all()  # closed by _Disk
                        return left
                    self.partial.unlink()
            check_space(self.path, self.header, self.dtype)
            file = open(self.partial, "x+b", buffering=0)  # noqa: SIM115 -- closed by _Disk
            _lock(file)
        except BlockingIOError as error:
            raise InputError(
                f"{self.partial} is being written by another process; wait or choose another output"
            ) from error
        except OSError as error:
            raise InputError(f"cannot write {self.partial}: {_reason(error)}; choose another output") from error
        return file

    def _goes_on(self, left: FileIO) -> bool:
        """Whether what an earlier writer left is to be gone on with; what is to be thrown away is not asked about."""
        if self.resume:
            found = whole_samples(left, self.path, self.header, self.dtype)
            self._places, self.count = found or ({}, 0)
            return self.count > 0
        if not self.overwrite and left.seek(0, os.SEEK_END) > 0:
            raise InputError(
                f"{self.partial} holds the samples of a run that was interrupted; go on with resume=True (--resume), "
                "or throw them away with overwrite=True (--force)"
            )
        return False

    def append(self, samples: Sequence[Sample], seeds: np.ndarray) -> None:
        """Write the next samples."""
        for name, values in columns(samples, seeds, self.header, self.dtype).items():
            place = self._places[name]
            self._disk.seek(place.offset + self.count * place.size)
            self._disk.write(values.data.cast("B"))
        self._check()
        self.count += len(samples)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._leave()
            return
        try:
            self._disk.finish()
            self._check()
            os.replace(self.partial, self.path)
        except BaseException:
            self._leave()
            raise

    def _check(self) -> None:
        error = self._disk.failure
        if error is not None:
            kind = InputError if no_room(error) else WorkError
            remedy = "free some space or choose another folder"
            if self.count:
                remedy = f"free some space and go on with resume=True (--resume), they are in {self.partial}"
            raise kind(
                f"writing {self.path} failed after {self.count} of {self.header.samples} samples: "
                f"{_reason(error)}; {remedy}"
            ) from error

    def _leave(self) -> None:
        """Close the partial file, and remove it if it has nothing to go on with."""
        self._disk.close()
        if self.count == 0:
            self.partial.unlink(missing_ok=True)
        elif self._disk.failure is None:
            warnings.warn(
                f"{self.count} of {self.header.samples} samples are in {self.partial}; go on with resume=True "
                "(--resume)",
                stacklevel=3,
            )


def partial_of(path: Path) -> Path:
    """Where the samples of ``path`` are while it is being written."""
    return path.with_name(f"{path.name}.partial")


def whole_samples(left: FileIO, path: Path, header: Header, dtype: np.dtype) -> tuple[Places, int] | None:
    """Where the variables of a partial file are and how many samples it has from the first one on, all whole.

    Returns:
        None where not even the structure of the file was written.

    Raises:
        InputError: it is a file of another dataset.
    """
    try:
        with h5py.File(_Disk(left), "r") as hdf5:
            _check_same(partial_of(path), hdf5, header)
            found = places(hdf5, header, dtype)
    except InputError:
        raise
    except DAMAGE:
        return None
    return found, _count_whole(left, found, header.samples)


def _check_same(path: Path, hdf5: h5py.File, header: Header) -> None:
    """Refuse a file that is not of this header's dataset."""
    ours, theirs = header.to_attributes(), {name: plain(value) for name, value in hdf5.attrs.items()}
    for name, value in {"samples": header.samples, **ours}.items():
        found = _samples(hdf5) if name == "samples" else theirs.get(name)
        if found != value:
            raise InputError(
                f"{path} is of another dataset: {name} is {found!r} there and {value!r} here; give the same arguments, "
                "another output, or throw it away with overwrite=True (--force)"
            )


def _samples(hdf5: h5py.File) -> int | None:
    seeds = hdf5.get("seed")
    return seeds.shape[0] if isinstance(seeds, h5py.Dataset) and seeds.ndim else None


def _count_whole(file: FileIO, where: Places, samples: int) -> int:
    """How many samples from the first on agree with their checksums."""
    block = max(1, _VERIFIED_AT_ONCE // sum(place.size for place in where.values()))
    for start in range(0, samples, block):
        arrays = {}
        for name, place in where.items():
            arrays[name] = np.zeros((min(block, samples - start), *place.shape), place.dtype)
            read_samples(file.fileno(), place, start, arrays[name])  # what is beyond the end of the file stays zero
        stored = arrays.pop("checksum")
        whole = checksums(arrays) == stored
        if not whole.all():
            return start + int(np.argmin(whole))
    return samples


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


def is_done(path: Path, header: Header) -> bool:
    """Whether ``path`` is the whole file of this header already.

    Raises:
        InputError: it is another file.
    """
    if not path.exists():
        return False
    try:
        with open_hdf5(path) as hdf5:
            _check_same(path, hdf5, header)
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(f"{path} is damaged: its attributes cannot be read; generate it again") from error
    return True


def check_space(path: Path, header: Header, dtype: np.dtype) -> None:
    """Refuse to start what does not fit on the disk.

    Raises:
        InputError: the file needs more than is free.
    """
    needed = header.samples * bytes_per_sample(header, dtype) + _OVERHEAD
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise InputError(
            f"{path} needs {needed / 1e6:.1f} MB and the disk has {free / 1e6:.1f} MB free; "
            "free some space, choose another folder or generate fewer samples"
        )


def _lock(file: Any) -> None:
    """Take the file for this process while it is open, or raise BlockingIOError."""
    try:
        import fcntl
    except ImportError:  # Windows does not let go of open files without being asked: removing them fails
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
