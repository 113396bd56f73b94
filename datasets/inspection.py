"""Opening a file: what it says about itself, and one clear line where it is not what it should be."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5netcdf
import h5py
import numpy as np

from opforge.core import Grid
from opforge.core.grid import AXIS_NAMES, Points
from opforge.datasets.header import Header, missing_attribute
from opforge.datasets.packing import packing, unpack
from opforge.errors import InputError

if TYPE_CHECKING:
    import xarray

# What h5py, h5netcdf and xarray raise where the structures of a file are damaged. They follow what they read without
# checking it, so that overwritten bytes surface as almost anything: a name that is None (AttributeError), a size or a
# text that makes no sense (ValueError, TypeError, MemoryError, OverflowError), a link that leads nowhere (KeyError,
# IndexError), or an error of HDF5 itself (OSError, RuntimeError).
DAMAGE = (
    AttributeError,
    IndexError,
    KeyError,
    MemoryError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


def open_hdf5(path: Path) -> h5py.File:
    """Open an HDF5 file for reading.

    Raises:
        InputError: a path that does not exist or is a folder, a file of another kind, cut off or not readable.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder, expected a netCDF-4 file{_hint('in it', path, '')}")
    if not path.exists():
        raise InputError(f"there is no file {path}{_hint('did you mean', path.parent, path.name)}")
    try:
        return h5py.File(path, "r")
    except PermissionError as error:
        raise InputError(f"{path} may not be read; change its permissions") from error
    except OSError as error:
        raise InputError(_what_is_it(path)) from error


def read_header(
    path: Path, inputs: Sequence[str] | None, outputs: Sequence[str] | None, points: Points | None
) -> Header:
    """What a file says about itself, checked against its variables.

    Args:
        path: the file.
        inputs, outputs: variables to take instead of those that the file names.
        points: where the coordinates of a file without a description of its grid lie.

    Raises:
        InputError: see `opforge.open_dataset`.
    """
    with open_netcdf(path) as file:
        header = _header(file, inputs, outputs, points)
        for name in header.names:
            _check_variable(file, name, header)
        return header


def load_variables(path: Path, names: Sequence[str]) -> xarray.Dataset:
    """Variables of a netCDF-4 file with their coordinates and the file's attributes, in memory.

    Args:
        path: the file; that it holds samples is not asked for.
        names: of the variables.

    Raises:
        InputError: what `open_hdf5` refuses, a variable that is missing, a damaged file.
    """
    import xarray
    from xarray.backends import H5NetCDFStore

    with open_netcdf(path) as file:
        axes = {axis for name in names for axis in _variable(file, name).dimensions}
        others = [name for name in file.variables if name not in axes and name not in names]
        with xarray.open_dataset(H5NetCDFStore(file), drop_variables=others) as data:
            return data[list(names)].load()


@contextmanager
def open_netcdf(path: Path) -> Iterator[h5netcdf.File]:
    """A netCDF-4 file for reading; whatever goes wrong in the block is one line about the file.

    Raises:
        InputError: what `open_hdf5` refuses, a damaged file; an `InputError` of the block, with the path before it.
    """
    with open_hdf5(path) as hdf5:
        try:
            _check_coordinates(hdf5)
            with _File(hdf5, "r", phony_dims="sort") as file:
                yield file
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except DAMAGE as error:
            raise InputError(f"{path} is damaged: its structure cannot be read; copy or generate it again") from error


class _File(h5netcdf.File):
    """h5netcdf's file, given an open HDF5 file, that goes quietly where a damaged file let it become half an object."""

    def close(self) -> None:
        with suppress(AttributeError):  # of members that were not yet there; the HDF5 file is closed by its owner
            super().close()

    __del__ = close


def _check_coordinates(hdf5: h5py.File) -> None:
    """Refuse variables whose dimensions refer to a coordinate that was deleted; h5netcdf stumbles over its name."""
    for name, variable in hdf5.items():
        if not isinstance(variable, h5py.Dataset) or "DIMENSION_LIST" not in variable.attrs:
            continue
        dimensions: Any = variable.attrs["DIMENSION_LIST"]
        for references in dimensions:
            for scale in (hdf5[reference] for reference in references):
                if scale.name is None:
                    label = scale.attrs.get("NAME", b"")
                    label = label.decode(errors="replace") if isinstance(label, bytes) else str(label)
                    raise InputError(
                        f"the coordinate {label!r} of variable {name!r} is missing: it was deleted or the file is "
                        "damaged; copy or generate the file again"
                    )


