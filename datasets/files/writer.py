"""Where generated samples go: a netCDF-4 file that appears only when it is whole, or arrays in memory."""

from __future__ import annotations

import errno
import os
import shutil
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, cast

import h5py
import numpy as np

from opforge.datasets.files.columns import bytes_per_sample, empty_columns
from opforge.datasets.files.disk import Disk
from opforge.datasets.files.header import Header
from opforge.datasets.files.layout import SLOTS_MAGIC, failed_sample, lay_out, places
from opforge.datasets.files.opening import DAMAGE
from opforge.datasets.files.outputs import (
    check_same,
    check_space,
    identity,
    identity_of,
    let_go,
    no_writer,
    size_text,
)
from opforge.datasets.files.probe import probe
from opforge.datasets.files.seal import Span, chunk_spans, place_spans, seal_of
from opforge.datasets.files.slots import Slots, assemble, identity_of_slots
from opforge.datasets.files.structure import renew
from opforge.datasets.files.targets import PlainTarget, SlotTarget, Target, WriteError, clipped
from opforge.datasets.files.whole import assembled_of, note_said, partial_of, samples_left
from opforge.errors import InputError, WorkError, make_room, no_room

# Bytes of samples that are looked at to see whether there are any.
_LOOKED_AT = 2**28


class Sink(Protocol):
    """Takes samples in any order."""

    header: Header
    missing: np.ndarray  # positions of the samples that it lacks, increasing
    target: Target | None  # where other processes may write them themselves

    def put(self, start: int, arrays: dict[str, np.ndarray]) -> None:
        """Take neighbouring samples, the first of which has the position ``start``."""
        ...

    def wrote(self, start: int, count: int, failed: int = 0) -> None:
        """Learn that so many samples from ``start`` on were written to the target, of which some failed."""
        ...

    def fail(self, reasons: list[str]) -> None:
        """Learn why samples failed whose values were put or written as NaN."""
        ...


class Arrays:
    """A sink in memory: arrays (samples, …) of all variables, the same as in a file."""

    target = None

    def __init__(self, header: Header, dtype: np.dtype):
        self.header = header
        self.dtype = dtype
        self.values = empty_columns(header, dtype, header.samples)
        self.missing = np.arange(header.samples)

    def put(self, start: int, arrays: dict[str, np.ndarray]) -> None:
        for name, values in arrays.items():
            self.values[name][start : start + len(values)] = values

    def wrote(self, start: int, count: int, failed: int = 0) -> None:
        raise AssertionError("memory has no target that others could write to")

    def fail(self, reasons: list[str]) -> None:
        pass  # generate warns of them


