"""Where a dataset's numbers are: a netCDF-4 file, read when asked, or arrays in memory."""

from __future__ import annotations

import math
import os
import weakref
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import h5py
import numpy as np

from opforge.datasets.header import Header
from opforge.datasets.inspection import DAMAGE, open_hdf5
from opforge.datasets.layout import PER_SAMPLE, SUMMED_WITH, checksums, plain_place, read_samples
from opforge.datasets.packing import packing, unpack
from opforge.errors import InputError

if TYPE_CHECKING:
    import xarray

    from opforge.datasets.file import Arrays

# Files whose fields take less stay in memory once they were read.
KEEP_BYTES = 2**30


class Source(ABC):
    """Gives samples by their index in the whole set."""

    path: Path | None

    @abstractmethod
    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """The fields of these samples, new arrays (len(indices), *space)."""

    @abstractmethod
    def to_xarray(self, header: Header) -> xarray.Dataset:
        """All samples with coordinates and attributes."""


class ArraySource(Source):
    """Samples in memory."""

    path = None

    def __init__(self, arrays: Arrays):
        self._arrays = arrays

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return {name: self._arrays.values[name][indices] for name in self._arrays.header.names}

    def to_xarray(self, header: Header) -> xarray.Dataset:
        import xarray

        axes = header.grid.axis_names
        variables = {
            name: (("sample", *axes)[: values.ndim], values, PER_SAMPLE.get(name) or header.describe(name))
            for name, values in self._arrays.values.items()
        }
        coordinates = dict(zip(axes, header.grid.coordinates(), strict=True))
        return xarray.Dataset(variables, coordinates, header.to_attributes())


