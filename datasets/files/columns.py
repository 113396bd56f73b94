"""The columns of a dataset: for every variable that holds samples, an array (samples, …), and the samples' checksums.

Worker processes start with this file, which therefore leaves HDF5 alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from zlib_ng import zlib_ng  # CRC-32 and deflate as zlib has them, the sum at 13 times the speed, measured

from opforge.datasets.files.header import Header

# What goes with every sample, and what of it is summed up after the fields and the drawn parameters, in this order.
_TYPES = {"solver_residual": np.dtype("<f8"), "seed": np.dtype("<u8"), "checksum": np.dtype("<u4")}
SUMMED_WITH = ("solver_residual", "seed")

# A parameter that was drawn for the sample, whatever the fields' precision: what solves for it again needs it exactly.
_DRAWN = np.dtype("<f8")

# What a system's disks and memory are divided into. Where samples are whole pages, they begin at one.
PAGE = 4096


def variables(header: Header, dtype: np.dtype) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
    """Type and shape of one sample of every variable that holds samples, in the order in which they are summed."""
    fields = {name: (dtype.newbyteorder("<"), header.shape(name)) for name in header.names}
    drawn = dict.fromkeys(header.drawn, _DRAWN)
    return {**fields, **{name: (kind, ()) for name, kind in {**drawn, **_TYPES}.items()}}


def bytes_per_sample(header: Header, dtype: np.dtype) -> int:
    """Bytes that a sample takes in a file that is not compressed."""
    return sum(math.prod(shape) * kind.itemsize for kind, shape in variables(header, dtype).values())


def empty_columns(header: Header, dtype: np.dtype, samples: int) -> dict[str, np.ndarray]:
    """An array (samples, …) for each of the `variables`, to be filled; those of fields begin at a page of memory."""
    return {name: _on_page((samples, *shape), kind) for name, (kind, shape) in variables(header, dtype).items()}


def _on_page(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    size = math.prod(shape) * dtype.itemsize
    if len(shape) == 1:
        return np.empty(shape, dtype)
    room = np.empty(size + PAGE, np.uint8)
    start = -room.ctypes.data % PAGE
    return room[start : start + size].view(dtype).reshape(shape)


def checksums(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """One for each sample, of arrays (samples, …) in the order of `variables`; ``"checksum"`` itself is left out.

    Example:
        >>> checksums({"a": np.zeros((2, 3), "<f4")}).tolist()
        [2077607535, 2077607535]
    """
    some = next(iter(arrays.values()))
    found = np.zeros(len(some), _TYPES["checksum"])
    for index in range(len(some)):
        total = 0
        for name, values in arrays.items():
            if name != "checksum":
                total = zlib_ng.crc32(values[index : index + 1].data, total)
        found[index] = total
    return found
