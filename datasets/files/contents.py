"""What is in an open file: arrays, links and attributes; found without leaving the file, and nothing huge is read."""

from __future__ import annotations

import os
from difflib import get_close_matches
from typing import Any

import h5netcdf
import h5py
import h5py.h5l
import h5py.h5o
import numpy as np

from opforge.errors import InputError

# Bytes of an attribute above which it is not read: it is no description any more.
_LARGEST_ATTRIBUTE = 2**20

# What HDF5 notes about dimensions, which is as long as there are variables.
_LISTS = ("DIMENSION_LIST", "REFERENCE_LIST")

# Deflate makes nothing smaller than this part of it. Below so many bytes it does not matter.
DEFLATED_AT_MOST = 1032
_SMALL = 2**30

# Soft links that are followed one after the other.
_MOST_LINKS = 16


def array_at(hdf5: h5py.Group, path: str) -> h5py.Dataset:
    """An array of numbers in an HDF5 file, found without leaving the file.

    Args:
        hdf5: the open file, or a group in it.
        path: of the array, its parts separated by ``/``.

    Raises:
        InputError: nothing is there, or a group, text or anything else that is no real numbers, an axis without a
            point, something that lies in another file, that is compressed in a way that is not known here, or that was
            never written.
    """
    array = _found(hdf5, path)
    if not isinstance(array, h5py.Dataset):
        what = "a group of variables" if isinstance(array, h5py.Group) else "a type"
        raise InputError(f"variable {path!r} is {what}, expected an array of numbers")
    _check_inside(array, path)
    try:
        kind = array.dtype
    except TypeError as error:  # numpy has no such type
        raise InputError(f"variable {path!r} must hold real numbers, got numbers of an unusual kind") from error
    if kind.kind not in "fiub" or h5py.check_enum_dtype(kind) is not None:
        raise InputError(f"variable {path!r} must hold real numbers, got {_kind(kind)}")
    if array.shape is None or 0 in array.shape:
        raise InputError(f"variable {path!r} is empty, its shape is {array.shape}")
    there = hdf5.file.id.get_filesize()
    if array.nbytes > max(_SMALL, DEFLATED_AT_MOST * there):
        raise InputError(
            f"variable {path!r} of shape {array.shape} takes {array.nbytes / 1e9:.1f} GB, too much for a file of "
            f"{there / 1e6:.1f} MB: it was never written or is damaged; generate it again"
        )
    return array


def _found(hdf5: h5py.Group, path: str) -> Any:
    """What is at a path of an HDF5 file. HDF5 itself would follow links to other files.

    Raises:
        InputError: nothing is there, or a link that leads nowhere, in circles or to another file.
    """
    place: Any = hdf5
    left, followed = _parts(path), 0
    while left:
        part = left.pop()
        name = _encoded(part)
        if not isinstance(place, h5py.Group) or not place.id.links.exists(name):
            missing = f"is a link that leads nowhere, {part!r} is missing" if followed else "is missing"
            raise InputError(f"variable {path!r} {missing}")
        kind = place.id.links.get_info(name).type
        if kind == h5py.h5l.TYPE_HARD:
            place = place[part]
            continue
        target = place.id.links.get_val(name) if kind in (h5py.h5l.TYPE_SOFT, h5py.h5l.TYPE_EXTERNAL) else b""
        if kind != h5py.h5l.TYPE_SOFT:
            where = f", {os.fsdecode(target[0])!r}" if target else ""
            raise InputError(
                f"variable {path!r} is a link to another file{where}, which is not followed; copy it into this file "
                "(h5copy) or open that one"
            )
        followed += 1
        if followed > _MOST_LINKS:
            raise InputError(f"variable {path!r} is a link that leads in circles; mend the file")
        text = target.decode("utf-8", "surrogateescape")
        if text.startswith("/"):
            place = hdf5["/"]
        left += _parts(text)
    return place


