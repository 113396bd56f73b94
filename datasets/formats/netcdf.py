"""netCDF-4 files: opforge's own, which say all about themselves, and any other whose variables the user names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np

from opforge.core import Grid
from opforge.core.grid import AXIS_NAMES, Points
from opforge.datasets.files.contents import array_at, attributes_of, find_variable, one_line
from opforge.datasets.files.header import Header, missing_attribute
from opforge.datasets.files.opening import open_netcdf
from opforge.datasets.files.packing import packing, unpacked
from opforge.datasets.formats.described import Asked, Described
from opforge.datasets.reading.stored import Stored
from opforge.errors import InputError

# Units of dates, such as "hours since 2000-01-01", in seconds. Months and years are of no fixed length.
_UNITS = {"second": 1.0, "sec": 1.0, "": 1.0, "minute": 60.0, "min": 60.0, "hour": 3600.0, "hr": 3600.0, "h": 3600.0}
_UNITS |= {"day": 86400.0, "d": 86400.0, "millisecond": 1e-3, "msec": 1e-3, "microsecond": 1e-6, "nanosecond": 1e-9}
_SINCE = re.compile(r"\s*(\w+) since ", re.IGNORECASE)

# What goes with every sample in opforge's own files and is no field.
_OWN = ("solver_residual", "seed", "checksum")


def describe(path: Path, asked: Asked) -> Described:
    """What a netCDF-4 file says about itself, checked against its variables.

    Args:
        path: the file.
        asked: variables to take instead of those that the file names, and what its names stand for.

    Raises:
        InputError: see `opforge.open_dataset`.
    """
    with open_netcdf(path) as file:
        names = _Names(file, asked.rename)
        header = _header(file, names, asked)
        fields = {name: _stored(file, names, name, header) for name in header.names}
        drawn = {name: _stored(file, names, name, header) for name in header.drawn}
        others = (*_OWN, *(stored.paths[0] for stored in drawn.values()))
        axes = {names.there(axis) for axis in ("sample", "time", *AXIS_NAMES)}
        available = tuple(names.here(name) for name in file.variables if name not in (*others, *axes))
        as_named = all(stored.axes == tuple(header.dimensions(name)) for name, stored in fields.items())
        return Described(header, fields, available, netcdf=as_named and not asked.rename, drawn=drawn)


def failed(hdf5: h5py.File, header: Header) -> np.ndarray:
    """Which samples of a file of opforge have failed: a truth value for each.

    Raises:
        InputError: a sample is marked as failed, but its fields hold numbers.
    """
    none = np.zeros(header.samples, bool)
    if "grid" not in hdf5.attrs:
        return none
    residual = none
    with suppress(InputError):  # it is missing, or no array of numbers
        residual = array_at(hdf5, "solver_residual")
    if residual.shape != none.shape or residual.dtype.kind != "f":
        return none
    found = np.isnan(residual[...])
    fields = [array_at(hdf5, name) for name in header.names]
    for sample in np.flatnonzero(found).tolist():  # these have NaN everywhere, as they were written
        for array in fields:
            if array.dtype.kind == "f" and not np.isnan(array[(sample, *[0] * (array.ndim - 1))]):
                raise InputError(
                    f"solver_residual of sample {sample} is NaN, which marks samples that failed, but its field "
                    f"{array.name.strip('/')!r} holds numbers; the file was changed: copy or generate it again"
                )
    return found


class _Names:
    """The names that a file uses, and those that they stand for."""

    def __init__(self, file: h5netcdf.File, rename: Mapping[str, str]):
        known = {*file.variables, *file.dimensions}
        for name in rename:
            if name not in known:
                raise InputError(f"rename names {name!r}, which the file lacks; it has: {', '.join(sorted(known))}")
        taken = [name for name in rename.values() if name in known - rename.keys()]
        if taken or len(set(rename.values())) < len(rename):
            raise InputError(f"rename gives two things one name: {dict(rename)}; choose names that are free")
        self._here = dict(rename)
        self._there = {here: there for there, here in rename.items()}

    def there(self, name: str) -> str:
        return self._there.get(name, name)

    def here(self, name: str) -> str:
        return self._here.get(name, name)

    def variable(self, file: h5netcdf.File, name: str) -> h5netcdf.Variable:
        return find_variable(file, self.there(name))

    def dimensions(self, variable: h5netcdf.Variable) -> dict[str, int]:
        sizes = zip(variable.dimensions, variable.shape, strict=True)
        return {self.here(axis): size for axis, size in sizes}


def _header(file: h5netcdf.File, names: _Names, asked: Asked) -> Header:
    sample = names.there("sample")
    if sample not in file.dimensions:
        raise InputError(
            f"the dimension 'sample' is missing, the file has {', '.join(file.dimensions) or 'none'}; "
            "variables need the dimensions sample, [time], x[, y[, z]]; "
            "give rename={'its name': 'sample'} (--rename NAME=sample)"
        )
    samples = file.dimensions[sample].size
    if samples < 1:
        raise InputError("the dimension 'sample' has no samples; generate some")
    attributes = attributes_of(file)
    if "grid" in attributes:
        return _own(file, names, attributes, samples, asked)
    if not asked.inputs or not asked.outputs:
        raise missing_attribute(attributes)
    fields = dict.fromkeys((*asked.inputs, *asked.outputs))
    evolving = tuple(name for name in fields if "time" in names.dimensions(names.variable(file, name)))
    grid = _grid(file, names, asked.inputs[0], asked.points or "cells")
    labels = {name: _label(names.variable(file, name), name) for name in fields}
    times = _times(file, names, evolving)
    return Header(asked.inputs, asked.outputs, grid, samples, None, {"samples": samples}, times, evolving, labels)


def _own(file: h5netcdf.File, names: _Names, attributes: dict[str, Any], samples: int, asked: Asked) -> Header:
    """The header of a file that opforge wrote."""
    header = Header.from_attributes(attributes, samples)
    if asked.points not in (None, header.grid.points):
        raise InputError(
            f"points must be {header.grid.points!r} as the file's attribute 'grid' says, got {asked.points!r}; "
            "leave it out"
        )
    for name in (*asked.inputs, *asked.outputs):
        if name in header.drawn:
            raise InputError(
                f"{name!r} is no field but a parameter that was drawn for each sample, which `drawn` of the dataset "
                f"has; the fields are {', '.join(header.names)}"
            )
    header = replace(header, inputs=asked.inputs or header.inputs, outputs=asked.outputs or header.outputs)
    evolving = tuple(name for name in header.names if "time" in names.dimensions(names.variable(file, name)))
    _check_coordinates(file, names, header)
    described = (*(header.names if header.equation is None else ()), *header.drawn)
    labels = {name: _label(names.variable(file, name), name) for name in described}
    return replace(header, times=_times(file, names, evolving), evolving=evolving, labels=labels)


def _check_coordinates(file: h5netcdf.File, names: _Names, header: Header) -> None:
    """Refuse coordinates that are not those of the grid."""
    for axis, values in zip(header.grid.axis_names, header.grid.coordinates(), strict=True):
        there = names.there(axis)
        if there in file.variables and file.variables[there].shape == values.shape:
            given = _values(file, there)
            if not np.allclose(given, values, rtol=1e-6, atol=1e-6 * max(header.grid.lengths)):
                raise InputError(
                    f"coordinate {axis!r} is not that of the attribute 'grid'; the file is damaged or was changed"
                )


def _times(file: h5netcdf.File, names: _Names, evolving: tuple[str, ...]) -> tuple[float, ...]:
    if not evolving:
        return ()
    there = names.there("time")
    count = file.dimensions[there].size
    if count < 2:
        raise InputError(f"the axis 'time' must have at least 2 frames, got {count}; rename it if it is no time")
    if there not in file.variables:
        return tuple(map(float, range(count)))
    values = _values(file, there)
    if values.shape != (count,) or not np.all(np.isfinite(values)) or not np.all(np.diff(values) > 0):
        raise InputError("coordinate 'time' must increase from frame to frame, one number for each; mend the file")
    units = one_line(str(attributes_of(array_at(file.variables[there]._h5ds.file, there)).get("units", "")))
    since = _SINCE.match(units)
    if since is not None:  # a date for each frame: as seconds since the first
        unit = since[1].lower().rstrip("s")
        if unit not in _UNITS:
            raise InputError(
                "the units of coordinate 'time' must be a fixed length of time (days, hours, minutes, seconds, milli-, "
                f"micro- or nanoseconds) since a date, got {units!r:.80}; mend the file"
            )
        values = (values - values[0]) * _UNITS[unit]
    return tuple(map(float, values))


def _grid(file: h5netcdf.File, names: _Names, name: str, points: Points) -> Grid:
    """The grid of an ordinary file: from its coordinates, or the unit cube where it has none."""
    axes = [axis for axis in names.dimensions(names.variable(file, name)) if axis not in ("sample", "time")]
    if not axes or sorted(axes) != sorted(AXIS_NAMES[: len(axes)]):
        remedy = f"; give rename={{{axes[0]!r}: 'x', ...}} (--rename {axes[0]}=x)" if axes else ""
        raise InputError(
            f"variable {name!r} must have the dimensions sample, [time], x[, y[, z]], got {', '.join(axes) or 'none'}"
            f"{remedy}"
        )
    axes = list(AXIS_NAMES[: len(axes)])
    shape = tuple(file.dimensions[names.there(axis)].size for axis in axes)
    if min(shape) < 2:
        raise InputError(f"every axis of space needs at least 2 points, got {_sizes(zip(axes, shape, strict=True))}")
    if not all(names.there(axis) in file.variables for axis in axes):
        return Grid(shape, points=points)
    return uniform_grid([_values(file, names.there(axis)) for axis in axes], points)


def uniform_grid(coordinates: list[np.ndarray], points: Points) -> Grid:
    """The grid that has these coordinates.

    Args:
        coordinates: one increasing 1-D array of at least 2 numbers per axis.
        points: where in its spacing each coordinate lies.

    Raises:
        InputError: numbers that are not finite, that do not increase, or that are not evenly spaced.

    Example:
        >>> uniform_grid([np.array([0.0, 0.5, 1.0])], "nodes")
        Grid(shape=(3,), lengths=(1.0,), points='nodes', origin=(0.0,))
    """
    for name, values in zip(AXIS_NAMES, coordinates, strict=False):
        if values.ndim != 1 or len(values) < 2:
            raise InputError(f"coordinate {name!r} must be a row of at least 2 numbers, got shape {values.shape}")
        if values.dtype.kind not in "fiu" or not np.all(np.isfinite(values)):
            raise InputError(f"coordinate {name!r} must hold finite numbers; mend the file")
        steps = np.diff(values.astype(np.float64))
        if not np.all(steps > 0):
            at = int(np.argmax(steps <= 0))
            raise InputError(
                f"coordinate {name!r} must increase, got {values[at]:g} and then {values[at + 1]:g} at point {at + 1}; "
                "sort the axis and drop duplicates"
            )
    shape = tuple(map(len, coordinates))
    trial = Grid(shape, points=points)  # tells how many spacings the box has
    lengths = [
        abs(float(values[-1]) - float(values[0])) / (n - 1) / h
        for values, n, h in zip(coordinates, shape, trial.spacing, strict=True)
    ]
    return Grid.from_coordinates(coordinates, lengths, points)


def _stored(file: h5netcdf.File, names: _Names, name: str, header: Header) -> Stored:
    """Where a variable is, checked to have the sizes that the header says."""
    variable = names.variable(file, name)
    got = [(names.here(axis), size) for axis, size in zip(variable.dimensions, variable.shape, strict=True)]
    expected = header.dimensions(name)
    if sorted(got) != sorted(expected.items()):
        raise InputError(
            f"variable {name!r} must have the dimensions {_sizes(expected.items())}, got {_sizes(got) or 'none'}"
        )
    there = names.there(name)
    array = array_at(variable._h5ds.file, there)
    if array.shape != tuple(size for _, size in got):  # an axis that may grow, and grew with another variable only
        raise InputError(
            f"variable {name!r} must have the dimensions {_sizes(expected.items())}, got shape {array.shape}"
        )
    packing(name, attributes_of(array))  # refuses what is wrong with it
    return Stored((there,), tuple(axis for axis, _ in got))


def _label(variable: h5netcdf.Variable, name: str) -> dict[str, str]:
    attributes = attributes_of(variable)
    return {key: one_line(str(attributes.get(key, usual))) for key, usual in (("long_name", name), ("units", "1"))}


def _values(file: h5netcdf.File, there: str) -> np.ndarray:
    """The numbers of a coordinate."""
    return unpacked(array_at(file.variables[there]._h5ds.file, there))


def _sizes(dimensions: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name}={size}" for name, size in dimensions)