def _header(
    file: h5netcdf.File, inputs: Sequence[str] | None, outputs: Sequence[str] | None, points: Points | None
) -> Header:
    if "sample" not in file.dimensions:
        raise InputError(
            f"the dimension 'sample' is missing, the file has {', '.join(file.dimensions) or 'none'}; "
            "variables need the dimensions sample, x[, y[, z]]"
        )
    samples = file.dimensions["sample"].size
    attributes = dict(file.attrs)
    for kind, given in (("inputs", inputs), ("outputs", outputs)):
        if isinstance(given, str):
            raise InputError(f"{kind} must be a tuple of names, got the text {given!r}; write ({given!r},)")
    if "grid" in attributes:
        header = Header.from_attributes(attributes, samples)
        if points not in (None, header.grid.points):
            raise InputError(
                f"points must be {header.grid.points!r} as the file's attribute 'grid' says, got {points!r}; "
                "leave it out"
            )
        return replace(header, inputs=tuple(inputs or header.inputs), outputs=tuple(outputs or header.outputs))
    if not inputs or not outputs:
        raise missing_attribute(attributes)
    grid = _grid(file, inputs[0], points or "cells")
    return Header(tuple(inputs), tuple(outputs), grid, samples, None, {"samples": samples})


def _grid(file: h5netcdf.File, name: str, points: Points) -> Grid:
    """The grid of an ordinary file: from its coordinates, or the unit cube where it has none."""
    axes = _variable(file, name).dimensions[1:]
    if not axes or tuple(axes) != AXIS_NAMES[: len(axes)]:
        raise InputError(f"variable {name!r} must have the dimensions sample, x[, y[, z]], got {', '.join(axes)}")
    shape = tuple(file.dimensions[axis].size for axis in axes)
    if not all(axis in file.variables for axis in axes):
        return Grid(shape, points=points)
    coordinates = [_values(file.variables[axis], axis) for axis in axes]
    if min(shape) < 2:
        raise InputError(f"the coordinates need at least 2 points per axis to tell the spacing, got {shape}")
    trial = Grid(shape, points=points)  # tells how many spacings the box has
    lengths = [
        abs(float(values[-1] - values[0])) / (n - 1) / h
        for values, n, h in zip(coordinates, shape, trial.spacing, strict=True)
    ]
    return Grid.from_coordinates(coordinates, lengths, points)


def _check_variable(file: h5netcdf.File, name: str, header: Header) -> None:
    variable = _variable(file, name)
    got = dict(zip(variable.dimensions, variable.shape, strict=True))
    expected = {"sample": header.samples, **dict(zip(header.grid.axis_names, header.grid.shape, strict=True))}
    if list(got.items()) != list(expected.items()):
        raise InputError(f"variable {name!r} must have the dimensions {_sizes(expected)}, got {_sizes(got)}")
    if variable.dtype.kind not in "fiu":
        raise InputError(f"variable {name!r} must hold real numbers, got {variable.dtype}")
    packing(name, variable.attrs)  # refuses what is wrong with it


def _values(variable: h5netcdf.Variable, name: str) -> np.ndarray:
    return unpack(np.asarray(variable[...]), packing(name, variable.attrs))


def _variable(file: h5netcdf.File, name: str) -> h5netcdf.Variable:
    if name in file.variables:
        return file.variables[name]
    close = get_close_matches(name, file.variables, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise InputError(f"the variable {name!r} is missing; {hint}The file has: {', '.join(file.variables) or 'none'}")


def _sizes(dimensions: dict[str, Any]) -> str:
    return ", ".join(f"{name}={size}" for name, size in dimensions.items())


def _hint(words: str, folder: Path, name: str) -> str:
    """The closest file of a folder, or any netCDF file of it."""
    if not folder.is_dir():
        return f"; the folder {folder} does not exist either"
    files: Iterable[str] = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    close = get_close_matches(name, files, n=1) if name else [entry for entry in files if entry.endswith(".nc")][:1]
    return f"; {words} {folder / close[0]}{'?' if name else ''}" if close else ""


def _what_is_it(path: Path) -> str:
    """Why a file does not open as HDF5."""
    with open(path, "rb") as file:
        start = file.read(8)
    if start == b"\x89HDF\r\n\x1a\n":
        return f"{path} is cut off or damaged ({path.stat().st_size} bytes are there); copy or generate it again"
    if start.startswith(b"CDF"):
        return f"{path} is netCDF-3, expected netCDF-4 (HDF5); convert it with nccopy -k nc4"
    if not start:
        return f"{path} is empty, expected a netCDF-4 (HDF5) file"
    return f"{path} is not an HDF5 file, expected netCDF-4 (HDF5); give the file that `generate` wrote"
