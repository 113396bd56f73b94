"""Opening a file: what it says about itself, and one clear line where it is not what it should be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import h5netcdf
import h5py

from opforge.datasets.files.contents import check_members, one_line
from opforge.datasets.files.names import home_hint
from opforge.datasets.files.probe import examine
from opforge.datasets.files.seal import may_be_unfinished
from opforge.datasets.files.whole import PARTIAL, partial_of, whole_of
from opforge.errors import InputError

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

    Before HDF5 sees it, a file that opforge wrote is compared with its seal; any other is tried in another process.

    Raises:
        InputError: a path that does not exist or is a folder, a file of another kind, cut off, damaged or not readable.
    """
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder, expected a netCDF-4 file{_hint('in it', path, '')}")
    if not os.path.exists(path):
        if os.path.islink(path):
            raise InputError(f"{path} is a symbolic link to {path.readlink()}, which does not exist; name another file")
        if os.path.exists(partial_of(path)):
            raise InputError(f"there is no file {path} yet; {_unfinished(partial_of(path))}")
        raise InputError(f"there is no file {path}{_hint('did you mean', path.parent, path.name)}")
    if not os.path.isfile(path):
        raise InputError(f"{path} is a device, a pipe or a socket, expected a netCDF-4 file")
    try:
        _check_unlocked(path)
        if _is_unfinished(path):
            raise InputError(_unfinished(path))
        examine(path)
        return h5py.File(path, "r")
    except PermissionError as error:
        raise InputError(f"{path} may not be read; change its permissions") from error
    except BlockingIOError as error:
        if _is_unfinished(path):
            raise InputError(_unfinished(path)) from error
        raise InputError(f"{path} is open for writing in another program; close it there, or copy the file") from error
    except OSError as error:
        raise InputError(_what_is_it(path)) from error


@contextmanager
def opened_hdf5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file for reading; whatever goes wrong in the block is one line about the file.

    Raises:
        InputError: what `open_hdf5` refuses, a damaged file; an `InputError` of the block, with the path before it.
    """
    with open_hdf5(path) as hdf5:
        try:
            yield hdf5
        except InputError as error:
            raise InputError(f"{path}: {one_line(str(error))}") from error
        except DAMAGE as error:
            raise InputError(f"{path} is damaged: its structure cannot be read; copy or generate it again") from error


@contextmanager
def open_netcdf(path: Path) -> Iterator[h5netcdf.File]:
    """A netCDF-4 file for reading; whatever goes wrong in the block is one line about the file.

    Raises:
        InputError: see `opened_hdf5`; anything in it that lies in another file, that is a link which leads nowhere or a
            huge attribute; coordinates that are missing.
    """
    with opened_hdf5(path) as hdf5:
        check_members(hdf5)
        _check_coordinates(hdf5)
        with _File(hdf5, "r", phony_dims="sort") as file:
            yield file


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
        for axis, reference in ((axis, each) for axis, references in enumerate(dimensions) for each in references):
            try:
                scale = hdf5[reference]
            except DAMAGE:
                scale = None
            if scale is None or scale.name is None:
                label = b"" if scale is None else scale.attrs.get("NAME", b"")
                label = label.decode(errors="replace") if isinstance(label, bytes) else str(label)
                which = f"coordinate {label!r}" if label else f"coordinate of axis {axis}"
                raise InputError(
                    f"the {which} of variable {name!r} is missing: it was deleted or the file is "
                    "damaged; copy or generate the file again"
                )


def _is_unfinished(path: Path) -> bool:
    """Whether a file is what a generation left that did not end."""
    return path.suffix == PARTIAL and may_be_unfinished(path)


def _unfinished(path: Path) -> str:
    try:
        _check_unlocked(path)
    except BlockingIOError:
        return f"{path} is being written by another process; wait until {whole_of(path)} is there"
    except OSError:  # it cannot be read, or is gone
        pass
    return (
        f"{path} is the unfinished file of a generation; go on with `opforge generate … -o {whole_of(path)} --resume` "
        "(opforge merge where it joined shards)"
    )


def _hint(words: str, folder: Path, name: str) -> str:
    """The closest file of a folder, or any netCDF file of it."""
    if not os.path.isdir(folder):
        return f"; {home_hint(folder / name) or f'the folder {folder} does not exist either'}"
    try:
        files = sorted(entry for entry in os.listdir(folder) if os.path.isfile(folder / entry))
    except OSError:  # a folder that may not be read
        files = []
    close = get_close_matches(name, files, n=1) if name else [entry for entry in files if entry.endswith(".nc")][:1]
    return f"; {words} {folder / close[0]}{'?' if name else ''}" if close else ""


def _check_unlocked(path: Path) -> None:
    """Look for the lock that HDF5 puts on a file that it writes, whose structures need not fit together meanwhile.

    Raises:
        BlockingIOError: there is one.
        OSError: the file cannot be read.
    """
    try:
        import fcntl
    except ImportError:  # on Windows opening tells
        return
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:  # a file system without locks
            return
        fcntl.flock(file, fcntl.LOCK_UN)


def _what_is_it(path: Path) -> str:
    """Why a file does not open as HDF5."""
    with open(path, "rb") as file:
        start = file.read(8)
    if start == b"\x89HDF\r\n\x1a\n":
        return f"{path} is cut off or damaged ({path.stat().st_size} bytes are there); copy or generate it again"
    if start.startswith(b"CDF"):
        new = path.with_name(f"{path.stem}-nc4.nc")
        return f"{path} is netCDF-3, expected netCDF-4 (HDF5); convert it with `nccopy -k nc4 {path} {new}`"
    if not start:
        return f"{path} is empty, expected a netCDF-4 (HDF5) file"
    return f"{path} is not an HDF5 file, expected netCDF-4 (HDF5); give the file that `generate` wrote"
