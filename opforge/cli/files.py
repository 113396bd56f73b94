"""Paths that the commands are given: what must exist, what must not, and files that appear whole or not at all."""

from __future__ import annotations

import glob
import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from opforge.datasets.files.names import check_place, home_hint
from opforge.datasets.files.whole import written_whole
from opforge.errors import InputError

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

PICTURES = (".png", ".pdf", ".svg")


def existing(path: Path, *, what: str) -> Path:
    """Return ``path``, which must exist.

    Raises:
        InputError: nothing is there.
    """
    if not path.exists():
        remedy = home_hint(path) or f"check the path (the current folder is {Path.cwd()})"
        raise InputError(f"{what} {str(path)!r} does not exist; {remedy}")
    return path


def free(path: Path, *, force: bool, what: str = "output", reads: Path | None = None) -> Path:
    """Return ``path``, which must be free to write a file to.

    Args:
        path: what is to be written.
        force: whether a file that exists may be replaced.
        what: what it is, for the errors.
        reads: a file, a folder or a pattern that the command reads: it is not replaced, whatever ``force`` says.

    Raises:
        InputError: it exists and ``force`` is false, it is no regular file, it is read, or its folder does not exist or
            is not one that files can be made in.
    """
    check_place(path, what)
    if reads is not None and path.is_file() and any(path.samefile(one) for one in _files_of(reads)):
        raise InputError(f"{what} {str(path)!r} is what the command reads; give another name")
    if path.is_dir():
        raise InputError(f"{what} {str(path)!r} is a folder; give a file name")
    if path.exists() and not path.is_file():
        raise InputError(f"{what} {str(path)!r} is a device or a pipe; give the name of a file")
    if path.exists() and not force:
        raise InputError(f"{what} {str(path)!r} exists; use --force to replace it, or another name")
    if not path.parent.is_dir():
        remedy = home_hint(path) or f"create {str(path.parent)!r} first"
        raise InputError(f"the folder of {what} {str(path)!r} does not exist; {remedy}")
    _check_writable(path, what)
    return path


def _check_writable(path: Path, what: str) -> None:
    """Make a file without a name where ``path`` is to be: what is allowed is not all that decides whether one can.

    Raises:
        InputError: that fails.
    """
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise InputError(f"{what} {str(path)!r} cannot be written: {error.strerror}; choose another folder") from error


def _files_of(path: Path) -> list[Path]:
    """The files that a path stands for: itself, those of a folder, those that a pattern finds."""
    if path.is_file():
        return [path]
    if path.is_dir():
        return [one for one in path.iterdir() if one.is_file()]
    return [Path(one) for one in glob.glob(str(path)) if os.path.isfile(one)]


def free_json(target: str | None, *, force: bool, reads: Path | None = None) -> None:
    """Check, before any work is done, that the argument of ``--json`` can be written; ``-`` is stdout."""
    if target not in (None, "-"):
        free(Path(target), force=force, what="JSON file", reads=reads)


def free_folder(path: Path, *, force: bool, what: str = "output folder") -> Path:
    """Return ``path``, which must not exist or be an empty folder, unless ``force``.

    Raises:
        InputError: it is a file, or a folder with something in it and ``force`` is false.
    """
    if (hint := home_hint(path)) and not Path(path.parts[0]).is_dir():
        raise InputError(f"{what} {str(path)!r} would make a folder {path.parts[0]!r}; {hint}")
    if path.exists() and not path.is_dir():
        raise InputError(f"{what} {str(path)!r} is a file; give another name")
    if path.is_dir() and any(path.iterdir()) and not force:
        raise InputError(f"{what} {str(path)!r} exists and is not empty; use --force to write into it, or another name")
    return path


def made_folder(path: Path, *, what: str = "output folder") -> Path:
    """Return ``path``, a folder that is made where there is none, those above it included.

    Raises:
        InputError: it can't be made there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{what} {str(path)!r} cannot be made: {error.strerror}; choose another place") from error
    return path


def check_suffix(path: Path, suffixes: Sequence[str] = PICTURES, *, what: str = "picture") -> None:
    """Refuse a name whose ending is no known format.

    Raises:
        InputError: such a name.
    """
    if path.suffix.lower() not in suffixes:
        raise InputError(f"{what} {str(path)!r} must end in one of {', '.join(suffixes)}")


def save(figure: Figure, path: Path) -> None:
    """Write a picture in the format that its name ends in."""
    check_suffix(path)
    with written_whole(path) as partial:
        figure.savefig(partial, format=path.suffix[1:].lower())


def netcdf_bytes(dataset: xr.Dataset) -> memoryview:
    """The netCDF-4 file of a dataset, in memory: HDF5 crashes the process where a write to a disk fails."""
    import h5netcdf
    import h5py
    from xarray.backends import H5NetCDFStore

    buffer = io.BytesIO()
    # netCDF wants the order of creation to be kept.
    with h5py.File(buffer, "w", track_order=True) as hdf5, h5netcdf.File(hdf5, "w") as file:
        dataset.dump_to_store(H5NetCDFStore(file))
    return buffer.getbuffer()
