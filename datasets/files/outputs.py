"""Whether a dataset can be written to a path: what is there already, how much room there is, who else is writing."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from opforge.datasets.files.columns import bytes_per_sample, variables
from opforge.datasets.files.contents import DEFLATED_AT_MOST
from opforge.datasets.files.header import Header, plain
from opforge.datasets.files.names import check_place, home_hint
from opforge.datasets.files.opening import DAMAGE, open_hdf5
from opforge.datasets.files.whole import partial_of
from opforge.errors import InputError

_UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"))

# Besides the numbers: HDF5's own structures, the attributes, the reasons of failures.
_OVERHEAD = 2**16


def check_output(path: Path, *, overwrite: bool) -> None:
    """Refuse an output that cannot be written before any work is done.

    Raises:
        InputError: a file that exists and shall not be overwritten, a folder, a device or a pipe in its place, a
            symbolic link, a folder that is missing or may not be entered, a name that is too long.
    """
    check_place(path, "out")
    if path.is_symlink():
        raise InputError(
            f"out names {path}, a symbolic link to {path.readlink()}, which writing would replace; name the file itself"
        )
    if path.is_dir():
        raise InputError(f"out must be a file, {path} is a folder; name a file in it, such as {path / 'darcy.nc'}")
    if path.exists() and not path.is_file():  # renaming the partial file to it would remove it from the system
        raise InputError(f"out must be a file, {path} is a device, a pipe or a socket; choose another name")
    if path.exists() and not overwrite:
        raise InputError(f"out names {path}, which exists; choose another name or set overwrite=True (--force)")
    if not path.parent.is_dir():
        remedy = home_hint(path) or "create it first"
        raise InputError(f"out lies in the folder {path.parent}, which does not exist; {remedy}")
    if partial_of(path).is_symlink():
        raise InputError(f"{partial_of(path)} is a symbolic link, which is not written to; remove it")


def is_done(
    path: Path, header: Header, dtype: np.dtype, compression: int | None = None, *, overwrite: bool = False
) -> bool:
    """Whether ``path`` is the whole file of this header already, of the same type and compression.

    Args:
        path: the file.
        header: what it should say about itself.
        dtype: of its fields.
        compression: level of its compression.
        overwrite: whether it may be another file, which is to be replaced. It is, too, where samples for a new one lie
            beside it.

    Raises:
        InputError: it is another file and may not be, or it is out of reach.
    """
    check_place(path, "out")
    left = partial_of(path).exists()
    if not path.exists() or (overwrite and left):
        return False
    try:
        same = _is_same(path, header, dtype, compression)
    except InputError:
        if overwrite:
            return False
        raise
    if left:
        warnings.warn(
            f"{path} is whole, and {partial_of(path)} holds samples of a run that was to replace it; go on with that "
            "run by overwrite=True, resume=True (--force --resume), or remove them",
            stacklevel=3,
        )
    return same


def _is_same(path: Path, header: Header, dtype: np.dtype, compression: int | None) -> bool:
    try:
        with open_hdf5(path) as hdf5:
            check_same(path, identity_of(hdf5, header), identity(header, dtype, compression))
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(f"{path} is damaged: its attributes cannot be read; generate it again") from error
    return True


def identity(header: Header, dtype: np.dtype, compression: int | None) -> dict[str, Any]:
    """What a file has to say about itself to be this one: plain values by name."""
    kind = {"dtype": dtype.name, "compression": compression}
    return {"samples": header.samples, **header.to_attributes(), **kind}


def identity_of(hdf5: h5py.File, header: Header) -> dict[str, Any]:
    """What an open file says about itself, see `identity`; ``header`` names its fields."""
    seeds, field = hdf5.get("seed"), hdf5.get(header.names[0])
    samples = seeds.shape[0] if isinstance(seeds, h5py.Dataset) and seeds.ndim else None
    kind = (field.dtype.name, field.compression_opts) if isinstance(field, h5py.Dataset) else (None, None)
    attributes = {name: plain(value) for name, value in hdf5.attrs.items()}
    return {"samples": samples, **attributes, "dtype": kind[0], "compression": kind[1]}


def check_same(path: Path, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Refuse a file that is not the one it should be.

    Args:
        path: the file, for the text.
        there: what it says about itself, see `identity`.
        here: what it should say.

    Raises:
        InputError: something differs.
    """
    for name, value in here.items():
        if there.get(name) != value:
            raise InputError(
                f"{path} is of another dataset: {name} is {there.get(name)!r} there and {value!r} here; give the same "
                "arguments, another output, or throw it away with overwrite=True (--force)"
            )


def check_space(
    path: Path, header: Header, dtype: np.dtype, *, samples: int | None = None, compressed: bool = False
) -> None:
    """Refuse to start what does not fit on the disk.

    How small compression will make it is not known, but what it makes of the best samples is; and until a compressed
    file is put together, its samples also lie apart, in whole blocks of the disk.

    Args:
        path: the file to be.
        header: of the dataset.
        dtype: of its fields.
        samples: how many of its samples are not there yet; all unless given.
        compressed: whether its fields are.

    Raises:
        InputError: the file needs more than is free.
    """
    each = bytes_per_sample(header, dtype)
    apart = 0
    if compressed:
        numbers = sum(kind.itemsize for kind, shape in variables(header, dtype).values() if not shape)
        each = numbers + (each - numbers) // DEFLATED_AT_MOST
        block = os.statvfs(path.parent).f_frsize if hasattr(os, "statvfs") else 1
        apart = -(-each // block) * block
    # what is apart is put together when all samples are there
    missing = header.samples if samples is None else samples
    needed = missing * apart + (header.samples if compressed else missing) * each + _OVERHEAD
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        least = ", however well it compresses," if compressed else ""
        raise InputError(
            f"{path} needs {size_text(needed)}{least} and the disk has {size_text(free)} free; "
            "free some space, choose another folder or generate fewer samples"
        )


def size_text(size: float) -> str:
    """A number of bytes in words.

    Example:
        >>> size_text(51_200), size_text(2.5e9), size_text(1.282e15)
        ('0.1 MB', '2.5 GB', '1,282.0 TB')
    """
    unit, name = next((unit for unit in _UNITS if size >= unit[0]), _UNITS[-1])
    return f"{size / unit:,.1f} {name}"


def no_writer(file: Any) -> None:
    """Take the file for this process while it is open.

    Raises:
        BlockingIOError: another process is writing it.
    """
    try:
        import fcntl
    except ImportError:  # Windows does not let go of open files without being asked: removing them fails
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def let_go(file: Any) -> None:
    """Give a file back that `no_writer` took, before it is closed.

    Closing is not enough: processes that were forked meanwhile, such as an executor's, hold the file open too.
    """
    try:
        import fcntl
    except ImportError:
        return
    fcntl.flock(file, fcntl.LOCK_UN)