def _parts(path: str) -> list[str]:
    """The parts of a path, the last one first."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def _check_inside(array: h5py.Dataset, path: str) -> None:
    """Refuse an array whose numbers lie elsewhere, or are compressed in a way that is not known here."""
    properties = array.id.get_create_plist()
    if properties.get_layout() == h5py.h5d.VIRTUAL or properties.get_external_count():
        raise InputError(f"variable {path!r} lies in other files, which are not followed; repack it into this one")
    for index in range(properties.get_nfilters()):
        code, _, _, name = properties.get_filter(index)
        if not h5py.h5z.filter_avail(code):
            known = f"{name.decode(errors='replace')!r}, number {code}" if name else f"number {code}"
            raise InputError(
                f"variable {path!r} is compressed by a filter that is not known here, {known}; import hdf5plugin "
                "before (pip install hdf5plugin) or repack the file (h5repack -f GZIP=4)"
            )


def _kind(dtype: np.dtype) -> str:
    if dtype.kind in "SU" or h5py.check_string_dtype(dtype) is not None:
        return "text"
    if h5py.check_enum_dtype(dtype) is not None:
        return "an enumeration"
    if h5py.check_ref_dtype(dtype) is not None:
        return "references"
    if h5py.check_vlen_dtype(dtype) is not None:
        return "rows of different lengths"
    return "complex numbers" if dtype.kind == "c" else "compounds" if dtype.names else str(dtype)


def attributes_of(thing: Any) -> dict[str, Any]:
    """The attributes of a file, a group or a variable.

    Raises:
        InputError: one that is larger than any description should be.
    """
    found = {}
    _check_attributes(thing)
    for name in thing.attrs:
        if h5py.check_ref_dtype(_attribute(thing, name).dtype) is None:  # references describe nothing
            value = _printable(thing.attrs[name])
            _check_size(name, _text_size(value))  # of text, HDF5 tells only where it lies
            found[_printable(name)] = value
    return found


def _check_attributes(thing: Any) -> None:
    """Refuse attributes that are too large, as far as that is known before they are read."""
    for name in _hdf5(thing).attrs:
        if name not in _LISTS:
            _check_size(name, h5py.h5a.get_info(_hdf5(thing).id, _encoded(name)).data_size)


def _check_size(name: str | bytes, size: int) -> None:
    if size > _LARGEST_ATTRIBUTE:
        raise InputError(
            f"the attribute {name!r} takes {size / 1e6:.1f} MB, at most {_LARGEST_ATTRIBUTE / 1e6:.1f} MB are "
            "read; delete it or keep it in a variable"
        )


def _attribute(thing: Any, name: str | bytes) -> h5py.h5a.AttrID:
    return h5py.h5a.open(_hdf5(thing).id, _encoded(name))


def _hdf5(thing: Any) -> Any:
    """What h5py knows of a file, a group or a variable of h5netcdf or of its own."""
    return getattr(thing, "_h5group", getattr(thing, "_h5ds", thing))


def _encoded(name: str | bytes) -> bytes:
    """A name as HDF5 has it; h5py leaves those as they are that are no UTF-8."""
    return name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")


def _text_size(value: Any) -> int:
    """Characters of an attribute that is text."""
    parts = value.flat if isinstance(value, np.ndarray) else value if isinstance(value, list) else [value]
    return sum(len(part) for part in parts if isinstance(part, str | bytes))


def _printable(value: Any) -> Any:
    """Text with the bytes that are no UTF-8 replaced; anything else as it is."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return [_printable(part) for part in value] if isinstance(value, list) else value


def check_members(top: h5py.Group, inside: str = "") -> None:
    """Refuse what leads out of the file, in circles or nowhere, and attributes that are too large.

    Args:
        top: the file, or the group whose members, and theirs, are to be copied or handed to a library.
        inside: path of that group. Its texts are read as well, whose sizes are not known before: they would be copied.

    Raises:
        InputError: a member that is such a link, array or group; the text names it.
    """
    hdf5 = top.file
    left: list[tuple[str, Any]] = [(f"/{inside}" if inside else "", top)]
    seen = {h5py.h5o.get_info(top.id).addr}
    look = attributes_of if inside else _check_attributes
    look(top)
    while left:
        path, group = left.pop()
        for name in group:
            if isinstance(name, bytes):
                raise InputError(f"the name {name!r} is no UTF-8, which netCDF wants; rename it (h5py: file.move)")
            place = f"{path}/{name}"
            thing = _found(hdf5, place[1:])
            address = h5py.h5o.get_info(thing.id).addr
            if address in seen and isinstance(thing, h5py.Group):
                raise InputError(f"group {place[1:]!r} is there by another name too, which netCDF has not; delete one")
            seen.add(address)
            look(thing)
            if isinstance(thing, h5py.Group):
                left.append((place, thing))
            elif isinstance(thing, h5py.Dataset):
                _check_inside(thing, place[1:])


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


def one_line(text: str) -> str:
    """A text with everything that cannot be printed written out: the names in a file may be anything.

    Example:
        >>> one_line("the variable 'a\\nb' is missing")
        "the variable 'a\\\\nb' is missing"
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
