"""How a dataset's file is laid out: netCDF-4 in which every sample has its place before it is there.

All room is set aside when the file is made, and HDF5 never comes near it again: samples are written as plain bytes to
offsets that are known. So nothing that happens to the writing processes can harm the file's structure, any process may
write any sample, and a sample that was cut off is recognised by its checksum. A compressed file, whose samples have no
such places, is put together at the end; see `opforge.datasets.files.slots`.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from typing import Any

import h5netcdf
import h5py
import numpy as np

from opforge.datasets.files.columns import PAGE, variables
from opforge.datasets.files.header import Header
from opforge.errors import InputError

# How a file of compressed samples begins while it is being made.
SLOTS_MAGIC = b"opforge slots 1\n"

# Attributes of the variables that go with every sample.
_SEED = {"long_name": "seed of the sample", "units": "1"}
_RESIDUAL = {"long_name": "relative residual of the double precision solution; NaN where it failed", "units": "1"}
_SUMMED = "CRC-32 of the sample's fields as stored, one after the other, then {}solver_residual and seed"

# HDF5 1.10's format, which netCDF's library of today's Linux distributions reads. In it the places of chunks that are
# set aside at once follow from their number, in older formats a tree of all chunks is kept.
_VERSION = h5py.h5f.LIBVER_V110

# Where the reasons of failed samples are kept, beside the data, of so many bytes of UTF-8 each, and for how many there
# is room at most. What is not written takes no room on most disks.
FAILURES = "generation/failures"
REASON_BYTES = 256
_MOST_REASONS = 4096
_FAILURES = {"long_name": "why samples failed, those whose residual is NaN; empty where none did"}

# Bytes of a compressed chunk before compression, at most, unless one frame is larger; and what HDF5 takes at all.
_CHUNK_BYTES = 2**24
_LARGEST_CHUNK = 2**32 - 1


@dataclass(frozen=True)
class Place:
    """Where a variable's numbers are in the file, sample after sample.

    Args:
        offset: of sample 0, in bytes.
        dtype: of the numbers.
        shape: of one sample.
    """

    offset: int
    dtype: np.dtype
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of one sample."""
        return math.prod(self.shape) * self.dtype.itemsize


Places = dict[str, Place]


def per_sample(header: Header) -> dict[str, dict[str, str]]:
    """The variables that have one number for every sample, with their attributes, in the order of `variables`."""
    drawn = {name: header.describe(name) for name in header.drawn}
    summed = _SUMMED.format("".join(f"{name}, " for name in header.drawn))
    return {**drawn, "solver_residual": _RESIDUAL, "seed": _SEED, "checksum": {"long_name": summed, "units": "1"}}


def failure_room(samples: int) -> tuple[int, int]:
    """The reasons of failures that a file of so many samples has room for, and the bytes of each.

    Example:
        >>> failure_room(10), failure_room(1000), failure_room(10**6)
        ((32, 256), (1000, 256), (4096, 256))
    """
    return min(max(samples, 32), _MOST_REASONS), REASON_BYTES


def chunk_shape(header: Header, name: str, dtype: np.dtype, *, compressed: bool) -> tuple[int, ...]:
    """How a field is cut into chunks (sample, [frames], *space): a sample each, or equal parts of it where it is large.

    Raises:
        InputError: one frame is more than HDF5 takes for a chunk.
    """
    shape = header.shape(name)
    most = _CHUNK_BYTES if compressed else _LARGEST_CHUNK
    frames = shape[0] if name in header.evolving else 1
    frame = math.prod(shape) // frames * dtype.itemsize
    if frame > _LARGEST_CHUNK:
        raise InputError(
            f"a frame of {name!r} takes {frame / 1e9:.1f} GB, a file holds at most {_LARGEST_CHUNK / 1e9:.1f} GB in "
            "one piece; lower the resolution"
        )
    together = max(n for n in range(1, frames + 1) if frames % n == 0 and (n == 1 or n * frame <= most))
    return (1, together, *shape[1:]) if name in header.evolving else (1, *shape)


def lay_out(file: Any, header: Header, dtype: np.dtype) -> Places:
    """Write the structure of a dataset's file, with the room for all samples set aside.

    Args:
        file: a file that is open for reading and writing.
        header: what it says about itself.
        dtype: of the fields.

    Returns:
        Where the samples are to be written, and the reasons of those that failed.
    """
    sizes = (math.prod(shape) * kind.itemsize for kind, shape in variables(header, dtype).values() if shape)
    with h5py.File(new_hdf5(file, pages=all(size % PAGE == 0 for size in sizes))) as hdf5:
        create(hdf5, header, dtype)
        return places(hdf5, header, dtype)


def new_hdf5(file: Any, *, pages: bool = False) -> Any:
    """An HDF5 file that keeps the order of creation, as netCDF wants it, and no time: equal data are equal bytes.

    Args:
        file: a file that is open for reading and writing.
        pages: whether what takes a page or more begins at one.
    """
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    access.set_libver_bounds(_VERSION, _VERSION)
    access.set_fileobj_driver(h5py.h5fd.fileobj_driver, file)
    if pages:
        access.set_alignment(PAGE, PAGE)
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    order = h5py.h5p.CRT_ORDER_TRACKED | h5py.h5p.CRT_ORDER_INDEXED
    creation.set_link_creation_order(order)
    creation.set_attr_creation_order(order)
    creation.set_obj_track_times(False)
    return h5py.h5f.create(b"dataset", h5py.h5f.ACC_TRUNC, creation, access)


