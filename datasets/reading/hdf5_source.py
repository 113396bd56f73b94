"""Samples in an HDF5 file, read when they are asked for."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from opforge.datasets.files.contents import array_at
from opforge.datasets.files.header import Header
from opforge.datasets.files.opening import DAMAGE, open_hdf5
from opforge.datasets.files.packing import common_packing, unpack, unpacked
from opforge.datasets.files.seal import is_sealed
from opforge.datasets.neighbours import equal_runs, spans
from opforge.datasets.reading.blocks import Blocks, Unreadable
from opforge.datasets.reading.checksums import Checksums
from opforge.datasets.reading.held import Held
from opforge.datasets.reading.kept import Kept
from opforge.datasets.reading.own_coordinates import OwnCoordinates
from opforge.datasets.reading.plain import PlainReader
from opforge.datasets.reading.reach import Reach
from opforge.datasets.reading.shuffling import Places
from opforge.datasets.reading.source import Frames, Source
from opforge.datasets.reading.stored import Stored
from opforge.datasets.reading.values import check_finite, native
from opforge.errors import InputError

if TYPE_CHECKING:
    import xarray

# Files whose fields take less stay in memory once they were read.
KEEP_BYTES = 2**30

# Samples are read at most so many bytes at a time where they are only compared with their checksums.
_COMPARED_AT_ONCE = 2**26

# What to do about values that are not finite, and about a file that cannot be read.
_REMEDY = "leave the sample out or generate the file again"
_AGAIN = "copy or generate the file again"


class HDF5Source(Source):
    """Samples in an HDF5 file; opened by each process when it first reads, closed when the object goes.

    Args:
        path: the file.
        header: what it holds.
        fields: where in the file each of ``header.names`` is.
        netcdf: whether the file is netCDF-4 with these names and dimensions, which xarray opens itself.
        drawn: where in the file each of ``header.drawn`` is.
        coordinates: for each coordinate that every sample has for itself, where it is for each sample.
    """

    def __init__(
        self,
        path: Path,
        header: Header,
        fields: Mapping[str, Stored],
        *,
        netcdf: bool = False,
        drawn: Mapping[str, Stored] | None = None,
        coordinates: Sequence[Sequence[str]] = (),
    ):
        self.path: Path = path
        self.place = str(path)
        self._header = header
        self._fields = dict(fields)
        self._drawn = dict(drawn or {})
        self._netcdf = netcdf
        self._coordinates = coordinates
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
        self._intact = False  # whether the drawn parameters were compared with the file's seal
        self._kept: Kept | None = None
        self._own_coordinates = OwnCoordinates(self.path, self._coordinates)
        self.share(Held(), 0, 1.0)

    def __getstate__(self) -> dict[str, Any]:
        kept = ("path", "place", "_header", "_fields", "_drawn", "_netcdf", "_coordinates", "_state")
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

    def share(self, held: Held, owner: int, part: float) -> None:
        self._held, self._owner, self._part = held, owner, part
        self._blocks = None  # made when the file is opened

    @property
    def keeps(self) -> bool:
        with self._held.guard():
            self._open()
            return self._keeps

    def places(self, samples: np.ndarray, lasts: np.ndarray, reach: Reach) -> Places | None:
        with self._held.guard():
            self._open()
            return None if self._blocks is None else self._blocks.plan(reach).places(samples, lasts)

    def read(self, samples: np.ndarray, frames: Frames, reach: Reach | None = None) -> dict[str, np.ndarray]:
        with self._held.guard():
            self._own_coordinates.check(self._open(), samples)
            kept = self._keep(samples)
            if kept is not None:
                return kept.read(samples, frames)
            if all(which is None for which in frames.values()):
                if self._sums is not None and not set(self._sums.names) <= frames.keys():
                    self._compare(np.unique(samples))
                return self._whole(tuple(frames), samples)
            return self._some(samples, frames, reach)

    def drawn(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        found = {name: values[samples] for name, values in self._all_drawn().items()}
        for name, values in found.items():
            check_finite(values, name, samples, where=str(self.path), remedy=_REMEDY)
        if found:
            with self._held.guard():
                # the seal covers all but the fields; without it they are compared with the samples that they belong to
                self._intact = self._intact or is_sealed(self.path)
                if not self._intact:
                    self._compare(np.unique(samples))
        return found

    def _all_drawn(self) -> dict[str, np.ndarray]:
        """The drawn parameters of all samples, NaN for those that failed."""
        with self._held.guard():
            file = self._open()
            if self._parameters is None:
                try:
                    self._parameters = {name: _numbers(file, stored) for name, stored in self._drawn.items()}
                except DAMAGE as error:
                    raise InputError(
                        f"{self.path} is damaged: its drawn parameters cannot be read; copy or generate the file again"
                    ) from error
            return self._parameters

    def kind(self, name: str) -> np.dtype:
        """Type of the numbers that a field stands for."""
        with self._held.guard():
            self._open()
            return self._kinds[name]

    def _open(self) -> h5py.File:
        # After a fork the parent's handle must not be used: its position is shared.
        if self._file is not None and self._process == os.getpid():
            return self._file
        with ExitStack() as closing:
            file = closing.enter_context(open_hdf5(self.path))
            if self._now() != self._state:
                raise InputError(f"{self.path} was replaced or changed after it was opened; open it again")
            try:
                opened = {
                    name: [array_at(file, path) for path in stored.paths] for name, stored in self._fields.items()
                }
                self._packing = {name: common_packing(name, arrays) for name, arrays in opened.items()}
                self._kinds = {
                    name: native(unpack(np.empty(0, arrays[0].dtype), self._packing[name]).dtype)
                    for name, arrays in opened.items()
                }
                self._sums = Checksums.of(file, self._header)
                self._plain = PlainReader.of(self.path, self._header, self._fields, opened)
                self._blocks = Blocks.of(self._header, self._fields, opened, self._held, self._owner)
            except DAMAGE as error:
                what = str(error) if isinstance(error, InputError) else "its structure cannot be read"
                raise InputError(f"{self.path} is damaged: {what}; copy or generate the file again") from error
            closing.pop_all()  # it stays open
        self._opened = opened
        self._keeps = self._is_kept()
        self._file, self._process = file, os.getpid()
        return file

    def _is_kept(self) -> bool:
        """Whether what was read stays in memory: that of files that are not too large.

        Plain samples stay in the system's own cache, from which they come as fast and without being there twice.
        """
        if self._plain is not None and self._plain.has(self._header.names):
            return False
        header = self._header
        sizes = (math.prod(header.shape(name)) * self._kinds[name].itemsize for name in header.names)
        return header.samples * sum(sizes) < KEEP_BYTES * self._part

    def _keep(self, samples: np.ndarray) -> Kept | None:
        """What stays in memory, these samples among it; None for a file, or in a pass, in which samples do not stay."""
        if self._passing:
            return self._kept if self._kept is not None and not self._kept.missing(samples).size else None
        if self._keeps and self._kept is None:
            self._kept = Kept(self._header, self._kinds)
        if self._kept is None:
            return None
        missing = self._kept.missing(samples)
        if self._blocks is not None:
            for start in np.unique(missing // self._blocks.samples) * self._blocks.samples:
                self._keep_run(self._kept, slice(start, min(start + self._blocks.samples, self._header.samples)))
            missing = self._kept.missing(samples)  # what is wrong with these is told below
        if missing.size:
            self._kept.put(missing, self._whole(self._header.names, missing))
        return self._kept

    def _keep_run(self, kept: Kept, span: slice) -> None:
        """Keep all samples that are read together, but those that cannot be read or are not as they should be."""
        rows = np.arange(span.start, span.stop)
        stored = {}
        for name in self._header.names:
            kind, place = self._file_kind(name), kept.arrays[name][span]
            stored[name] = place if kind == place.dtype and not self._packing[name] else np.empty(place.shape, kind)
        try:
            assert self._blocks is not None, "there is a run of samples"
            self._blocks.load(stored, span)
            for name in self._header.names:
                if name not in self._blocks.names:
                    self._read(name, span.start, None, stored[name])
        except (Unreadable, InputError):
            return
        good = np.ones(len(rows), bool)
        for name, values in stored.items():
            meant = self._meant(name, values)
            good &= [bool(np.isfinite(one).all()) for one in meant]
            if values.base is not kept.arrays[name]:
                kept.arrays[name][span] = meant
        if self._sums is not None:
            good &= self._sums.agree(stored, rows)
        kept.loaded[rows[good]] = True

    def _whole(self, names: Sequence[str], samples: np.ndarray) -> dict[str, np.ndarray]:
        """All of these fields of samples, checked to be finite and as they were written."""
        stored = self._values(samples, dict.fromkeys(names))
        fields = {name: self._checked(name, values, samples) for name, values in stored.items()}
        self._agree(stored, samples)
        return fields

    def _some(self, samples: np.ndarray, frames: Frames, reach: Reach | None) -> dict[str, np.ndarray]:
        """Some frames of fields of samples, checked to be finite; the samples to be as they were written."""
        if self._sums is None or self._blocks is None or not self._sums.new(samples).size:
            self._compare(np.unique(samples))
            values = self._values(samples, frames, reach)
            return {name: self._checked(name, found, samples) for name, found in values.items()}
        # column by column, so that what was read to compare it is still held when it is wanted
        plan, parts = self._blocks.plan(), []
        for start, stop in equal_runs(plan.columns(samples)):
            part = samples[start:stop]
            self._compare(np.unique(part), plan.span(int(part[0]), self._header.samples))
            some = {name: None if which is None else which[start:stop] for name, which in frames.items()}
            parts.append(self._values(part, some, reach))
        values = {name: np.concatenate([part[name] for part in parts]) for name in frames}
        return {name: self._checked(name, found, samples) for name, found in values.items()}

    def _values(self, samples: np.ndarray, frames: Frames, reach: Reach | None = None) -> dict[str, np.ndarray]:
        """Fields as the file keeps them; of those whose frames are not given, all of them."""
        values, held = {}, {}
        for name, which in frames.items():
            if self._blocks is not None and name in self._blocks.names:
                space = self._header.grid.shape
                shape = self._header.shape(name) if which is None else (which.shape[1], *space)
                values[name] = held[name] = np.empty((len(samples), *shape), self._file_kind(name))
            else:
                values[name] = self._by_itself(name, samples, which)
        if not held or self._blocks is None:
            return values
        plan = self._blocks.plan(reach if any(which is not None for which in frames.values()) else None)
        every = np.arange(len(self._header.times))
        evolving = [name for name in held if name in self._header.evolving]
        for row, sample in enumerate(samples.tolist()):
            which = {name: every if (given := frames[name]) is None else given[row] for name in evolving}
            try:
                self._blocks.fill(held, row, sample, which, plan)
            except Unreadable as error:
                raise self._damaged(error.name, sample) from error
        return values

    def _by_itself(self, name: str, samples: np.ndarray, frames: np.ndarray | None) -> np.ndarray:
        """A field as the file keeps it; neighbouring samples, or frames of a sample, are read in one go."""
        if frames is None:
            order, inverse = np.unique(samples, return_inverse=True)
            values = np.empty((len(order), *self._header.shape(name)), self._file_kind(name))
            for start, stop in spans(order):
                self._read(name, int(order[start]), None, values[start:stop])
            return values if np.array_equal(order, samples) else values[inverse]
        values = np.empty((*frames.shape, *self._header.grid.shape), self._file_kind(name))
        for row, (sample, which) in enumerate(zip(samples, frames, strict=True)):
            for start, stop in spans(which):
                self._read(name, int(sample), int(which[start]), values[row : row + 1, start:stop])
        return values

    def _read(self, name: str, start: int, frame: int | None, into: np.ndarray) -> None:
        """Fill ``into`` (samples, [frames], *space) from sample ``start``, from ``frame`` on."""
        if self._plain is not None and self._plain.read(name, start, frame or 0, into):
            return
        try:
            self._from_hdf5(name, start, frame, into)
        except DAMAGE as error:
            raise self._damaged(name, start) from error

    def _damaged(self, name: str, sample: int) -> InputError:
        return InputError(f"{self.path} is damaged: variable {name!r} cannot be read at sample {sample}; {_AGAIN}")

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
        return kind if self._packing[name] else native(kind)

    def _meant(self, name: str, values: np.ndarray) -> np.ndarray:
        """The numbers that those of the file stand for."""
        return unpack(values, self._packing[name]).astype(self._kinds[name], copy=False)

    def _checked(self, name: str, values: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """The numbers that were meant, all of them finite."""
        values = self._meant(name, values)
        check_finite(values, name, samples, where=str(self.path), remedy=_REMEDY)
        return values

    def _compare(self, samples: np.ndarray, span: slice | None = None) -> None:
        """Read samples whole that were never compared with their checksums, and those that are read with them."""
        if self._sums is None:
            return
        new = self._sums.new(samples if span is None else np.arange(span.start, span.stop))
        size = sum(math.prod(self._header.shape(name)) * self._file_kind(name).itemsize for name in self._sums.names)
        step = max(1, _COMPARED_AT_ONCE // size)
        for start in range(0, len(new), step):
            part = new[start : start + step]
            self._agree(self._values(part, dict.fromkeys(self._sums.names)), part, asked=samples)

    def _agree(self, stored: dict[str, np.ndarray], samples: np.ndarray, asked: np.ndarray | None = None) -> None:
        """Refuse samples that are not as they were written, or those of them that were asked for."""
        if self._sums is None or not set(self._sums.names) <= stored.keys():
            return
        wrong = samples[~self._sums.agree(stored, samples)]
        wrong = wrong if asked is None else wrong[np.isin(wrong, asked)]
        if wrong.size:
            raise InputError(
                f"{self.path} is damaged: sample {wrong[0]} does not agree with its checksum; {_AGAIN} (if you changed "
                "its fields yourself, delete the variable 'checksum')"
            )

    def to_xarray(self, header: Header) -> xarray.Dataset:
        import xarray

        from opforge.datasets.reading.lazy import checked_fields, lazy_dataset

        kinds = {name: self.kind(name) for name in self._header.names}
        if not self._netcdf:
            others = {name: (values, header.describe(name)) for name, values in self._all_drawn().items()}
            return lazy_dataset(header, self, kinds, others)
        try:
            data = xarray.open_dataset(str(self.path), engine="h5netcdf")
        except DAMAGE as error:
            raise InputError(
                f"{self.path} cannot be read by xarray: {' '.join(str(error).split()):.200}; mend the file"
            ) from error
        return data if self._sums is None else checked_fields(data, self._header, self, kinds)


def _numbers(file: h5py.File, stored: Stored) -> np.ndarray:
    """An array (samples,) of a file as float64."""
    return unpacked(array_at(file, stored.paths[0])).astype(np.float64)