class FileSource(Source):
    """Samples in a file; opened by each process when it first reads, closed when the object goes.

    Args:
        path: the file.
        names: its variables (samples, *space).
        shape: their shape.
    """

    def __init__(self, path: Path, names: tuple[str, ...], shape: tuple[int, ...]):
        self.path = path
        self._names = names
        self._shape = shape
        self._forget()

    def _forget(self) -> None:
        self._file: h5py.File | None = None
        self._opened: dict[str, h5py.Dataset] = {}
        self._sums: _Sums | None = None
        self._plain: _Plain | None = None
        self._packing: dict[str, dict[str, Any]] = {}
        self._process = -1
        self._loaded = np.zeros(self._shape[0], dtype=bool)
        self._kept: dict[str, np.ndarray] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_names": self._names, "_shape": self._shape}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path, self._names, self._shape = state["path"], state["_names"], state["_shape"]
        self._forget()

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        kept = self._keep()
        if kept is None:
            order, inverse = np.unique(indices, return_inverse=True)
            return {name: values[inverse] for name, values in self._load(order).items()}
        missing = np.unique(indices[~self._loaded[indices]])
        if missing.size:
            for name, values in self._load(missing).items():
                kept[name][missing] = values
            self._loaded[missing] = True
        return {name: values[indices] for name, values in kept.items()}

    def _keep(self) -> dict[str, np.ndarray] | None:
        """Arrays for all samples, filled as they are read; None for a file that is too large."""
        if self._kept is None:
            kinds = {name: self._kind(name, variable) for name, variable in self._variables().items()}
            if math.prod(self._shape) * sum(kind.itemsize for kind in kinds.values()) < KEEP_BYTES:
                # the system hands out memory page by page, as samples come
                self._kept = {name: np.empty(self._shape, kind) for name, kind in kinds.items()}
        return self._kept

    def _variables(self) -> dict[str, h5py.Dataset]:
        # After a fork the parent's handle must not be used: its position is shared.
        if self._file is None or self._process != os.getpid():
            file = open_hdf5(self.path)
            self._packing = {name: packing(name, self._variable(file, name).attrs) for name in self._names}
            self._sums = _Sums.of(file, self._names, self._shape[0])
            self._opened = {name: self._variable(file, name) for name in self._names}
            self._plain = _Plain(cast(Path, self.path), self._opened)
            self._file, self._process = file, os.getpid()
        return self._opened

    def _variable(self, file: h5py.File, name: str) -> h5py.Dataset:
        try:
            return cast(h5py.Dataset, file[name])
        except DAMAGE as error:
            raise InputError(
                f"{self.path} is damaged: variable {name!r} cannot be read; copy or generate the file again"
            ) from error

    def _kind(self, name: str, variable: h5py.Dataset) -> np.dtype:
        """Type of the numbers that a variable stands for."""
        return _native(unpack(np.empty(0, variable.dtype), self._packing[name]).dtype)

    def _load(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Read increasing indices, neighbours in one go, and check that they are finite and as they were written."""
        fields: dict[str, np.ndarray] = {}
        stored: dict[str, np.ndarray] = {}
        variables = self._variables()
        for name, variable in variables.items():
            packed = self._packing[name]
            kind = variable.dtype if packed else _native(variable.dtype)
            values = np.empty((len(indices), *self._shape[1:]), kind)
            for start, stop in _runs(indices):
                try:
                    if self._plain is None or not self._plain.read(name, indices[start], values[start:stop]):
                        variable.read_direct(values, np.s_[indices[start] : indices[stop - 1] + 1], np.s_[start:stop])
                except DAMAGE as error:
                    raise InputError(
                        f"{self.path} is damaged: variable {name!r} cannot be read at sample {indices[start]}; "
                        "copy or generate the file again"
                    ) from error
            stored[name] = values
            values = unpack(values, packed).astype(self._kind(name, variable), copy=False)
            finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
            if not finite.all():
                raise InputError(
                    f"{self.path}: variable {name!r} has a value that is not finite (NaN or infinite) in sample "
                    f"{indices[np.argmin(finite)]}; leave the sample out or generate the file again"
                )
            fields[name] = values
        if self._sums is not None:
            wrong = self._sums.wrong(stored, indices)
            if wrong is not None:
                raise InputError(
                    f"{self.path} is damaged: sample {wrong} does not agree with its checksum; copy or generate the "
                    "file again (if you changed its fields yourself, delete the variable 'checksum')"
                )
        return fields

    def to_xarray(self, header: Header) -> xarray.Dataset:
        import xarray

        return xarray.open_dataset(str(self.path), engine="h5netcdf")


class _Plain:
    """Variables that are read without HDF5, which takes many times as long for a sample as reading its bytes.

    Args:
        path: the file.
        variables: all that may be asked for.
    """

    def __init__(self, path: Path, variables: dict[str, h5py.Dataset]):
        found = {name: plain_place(variable) for name, variable in variables.items()} if hasattr(os, "preadv") else {}
        self._places = {name: place for name, place in found.items() if place is not None}
        self._file = -1
        if self._places:
            self._file = os.open(path, os.O_RDONLY)
            weakref.finalize(self, os.close, self._file)

    def read(self, name: str, start: int, into: np.ndarray) -> bool:
        """Fill ``into`` with samples from ``start`` on; whether that was possible."""
        place = self._places.get(name)
        return place is not None and place.dtype == into.dtype and read_samples(self._file, place, int(start), into)


class _Sums:
    """The checksums of a file's samples; each is compared once.

    Args:
        names: the fields that they sum.
        others: what goes with every sample, in the order of summing.
        sums: the checksums.
    """

    def __init__(self, names: Sequence[str], others: dict[str, np.ndarray], sums: np.ndarray):
        self._names = names
        self._others = others
        self._sums = sums
        self._compared = np.zeros(len(sums), dtype=bool)

    @classmethod
    def of(cls, file: h5py.File, names: Sequence[str], samples: int) -> _Sums | None:
        """Those of a file that has them for all of its fields, if all of these are read; else None."""
        try:
            own = list(dict.fromkeys([*str(file.attrs["inputs"]).split(), *str(file.attrs["outputs"]).split()]))
            if not set(own) <= set(names):
                return None
            columns = {name: cast(h5py.Dataset, file[name])[...] for name in (*SUMMED_WITH, "checksum")}
        except DAMAGE:
            return None
        if any(values.shape != (samples,) for values in columns.values()):
            return None
        return cls(own, columns, columns.pop("checksum"))

    def wrong(self, stored: dict[str, np.ndarray], indices: np.ndarray) -> int | None:
        """The first of these samples, as they are stored, that does not agree with its checksum."""
        new = np.flatnonzero(~self._compared[indices])
        if new.size == 0:
            return None
        which = indices[new]
        little = {name: stored[name].dtype.newbyteorder("<") for name in self._names}
        arrays = {name: np.ascontiguousarray(stored[name][new], little[name]) for name in self._names}
        arrays |= {name: values[which] for name, values in self._others.items()}
        agree = checksums(arrays) == self._sums[which]
        if not agree.all():
            return int(which[np.argmin(agree)])
        self._compared[which] = True
        return None


def _native(dtype: np.dtype) -> np.dtype:
    """Single precision where it holds the values, else double, in this machine's byte order."""
    return np.dtype(np.float32 if np.can_cast(dtype, np.float32) else np.float64)


def _runs(indices: np.ndarray) -> list[tuple[int, int]]:
    """Positions (start, stop) of the runs of neighbours in increasing indices.

    Example:
        >>> _runs(np.array([2, 3, 4, 7]))
        [(0, 3), (3, 4)]
    """
    breaks = (np.flatnonzero(np.diff(indices) != 1) + 1).tolist()
    return [(start, stop) for start, stop in zip([0, *breaks], [*breaks, len(indices)], strict=True) if start < stop]
