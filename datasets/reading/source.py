"""Where a dataset's numbers are: an HDF5 file, read when asked; several of them; or arrays in memory."""

from __future__ import annotations

import math
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from opforge.datasets.files.contents import array_at
from opforge.datasets.files.header import Header
from opforge.datasets.files.opening import DAMAGE, open_hdf5
from opforge.datasets.files.packing import packing, unpack
from opforge.datasets.neighbours import spans
from opforge.datasets.reading.blocks import Blocks
from opforge.datasets.reading.checksums import Checksums
from opforge.datasets.reading.plain import PlainReader
from opforge.datasets.reading.stored import Stored
from opforge.datasets.reading.values import check_finite, picked
from opforge.errors import InputError

if TYPE_CHECKING:
    import xarray

# Which frames of which sample: (len(samples), frames) positions; None for a field that does not evolve.
Frames = Mapping[str, np.ndarray | None]

# Files whose fields take less stay in memory once they were read.
KEEP_BYTES = 2**30

# Samples are read at most so many bytes at a time where they are only compared with their checksums.
_COMPARED_AT_ONCE = 2**26

# What to do about values that are not finite.
_REMEDY = "leave the sample out or generate the file again"


class Source(ABC):
    """Gives samples by their position in the whole set."""

    path: Path | None
    place: str  # in words
    # How many blocks are kept once they were read, see `blocks`.
    blocks_kept: int = 1

    def blocks(self, samples: np.ndarray) -> np.ndarray | None:
        """Numbers of the blocks that samples are read in: those of one block cost as much to read as one of them.

        None where every sample, and every frame of it, is read by itself.
        """
        return None

    def passing(self) -> AbstractContextManager[object]:
        """A block in which samples are read once: what is read in it does not stay in memory."""
        return nullcontext()

    @abstractmethod
    def read(self, samples: np.ndarray, frames: Frames) -> dict[str, np.ndarray]:
        """Values of the fields that ``frames`` names, new arrays.

        Args:
            samples: positions, in any order.
            frames: for each field None, or which of its frames for each sample.

        Returns:
            Floating point arrays (len(samples), *space), or (len(samples), frames, *space) of fields that evolve.

        Raises:
            InputError: values that are not finite, a damaged file.
        """

    def drawn(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        """The drawn parameters of samples at these positions: new arrays, float64 (len(samples),), by name.

        Raises:
            InputError: as `read` does.
        """
        return {}

    @abstractmethod
    def to_xarray(self, header: Header) -> xarray.Dataset:
        """All samples with coordinates and attributes."""


class ArraySource(Source):
    """Samples in memory.

    Args:
        header: what they are.
        arrays: (samples, [frames], *space) of every field.
        others: (samples,) of what goes with every sample, drawn parameters among it: name -> array and attributes.
    """

    path = None
    place = "memory"

    def __init__(
        self,
        header: Header,
        arrays: Mapping[str, np.ndarray],
        others: Mapping[str, tuple[np.ndarray, Mapping[str, str]]] | None = None,
    ):
        self._header = header
        self._arrays = dict(arrays)
        self._others = dict(others or {})

    def read(self, samples: np.ndarray, frames: Frames) -> dict[str, np.ndarray]:
        return {name: picked(self._arrays[name], samples, which) for name, which in frames.items()}

    def drawn(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        return {name: self._others[name][0][samples] for name in self._header.drawn}

    def to_xarray(self, header: Header) -> xarray.Dataset:
        import xarray

        fields = {
            name: (tuple(header.dimensions(name)), self._arrays[name], header.describe(name)) for name in header.names
        }
        others = {name: (("sample",), values, attributes) for name, (values, attributes) in self._others.items()}
        coordinates = {name: ((name,), values, header.describe(name)) for name, values in header.coordinates().items()}
        return xarray.Dataset(fields | others, coordinates, header.to_attributes())


class HDF5Source(Source):
    """Samples in an HDF5 file; opened by each process when it first reads, closed when the object goes.

    Args:
        path: the file.
        header: what it holds.
        fields: where in the file each of ``header.names`` is.
        netcdf: whether the file is netCDF-4 with these names and dimensions, which xarray opens itself.
        drawn: where in the file each of ``header.drawn`` is.
    """

    def __init__(
        self,
        path: Path,
        header: Header,
        fields: Mapping[str, Stored],
        *,
        netcdf: bool = False,
        drawn: Mapping[str, Stored] | None = None,
    ):
        self.path: Path = path
        self.place = str(path)
        self._header = header
        self._fields = dict(fields)
        self._drawn = dict(drawn or {})
        self._netcdf = netcdf
        self._state = self._now()
        self._forget()

    def _now(self) -> tuple[int, int]:
        """What tells whether the file is still the one that was described: the same wherever it is mounted."""
        status = os.stat(self.path)
        return status.st_size, status.st_mtime_ns

    def _forget(self) -> None:
        self._file: h5py.File | None = None
        self._process = -1
        self._opened: dict[str, list[h5py.Dataset]] = {}
        self._packing: dict[str, dict[str, Any]] = {}
        self._kinds: dict[str, np.dtype] = {}
        self._keeps = False
        self._passing = 0  # blocks of `passing` that are open
        self._sums: Checksums | None = None
        self._plain: PlainReader | None = None
        self._blocks: Blocks | None = None
        self._parameters: dict[str, np.ndarray] | None = None  # those drawn, of all samples
        self._loaded = np.zeros(self._header.samples, dtype=bool)
        self._kept: dict[str, np.ndarray] | None = None
        self._lock, self._locked_in = threading.RLock(), os.getpid()

    def _guard(self) -> threading.RLock:
        """What lets one thread at a time read; a process that was forked has its own."""
        if self._locked_in != os.getpid():
            self._lock, self._locked_in = threading.RLock(), os.getpid()
        return self._lock

    def __getstate__(self) -> dict[str, Any]:
        kept = ("path", "place", "_header", "_fields", "_drawn", "_netcdf", "_state")
        return {name: getattr(self, name) for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self._forget()

    @contextmanager
    def passing(self) -> Iterator[None]:
        self._passing += 1
        try:
            yield
        finally:
            self._passing -= 1

    def blocks(self, samples: np.ndarray) -> np.ndarray | None:
        with self._guard():
            self._open()
            if self._blocks is None or self._keeps:
                return None
            self.blocks_kept = self._blocks.most
            return samples // self._blocks.samples

    def read(self, samples: np.ndarray, frames: Frames) -> dict[str, np.ndarray]:
        with self._guard():
            self._open()
            kept = self._keep() if not self._passing else self._kept if self._loaded[samples].all() else None
            if kept is not None:
                missing = np.unique(samples[~self._loaded[samples]])
                if missing.size:
                    for name, values in self._whole(self._header.names, missing).items():
                        kept[name][missing] = values
                    self._loaded[missing] = True
                return {name: picked(kept[name], samples, which) for name, which in frames.items()}
            if all(which is None for which in frames.values()):
                if self._sums is not None and not set(self._sums.names) <= frames.keys():
                    self._compare(np.unique(samples))
                order, inverse = np.unique(samples, return_inverse=True)
                return {name: values[inverse] for name, values in self._whole(tuple(frames), order).items()}
            self._compare(np.unique(samples))
            return {name: self._some(name, samples, which) for name, which in frames.items()}

    def drawn(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        found = {name: values[samples] for name, values in self._all_drawn().items()}
        for name, values in found.items():
            check_finite(values, name, samples, where=str(self.path), remedy=_REMEDY)
        return found

    def _all_drawn(self) -> dict[str, np.ndarray]:
        """The drawn parameters of all samples, NaN for those that failed."""
        with self._guard():
            self._open()
            if self._parameters is None:
                assert self._file is not None, "it was opened"
                try:
                    self._parameters = {name: _numbers(self._file, stored) for name, stored in self._drawn.items()}
                except DAMAGE as error:
                    raise InputError(
                        f"{self.path} is damaged: its drawn parameters cannot be read; copy or generate the file again"
                    ) from error
            return self._parameters

    def kind(self, name: str) -> np.dtype:
        """Type of the numbers that a field stands for."""
        with self._guard():
            self._open()
            return self._kinds[name]

    def _open(self) -> None:
        # After a fork the parent's handle must not be used: its position is shared.
        if self._file is not None and self._process == os.getpid():
            return
        with ExitStack() as closing:
            file = closing.enter_context(open_hdf5(self.path))
            if self._now() != self._state:
                raise InputError(f"{self.path} was replaced or changed after it was opened; open it again")
            try:
                opened = {
                    name: [array_at(file, path) for path in stored.paths] for name, stored in self._fields.items()
                }
                self._packing = {name: packing(name, arrays[0].attrs) for name, arrays in opened.items()}
                self._kinds = {
                    name: _native(unpack(np.empty(0, arrays[0].dtype), self._packing[name]).dtype)
                    for name, arrays in opened.items()
                }
                self._sums = Checksums.of(file, self._header)
                self._plain = PlainReader.of(self.path, self._header, self._fields, opened)
                self._blocks = Blocks.of(self._header, self._fields, opened)
            except DAMAGE as error:
                what = str(error) if isinstance(error, InputError) else "its structure cannot be read"
                raise InputError(f"{self.path} is damaged: {what}; copy or generate the file again") from error
            closing.pop_all()  # it stays open
        self._opened = opened
        self._keeps = self._is_kept()
        self._file, self._process = file, os.getpid()

    def _is_kept(self) -> bool:
        """Whether what was read stays in memory: that of files that are not too large.

        Plain samples stay in the system's own cache, from which they come as fast and without being there twice.
        """
        if self._plain is not None and self._plain.has(self._header.names):
            return False
        header = self._header
        sizes = (math.prod(header.shape(name)) * self._kinds[name].itemsize for name in header.names)
        return header.samples * sum(sizes) < KEEP_BYTES

    def _keep(self) -> dict[str, np.ndarray] | None:
        """Arrays for all samples, filled as they are read; None for a file whose samples are not kept."""
        if self._keeps and self._kept is None:
            # the system hands out memory page by page, as samples come
            self._kept = {
                name: np.empty((self._header.samples, *self._header.shape(name)), self._kinds[name])
                for name in self._header.names
            }
        return self._kept

    def _whole(self, names: Sequence[str], samples: np.ndarray) -> dict[str, np.ndarray]:
        """All of these fields of increasing samples, checked to be finite and as they were written."""
        stored = {name: self._stored(name, samples) for name in names}
        fields = {name: self._checked(name, values, samples) for name, values in stored.items()}
        self._agree(stored, samples)
        return fields

    def _stored(self, name: str, samples: np.ndarray) -> np.ndarray:
        """A field of increasing samples as the file keeps it; neighbours are read in one go."""
        values = np.empty((len(samples), *self._header.shape(name)), self._file_kind(name))
        for start, stop in spans(samples):
            self._read(name, int(samples[start]), None, values[start:stop])
        return values

    def _some(self, name: str, samples: np.ndarray, frames: np.ndarray | None) -> np.ndarray:
        """Some frames of a field; neighbouring frames of a sample are read in one go."""
        if frames is None:
            order, inverse = np.unique(samples, return_inverse=True)
            return self._checked(name, self._stored(name, order), order)[inverse]
        values = np.empty((*frames.shape, *self._header.grid.shape), self._file_kind(name))
        for row, (sample, which) in enumerate(zip(samples, frames, strict=True)):
            for start, stop in spans(which):
                self._read(name, int(sample), int(which[start]), values[row : row + 1, start:stop])
        return self._checked(name, values, samples)

    def _read(self, name: str, start: int, frame: int | None, into: np.ndarray) -> None:
        """Fill ``into`` (samples, [frames], *space) from sample ``start``, from ``frame`` on."""
        if self._plain is not None and self._plain.read(name, start, frame or 0, into):
            return
        try:
            if self._blocks is not None and self._blocks.read(name, start, frame or 0, into, self._from_hdf5):
                return
            self._from_hdf5(name, start, frame, into)
        except DAMAGE as error:
            raise InputError(
                f"{self.path} is damaged: variable {name!r} cannot be read at sample {start}; "
                "copy or generate the file again"
            ) from error

    def _from_hdf5(self, name: str, start: int, frame: int | None, into: np.ndarray) -> None:
        stored, arrays = self._fields[name], self._opened[name]
        wanted = {"sample": slice(start, start + len(into))}
        if "time" in stored.axes:
            first = frame or 0
            wanted["time"] = slice(first, first + into.shape[1])
        space = self._header.grid.axis_names
        order, constant = stored.order(space), stored.constant(space)

        def values(array: h5py.Dataset) -> np.ndarray:
            return np.expand_dims(array[stored.selection(wanted)].transpose(order), constant)

        if stored.by_sample:
            for row, array in enumerate(arrays[start : start + len(into)]):
                into[row] = values(array)
        else:
            into[...] = values(arrays[0])  # the same for all samples, or points, where it lacks an axis

    def _file_kind(self, name: str) -> np.dtype:
        kind = self._opened[name][0].dtype
        return kind if self._packing[name] else _native(kind)

    def _checked(self, name: str, values: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """The numbers that were meant, all of them finite."""
        values = unpack(values, self._packing[name]).astype(self._kinds[name], copy=False)
        check_finite(values, name, samples, where=str(self.path), remedy=_REMEDY)
        return values

    def _compare(self, samples: np.ndarray) -> None:
        """Read samples whole that were never compared with their checksums."""
        if self._sums is None:
            return
        new = self._sums.new(samples)
        size = sum(math.prod(self._header.shape(name)) * self._file_kind(name).itemsize for name in self._sums.names)
        step = max(1, _COMPARED_AT_ONCE // size)
        for start in range(0, len(new), step):
            part = new[start : start + step]
            self._agree({name: self._stored(name, part) for name in self._sums.names}, part)

    def _agree(self, stored: dict[str, np.ndarray], samples: np.ndarray) -> None:
        """Refuse samples that are not as they were written."""
        if self._sums is None or not set(self._sums.names) <= stored.keys():
            return
        wrong = self._sums.wrong(stored, samples)
        if wrong is not None:
            raise InputError(
                f"{self.path} is damaged: sample {wrong} does not agree with its checksum; copy or generate the "
                "file again (if you changed its fields yourself, delete the variable 'checksum')"
            )

    def to_xarray(self, header: Header) -> xarray.Dataset:
        import xarray

        if self._netcdf:
            try:
                return xarray.open_dataset(str(self.path), engine="h5netcdf")
            except DAMAGE as error:
                raise InputError(
                    f"{self.path} cannot be read by xarray: {' '.join(str(error).split()):.200}; mend the file"
                ) from error
        from opforge.datasets.reading.lazy import lazy_dataset

        others = {name: (values, header.describe(name)) for name, values in self._all_drawn().items()}
        return lazy_dataset(header, self, {name: self.kind(name) for name in header.names}, others)


def _numbers(file: h5py.File, stored: Stored) -> np.ndarray:
    """An array (samples,) of a file as float64."""
    array = array_at(file, stored.paths[0])
    return unpack(np.asarray(array[...]), packing(stored.paths[0], array.attrs)).astype(np.float64)


def _native(dtype: np.dtype) -> np.dtype:
    """Single precision where it holds the values, else double, in this machine's byte order."""
    return np.dtype(np.float32 if np.can_cast(dtype, np.float32) else np.float64)