def create(hdf5: h5py.File, header: Header, dtype: np.dtype, *, compression: int | None = None) -> None:
    """Dimensions, variables and attributes as netCDF has them; the fields compressed if a level is given."""
    # h5netcdf is given the open HDF5 file, not its path, and leaves it open
    with h5netcdf.File(hdf5, "w") as file:
        coordinates = header.coordinates()
        file.dimensions = {"sample": header.samples, **{name: len(values) for name, values in coordinates.items()}}
        file.attrs.update(header.to_attributes())
        for name, values in coordinates.items():
            coordinate = file.create_variable(name, (name,), dtype=np.float64, data=values)
            coordinate.attrs.update(header.describe(name))
        others = per_sample(header)
        for name, (kind, shape) in variables(header, dtype).items():
            options: dict[str, Any] = {"dcpl": _set_aside()}
            if shape:
                options["chunks"] = chunk_shape(header, name, dtype, compressed=compression is not None)
            if shape and compression is not None:
                options |= {"compression": "gzip", "compression_opts": compression, "shuffle": True, "dcpl": None}
            dimensions = tuple(header.dimensions(name)) if shape else ("sample",)
            variable = file.create_variable(name, dimensions, dtype=kind, **options)
            variable.attrs.update(others.get(name) or header.describe(name))
        group = file.create_group(FAILURES.split("/")[0])
        group.dimensions = dict(zip(("failure", "text"), failure_room(header.samples), strict=True))
        reasons = group.create_variable(FAILURES.split("/")[1], ("failure", "text"), dtype="S1", dcpl=_set_aside())
        reasons.attrs.update(_FAILURES)


def _set_aside() -> Any:
    """What has HDF5 allocate a variable when it creates it, and write nothing."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    return properties


def places(hdf5: h5py.File, header: Header, dtype: np.dtype) -> Places:
    """Where `lay_out` put the variables.

    Raises:
        ValueError: they are not where they should be, or not what they should be.
    """
    found = {}
    for name, (kind, shape) in variables(header, dtype).items():
        variable: Any = hdf5[name]
        if variable.shape != (header.samples, *shape) or variable.dtype != kind:
            raise ValueError(f"the variable {name!r} is {variable.dtype} of shape {variable.shape}")
        place = Place(_offset(variable, 0), kind, shape)
        last = header.samples - 1
        if _offset(variable, last) != place.offset + last * place.size:
            raise ValueError(f"the samples of variable {name!r} do not follow each other")
        found[name] = place
    reasons: Any = hdf5[FAILURES]
    if reasons.shape != failure_room(header.samples) or reasons.dtype != "S1":
        raise ValueError(f"the variable {FAILURES!r} is {reasons.dtype} of shape {reasons.shape}")
    found[FAILURES] = Place(_offset(reasons, 0), np.dtype("S1"), (REASON_BYTES,))
    return found


def read_failures(hdf5: h5py.File) -> list[str]:
    """Why samples of a file of opforge failed; none for other files."""
    rows = hdf5.get(FAILURES)
    if not (isinstance(rows, h5py.Dataset) and rows.shape[1:] == (REASON_BYTES,) and rows.dtype == "S1"):
        return []
    if rows.shape[0] > _MOST_REASONS:
        return []
    return split_reasons(rows[...].tobytes())


def split_reasons(data: bytes) -> list[str]:
    """The reasons that the bytes of their place in a file hold.

    Example:
        >>> split_reasons(b"sample 3: no".ljust(256, b"\\0") + bytes(256))
        ['sample 3: no']
    """
    starts = range(0, len(data), REASON_BYTES)
    found = (data[start : start + REASON_BYTES].rstrip(b"\0") for start in starts)
    return [text.decode(errors="replace") for text in found if text]


def failed_sample(reason: str) -> int:
    """The number of the sample that a reason is about.

    Example:
        >>> failed_sample("sample 12 (seed 7): no")
        12
    """
    word = reason.split(" ", 2)[1] if reason.startswith("sample ") else ""
    return int(word) if word.isdigit() else 0


def plain_place(variable: h5py.Dataset) -> Place | None:
    """Where a variable's samples lie, if they lie one after the other as plain numbers; None where only HDF5 knows."""
    whole = variable.chunks is None or variable.chunks == (1, *variable.shape[1:])
    if variable.ndim == 0 or variable.dtype.kind != "f" or not whole or variable.is_virtual or variable.external:
        return None
    properties = variable.id.get_create_plist()
    if properties.get_nfilters():
        return None
    place = Place(0, variable.dtype, variable.shape[1:])
    if variable.chunks is None:
        start = variable.id.get_offset()
        return None if start is None else replace(place, offset=start)
    if not hasattr(variable.id, "chunk_iter") or variable.id.get_num_chunks() < max(1, variable.shape[0]):
        return None  # a build with an old HDF5, or samples that were never written
    start = _offset(variable, 0)

    def elsewhere(chunk: Any) -> bool | None:
        return True if chunk.byte_offset != start + chunk.chunk_offset[0] * place.size else None  # True ends it

    return None if variable.id.chunk_iter(elsewhere) else replace(place, offset=start)


def read_bytes(file: int, offset: int, into: np.ndarray) -> bool:
    """Fill a contiguous array with the bytes of a file from ``offset`` on.

    Returns:
        Whether the file has them all; what it lacks is left as it was.
    """
    view = into.data.cast("B")
    while view:
        count = os.preadv(file, [view], offset)
        if count == 0:
            return False
        view, offset = view[count:], offset + count
    return True


def _offset(variable: h5py.Dataset, index: int) -> int:
    """Where sample ``index`` begins."""
    first: int | None
    if variable.chunks is None:
        first, index = variable.id.get_offset(), index * math.prod(variable.shape[1:]) * variable.dtype.itemsize
    else:
        first, index = variable.id.get_chunk_info_by_coord((index, *[0] * (variable.ndim - 1))).byte_offset, 0
    if first is None:
        raise ValueError(f"no room is set aside for the variable {variable.name!r}")
    return first + index
