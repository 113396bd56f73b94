"""The seal at the end of a finished file: a checksum of its structure that is compared before HDF5 sees the file.

HDF5's own code trusts what it reads: overwritten bytes of a file's structure can make it crash or go round for ever.
So opforge's files end with a seal that covers everything but the fields, which have checksums of their own, sample by
sample. It lies behind what HDF5 takes for the end of the file, so that every program reads the file as if it were not
there, and whatever changes the file through HDF5 cuts it off; the file is then as good as any other.

The seal is `MAGIC`; three numbers of 8 bytes: the end of the file for HDF5, the checksum (CRC-32) of what is covered,
how many spans are left out; the spans, each its first byte and the one after its last; then the length of the seal up
to here, the checksum of this, and `MAGIC` again.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from zlib_ng import zlib_ng

from opforge.datasets.files.layout import SLOTS_MAGIC, Places
from opforge.errors import InputError

MAGIC = b"opforge seal 1\r\n"
_HEAD = struct.Struct("<16s3Q")
_TAIL = struct.Struct("<QI16s")  # length of what is before it, checksum of that and of the length

# The beginning of an HDF5 file of versions 2 and 3: signature, version, sizes of offsets and lengths, flags, addresses
# of the file's start, of an extension, and of its end.
_SUPERBLOCK = struct.Struct("<8s4B3Q")
_SIGNATURE = b"\x89HDF\r\n\x1a\n"

_READ_AT_ONCE = 2**24

Span = tuple[int, int]


def place_spans(places: Places, names: Iterable[str], samples: int) -> list[Span]:
    """The bytes of these variables of a plain file."""
    found = (places[name] for name in names)
    return _joined((place.offset, place.offset + samples * place.size) for place in found)


def chunk_spans(hdf5: h5py.File, names: Iterable[str]) -> list[Span]:
    """The bytes of these variables of a compressed file."""
    spans: list[Span] = []

    def note(chunk: Any) -> None:
        spans.append((chunk.byte_offset, chunk.byte_offset + chunk.size))

    for name in names:
        variable: Any = hdf5[name]
        if hasattr(variable.id, "chunk_iter"):
            variable.id.chunk_iter(note)
        else:  # a build with an old HDF5
            for number in range(variable.id.get_num_chunks()):
                note(variable.id.get_chunk_info(number))
    return _joined(spans)


def seal_of(file: int, spans: Sequence[Span]) -> tuple[int, bytes]:
    """The seal of a file that is otherwise finished, and where it belongs.

    Args:
        file: descriptor of a file that `opforge.datasets.files.layout.new_hdf5` made. What lies behind its end for
            HDF5, such as an earlier seal, counts for nothing.
        spans: what to leave out, increasing, as `place_spans` and `chunk_spans` give them.

    Raises:
        OSError: the file is not such a one, or cannot be read.
    """
    end = _end(file)
    if end is None:
        raise OSError("the beginning of the file is not as it was written")
    covered = _checksum(file, spans, end)
    if covered is None:
        raise OSError("the file became shorter while it was being finished")
    seal = _HEAD.pack(MAGIC, end, covered, len(spans)) + np.array(spans, "<u8").tobytes()
    size = struct.pack("<Q", len(seal))
    return end, seal + size + struct.pack("<I", zlib_ng.crc32(seal + size)) + MAGIC


def is_sealed(path: Path) -> bool:
    """Whether a file has a seal, with which it is then known to agree.

    Raises:
        InputError: it does not agree with its seal, the seal itself is damaged, or the file is shorter than it says.
        OSError: the file cannot be read.
    """
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        last = os.pread(file.fileno(), _TAIL.size, max(0, size - _TAIL.size))
        end = _end(file.fileno())
        cut_off = end is not None and size < end
        if not cut_off and not last.endswith(MAGIC) and os.pread(file.fileno(), len(MAGIC), end or 0) != MAGIC:
            return False
        if cut_off or not _agrees(file.fileno(), size, last):
            raise InputError(f"{path} is cut off or damaged ({size} bytes are there); copy or generate it again")
    return True


def may_be_unfinished(path: Path) -> bool:
    """Whether a file is empty or begins as opforge's do, samples apart or a whole dataset, and has no seal at its end.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        ours = _end(file.fileno()) is not None or os.pread(file.fileno(), len(SLOTS_MAGIC), 0) == SLOTS_MAGIC
        return size == 0 or (ours and os.pread(file.fileno(), len(MAGIC), max(0, size - len(MAGIC))) != MAGIC)


def _agrees(file: int, size: int, last: bytes) -> bool:
    """Whether the seal is whole and the file agrees with it."""
    if len(last) < _TAIL.size or not last.endswith(MAGIC):
        return False
    length, own, _ = _TAIL.unpack(last)
    start = size - _TAIL.size - length
    if start < 0 or length < _HEAD.size:
        return False
    seal = os.pread(file, length, start)
    if zlib_ng.crc32(seal + last[:8]) != own:
        return False
    magic, end, covered, count = _HEAD.unpack_from(seal)
    bounds = np.frombuffer(seal, "<u8", offset=_HEAD.size)
    if magic != MAGIC or end != start or len(bounds) != 2 * count or np.any(bounds[1:] < bounds[:-1]):
        return False
    spans = [(int(first), int(stop)) for first, stop in bounds.reshape(-1, 2)]
    return _checksum(file, spans, end) == covered


def _end(file: int) -> int | None:
    """Where the file ends for HDF5; None if it is of another version than opforge writes."""
    start = os.pread(file, _SUPERBLOCK.size, 0)
    if len(start) < _SUPERBLOCK.size:
        return None
    signature, version, offsets, lengths, _, base, _, end = _SUPERBLOCK.unpack(start)
    return end if (signature, version, offsets, lengths, base) == (_SIGNATURE, 3, 8, 8, 0) else None


def _checksum(file: int, spans: Sequence[Span], end: int) -> int | None:
    """CRC-32 of the bytes before ``end`` that are in none of the spans; None if the file is shorter."""
    total = 0
    for start, stop in between(spans, end):
        while start < stop:
            data = os.pread(file, min(stop - start, _READ_AT_ONCE), start)
            if not data:
                return None
            total = zlib_ng.crc32(data, total)
            start += len(data)
    return total


def between(spans: Sequence[Span], end: int) -> Iterator[Span]:
    """What lies between the spans, which increase, up to ``end``.

    Example:
        >>> list(between([(2, 4), (6, 8)], 10))
        [(0, 2), (4, 6), (8, 10)]
    """
    position = 0
    for start, stop in spans:
        yield position, min(start, end)
        position = stop
    yield position, end


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, neighbours as one.

    Example:
        >>> _joined([(8, 9), (0, 4), (4, 6)])
        [(0, 6), (8, 9)]
    """
    found: list[Span] = []
    for start, stop in sorted(spans):
        if found and start == found[-1][1]:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((start, stop))
    return found
