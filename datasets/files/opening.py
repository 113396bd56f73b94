"""Opening a file: what it says about itself, and one clear line where it is not what it should be."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5netcdf
import h5py
import numpy as np

from opforge.errors import InputError

if TYPE_CHECKING:
    import xarray

# Bytes of an attribute above which it is not read: it is no description any more.
_LARGEST_ATTRIBUTE = 2**20

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
        axes = {axis for name in names for axis in find_variable(file, name).dimensions}
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
        for reference in (reference for references in dimensions for reference in references):
            try:
                scale = hdf5[reference]
            except DAMAGE:
                scale = None
            if scale is None or scale.name is None:
                label = b"" if scale is None else scale.attrs.get("NAME", b"")
                label = label.decode(errors="replace") if isinstance(label, bytes) else str(label)
                raise InputError(
                    f"the coordinate {label!r} of variable {name!r} is missing: it was deleted or the file is "
                    "damaged; copy or generate the file again"
                )


def array_at(hdf5: h5py.File, path: str) -> h5py.Dataset:
    """An array of numbers in an HDF5 file, found without leaving the file.

    Args:
        hdf5: the open file.
        path: of the array, its parts separated by ``/``.

    Raises:
        InputError: nothing is there, or a group, text, an axis without a point, or something that lies in another file.
    """
    place: Any = hdf5
    for part in path.strip("/").split("/"):
        kind = place.get(part, getlink=True) if isinstance(place, h5py.Group) else None
        if kind is None:
            raise InputError(f"variable {path!r} is missing")
        if isinstance(kind, h5py.ExternalLink):
            raise InputError(
                f"variable {path!r} is a link to another file, {kind.filename!r}, which is not followed; "
                "copy it into this file (h5copy) or open that one"
            )
        if not isinstance(kind, h5py.HardLink):  # what it leads to may be a link out of the file
            raise InputError(f"variable {path!r} is a link, which is not followed; copy what it leads to (h5copy)")
        place = place[part]
    if not isinstance(place, h5py.Dataset):
        raise InputError(f"variable {path!r} is a group of variables, expected an array of numbers")
    if place.is_virtual or place.external:
        raise InputError(f"variable {path!r} lies in other files, which are not followed; repack it into this one")
    if place.dtype.kind not in "fiub":
        raise InputError(f"variable {path!r} must hold real numbers, got {_kind(place.dtype)}")
    if 0 in place.shape:
        raise InputError(f"variable {path!r} is empty, its shape is {place.shape}")
    return place


def _kind(dtype: np.dtype) -> str:
    return "text" if dtype.kind in "SU" or h5py.check_string_dtype(dtype) is not None else str(dtype)


def attributes_of(thing: Any) -> dict[str, Any]:
    """The attributes of a file, a group or a variable.

    Raises:
        InputError: one that is larger than any description should be.
    """
    found = {}
    for name in thing.attrs:
        size = _attribute_bytes(thing, name)
        if size <= _LARGEST_ATTRIBUTE:
            found[name] = thing.attrs[name]
            size = _text_bytes(found[name])
        if size > _LARGEST_ATTRIBUTE:
            raise InputError(
                f"the attribute {name!r} takes {size / 1e6:.1f} MB, at most {_LARGEST_ATTRIBUTE / 1e6:.1f} MB are "
                "read; delete it or keep it in a variable"
            )
    return found


def _attribute_bytes(thing: Any, name: str) -> int:
    """How much an attribute takes, as far as that is known before it is read."""
    hdf5 = getattr(thing, "_h5group", getattr(thing, "_h5ds", thing))
    return int(h5py.h5a.get_info(hdf5.id, name.encode()).data_size)


def _text_bytes(value: Any) -> int:
    """How long text is that HDF5 keeps elsewhere, so that its size is known only when it was read."""
    if isinstance(value, str | bytes):
        return len(value)
    return sum(map(_text_bytes, value.flat)) if isinstance(value, np.ndarray) and value.dtype.kind == "O" else 0


def find_variable(file: h5netcdf.File, name: str) -> h5netcdf.Variable:
    """A variable of a netCDF file.

    Raises:
        InputError: it is missing or a group; the text names the closest that is there.
    """
    if name in file.variables:
        return file.variables[name]
    if name in file.groups:
        raise InputError(f"variable {name!r} is a group of variables, expected an array of numbers")
    close = get_close_matches(name, file.variables, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise InputError(f"the variable {name!r} is missing; {hint}The file has: {', '.join(file.variables) or 'none'}")


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