class FileWriter:
    """A sink in a netCDF-4 file, written as ``<path>.partial`` and renamed when all samples are there.

    Used as a context manager. Every sample has a place of its own, to which any process may write it, with a checksum.
    Where the block ends early, by an error or an interrupt or because the process is killed, the partial file stays
    with the samples that it has, and a writer with ``resume`` goes on with those that are missing or failed; without
    any it is removed. ``path`` is untouched until the end.

    Args:
        path: the file to be.
        header: what it says about itself.
        dtype: of the fields.
        compression: level of zlib's compression of the fields, 1 to 9; None keeps them plain.
        resume: whether to go on where an earlier writer ended. It starts from nothing where there is nothing.
        overwrite: whether samples of an earlier writer may be thrown away.

    Raises:
        InputError: a folder that may not be written to; a disk that is too full or runs full; another process that is
            writing the same file; samples of an earlier writer that ``resume`` or ``overwrite`` should decide on, or
            that are of another dataset.
        WorkError: writing failed for another reason.
    """

    target: Target

    def __init__(
        self,
        path: Path,
        header: Header,
        dtype: np.dtype,
        *,
        compression: int | None = None,
        resume: bool = False,
        overwrite: bool = False,
    ):
        self.path = path
        self.header = header
        self.dtype = dtype
        self.partial = partial_of(path)
        self.resume = resume
        self.overwrite = overwrite
        self.missing = np.arange(0)  # known when it is entered
        self._slots = None if compression is None else Slots(header, dtype, compression)
        self._count = 0
        self._failed = 0  # of these
        self._told = False  # whether an error says where the samples are

    @property
    def count(self) -> int:
        """Samples that are known to be written."""
        return self._count

    @property
    def failed(self) -> int:
        """Samples among them that failed."""
        return self._failed

    @property
    def _resuming(self) -> str:
        """What the user gives to go on with the samples that are there."""
        return "overwrite=True, resume=True (--force --resume)" if self.path.exists() else "resume=True (--resume)"

    def __enter__(self) -> Self:
        self._file = self._opened()
        try:
            assembled_of(self.path).unlink(missing_ok=True)  # left by a process that was killed
            if self._count == 0:
                self._begin()
        except OSError as error:
            self._leave(failed=True)
            raise self._failure(error) from error
        except BaseException:
            self._leave()
            raise
        return self

    def _opened(self) -> FileIO:
        """The partial file, locked: a new one, or the one that is there, whose samples are then counted."""
        try:
            if self.partial.exists():
                with ExitStack() as closing, samples_left(self.path):
                    left = closing.enter_context(open(self.partial, "r+b", buffering=0))
                    no_writer(left)
                    if self._goes_on(left):
                        self._check_space(len(self.missing))
                        closing.pop_all()  # closed when the writer ends
                        return left
                    self.partial.unlink()
            self._check_space(self.header.samples)
            file = open(self.partial, "x+b", buffering=0)  # noqa: SIM115 -- closed when the writer ends
            no_writer(file)
        except BlockingIOError as error:
            raise InputError(
                f"{self.partial} is being written by another process; wait or choose another output"
            ) from error
        except OSError as error:
            raise InputError(f"cannot write {self.partial}: {_reason(error)}; choose another output") from error
        return file

    def _check_space(self, samples: int) -> None:
        check_space(self.path, self.header, self.dtype, samples=samples, compressed=self._slots is not None)

    def _goes_on(self, left: FileIO) -> bool:
        """Whether what an earlier writer left is to be gone on with; what is to be thrown away is not asked about."""
        if self.resume:
            found = self._left_target(left)
            if found is None:
                return False
            whole = found.whole(left.fileno(), self.header.samples)
            self.target, self.missing, self._count = found, np.flatnonzero(~whole), int(whole.sum())
            if self._count > 0:
                if isinstance(found, PlainTarget):
                    renew(left, self.header, self.dtype, found.places)
                found.write_failures([])  # those samples are made again
            return self._count > 0
        if not self.overwrite and left.seek(0, os.SEEK_END) > 0:
            raise InputError(
                f"{self.partial} holds the samples of a run that was interrupted; go on with {self._resuming}, "
                "or throw them away with overwrite=True (--force)"
            )
        return False

    def _left_target(self, left: FileIO) -> Target | None:
        """What an earlier writer wrote to; None where not even the structure of the file was written.

        Raises:
            InputError: it is a file of another dataset, or compressed otherwise.
        """
        here = identity(self.header, self.dtype, None if self._slots is None else self._slots.level)
        if os.pread(left.fileno(), len(SLOTS_MAGIC), 0) == SLOTS_MAGIC:
            there = identity_of_slots(left.fileno())
            if there is None:
                return None
            check_same(self.partial, there, here)
            assert self._slots is not None, "the compression is the same"
            return SlotTarget(self.partial, self._slots)
        try:
            probe(self.partial)
        except InputError:  # HDF5 would not survive it
            return None
        try:
            with h5py.File(Disk(left), "r") as hdf5:
                check_same(self.partial, identity_of(hdf5, self.header), here)
                return PlainTarget(self.partial, places(hdf5, self.header, self.dtype), self.header.samples)
        except InputError:
            raise
        except DAMAGE:
            return None

    def _begin(self) -> None:
        """Set room aside in a new file."""
        self.missing = np.arange(self.header.samples)
        if self._slots is None:
            disk = Disk(self._file)
            found = lay_out(disk, self.header, self.dtype)
            disk.check()
            self.target = PlainTarget(self.partial, found, self.header.samples)
        else:
            self._begin_slots(self._slots)
            self.target = SlotTarget(self.partial, self._slots)

    def _begin_slots(self, slots: Slots) -> None:
        end = slots.first + self.header.samples * slots.size
        try:
            Disk(self._file).write(slots.preamble())
            self._file.truncate(end)
        except (OSError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno not in (errno.EFBIG, errno.EINVAL):
                raise
            raise InputError(
                f"{self.partial} must have room for what does not compress, {size_text(end)}, which is more than this "
                "disk or the limit on the size of a file (ulimit -f) allows; generate it in parts (--shard)"
            ) from error

    def put(self, start: int, arrays: dict[str, np.ndarray]) -> None:
        try:
            self.target.write(start, arrays)
        except WriteError as error:
            raise self._failure(error) from error
        self.wrote(start, len(arrays["seed"]), int(np.isnan(arrays["solver_residual"]).sum()))

    def wrote(self, start: int, count: int, failed: int = 0) -> None:
        self._count += count
        self._failed += failed

    def fail(self, reasons: Sequence[str]) -> None:
        """Keep further reasons in the file."""
        try:
            known = self.target.read_failures(self._file.fileno())
            self.target.write_failures(sorted({*known, *map(clipped, reasons)}, key=_place))
        except WriteError as error:
            raise self._failure(error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            if isinstance(error, WriteError):  # from a worker
                self._leave(failed=True)
                raise self._failure(cast(OSError, error)) from error
            self._leave(failed=self._told)
            if error is not None:
                note_said(error)
            return
        if self._count < self.header.samples:
            self._leave()
            return
        try:
            self._finish()
        except OSError as failed:
            self._leave(failed=True)
            raise self._failure(failed) from failed
        except BaseException:
            self._leave()
            raise

    def _finish(self) -> None:
        """Seal the file, have the system write everything now, and give the file its name."""
        whole = self.partial
        if self._slots is not None:
            whole = assembled_of(self.path)
            if self._slots.total(self._file.fileno()) > shutil.disk_usage(self.path.parent).free:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            try:
                with open(whole, "x+b", buffering=0) as file:
                    disk = Disk(file)
                    assemble(disk, self._file.fileno(), self._slots)
                    disk.check()
                    with h5py.File(Disk(file), "r") as hdf5:
                        spans = chunk_spans(hdf5, self.header.names)
                    _seal(file, spans)
                    os.fsync(file.fileno())
            except BaseException:
                whole.unlink(missing_ok=True)
                raise
        else:
            assert isinstance(self.target, PlainTarget), "only slots are assembled"
            _seal(self._file, place_spans(self.target.places, self.header.names, self.header.samples))
            os.fsync(self._file.fileno())
        os.replace(whole, self.path)
        if self._slots is not None:
            self.partial.unlink()
        let_go(self._file)
        self._file.close()

    def _failure(self, error: OSError) -> InputError | WorkError:
        kind = InputError if no_room(error) else WorkError
        remedy = f"{make_room(error)} or choose another folder"
        if self._count > self._failed:
            remedy = f"{make_room(error)} and go on with {self._resuming}, they are in {self.partial}"
        self._told = True
        return kind(
            f"writing {self.path} failed after {self._count} of {self.header.samples} samples: "
            f"{_reason(error)}; {remedy}"
        )

    def _leave(self, *, failed: bool = False) -> None:
        """Close the partial file, and remove it if it has nothing to go on with."""
        good = self._count - self._failed
        with suppress(OSError):
            if self._count == 0 and not failed and hasattr(self, "target"):
                # other processes may have written some that they did not yet tell of: the first ones
                first = max(1, _LOOKED_AT // bytes_per_sample(self.header, self.dtype))
                good = int(self.target.whole(self._file.fileno(), min(first, self.header.samples)).sum())
            let_go(self._file)
            self._file.close()
        if good == 0:
            self.partial.unlink(missing_ok=True)
        elif not failed:
            warnings.warn(
                f"{good} of {self.header.samples} samples are in {self.partial}; go on with {self._resuming}",
                stacklevel=3,
            )


def _seal(file: FileIO, spans: Sequence[Span]) -> None:
    """End a file with its seal, in the place of an earlier one if there is one."""
    end, seal = seal_of(file.fileno(), spans)
    file.truncate(end)
    disk = Disk(file)
    disk.seek(end)
    disk.write(seal)
    disk.check()


def _place(reason: str) -> tuple[int, str]:
    """Failures in the order of their samples."""
    return failed_sample(reason), reason


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
