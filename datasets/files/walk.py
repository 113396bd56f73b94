"""Going through all of a file's structure: `opforge.datasets.files.probe` runs this file as a script.

It imports nothing but h5py, or scipy, so that it starts soon, and uses h5py's lower level, which takes a third of the
time.
"""

import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import h5py
import h5py.h5l
import h5py.h5o

# Attributes that take more bytes are not read. Of arrays that do, the first and the last row are; of those whose rows
# or chunks take more, nothing.
_LARGEST = 2**20
_LARGEST_ROW = 2**24

_MATLAB = b"MATLAB"
_LARGEST_MATLAB = 2**27


def walk(path: str, seconds: float) -> int:
    """Touch every link, attribute and array of a file, whatever each of them raises.

    Args:
        path: the file.
        seconds: when to stop, unless everything was seen before. HDF5 itself is never interrupted.

    Returns:
        How many groups and arrays were seen.

    Raises:
        OSError: the file does not open.
    """
    stop = time.monotonic() + seconds
    seen = set()
    with h5py.File(path, "r") as file:
        left: list[Any] = [h5py.h5g.open(file.id, b"/")]
        while left and time.monotonic() < stop:
            thing = left.pop()
            place = _tried(h5py.h5o.get_info, thing)
            if place is None or place.addr in seen:
                continue
            seen.add(place.addr)
            attributes = h5py.AttributeManager(SimpleNamespace(id=thing))
            for name in _tried(list, attributes) or ():
                _tried(_attribute, thing, attributes, name)
            if isinstance(thing, h5py.h5d.DatasetID):
                _tried(_chunks, thing, stop)
                _tried(_values, h5py.Dataset(thing))
            elif isinstance(thing, h5py.h5g.GroupID):
                left += _members(thing)
    return len(seen)


def _tried(action: Callable[..., Any], *arguments: Any) -> Any:
    """What an action gives, or None: all that counts is that it comes to an end."""
    try:
        return action(*arguments)
    except Exception:  # damage shows as any of them; what ends this process is told by its parent
        return None


def _members(group: h5py.h5g.GroupID) -> Iterator[Any]:
    """What is in a group. Links to names are not followed: they may lead to other files."""
    for name in _tried(list, group) or ():
        link = _tried(group.links.get_info, name)
        if link is not None and link.type == h5py.h5l.TYPE_HARD:
            member = _tried(h5py.h5o.open, group, name)
            if member is not None:
                yield member


def _attribute(thing: Any, attributes: h5py.AttributeManager, name: str | bytes) -> None:
    place = name if isinstance(name, bytes) else name.encode()
    if h5py.h5a.get_info(thing, place).data_size <= _LARGEST:
        attributes[name]


def _chunks(array: h5py.h5d.DatasetID, stop: float) -> None:
    properties = array.get_create_plist()
    array.get_storage_size()
    if properties.get_layout() == h5py.h5d.CHUNKED:
        array.chunk_iter(lambda chunk: True if time.monotonic() > stop else None)  # True ends it


def _values(array: h5py.Dataset) -> None:
    """Read a little array, or the ends of a large one."""
    if not array.size or array.is_virtual or array.external:
        return
    if array.nbytes <= _LARGEST:
        array[()]
    elif max(array.nbytes // len(array), math.prod(array.chunks or ()) * array.dtype.itemsize) <= _LARGEST_ROW:
        for row in (0, -1):
            array[row]


def is_matlab(path: str) -> bool:
    """Whether a file is one of MATLAB's; those of version 7.3 are HDF5."""
    with open(path, "rb") as file:
        return file.read(len(_MATLAB)) == _MATLAB


def load(path: str) -> None:
    """Read a file of MATLAB 5 with scipy: its arrays too, unless they are large."""
    from scipy.io import loadmat, whosmat

    whosmat(path, appendmat=False)
    if os.path.getsize(path) <= _LARGEST_MATLAB:
        loadmat(path, appendmat=False)


if __name__ == "__main__":
    if h5py.is_hdf5(sys.argv[1]):
        walk(sys.argv[1], float(sys.argv[2]))
    elif is_matlab(sys.argv[1]):
        load(sys.argv[1])
