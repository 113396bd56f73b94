"""Compressed samples while a file is being made: each in a slot of its own, as large as it can at worst become.

HDF5 can give compressed chunks no place before their size is known. So they first go into a sparse file of equal slots,
where they have one: any process may write any sample, and what was cut off is recognised, as in a plain file. When all
are there, `assemble` puts the chunks, as they are, into a file of HDF5.

A slot is the checksum (CRC-32) of its body, the body's length, and the body: residual, seed, checksum of the sample,
its drawn parameters if there are any, then for every chunk its length and its bytes.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from zlib_ng import zlib_ng

from opforge.datasets.files.columns import variables
from opforge.datasets.files.header import Header
from opforge.datasets.files.layout import FAILURES, SLOTS_MAGIC, chunk_shape, create, failure_room, new_hdf5, read_bytes
from opforge.datasets.files.outputs import identity

_HEAD = struct.Struct("<IQ")  # checksum of the body, its length
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Slots:
    """The plan of a file of slots.

    Args:
        header: of the dataset.
        dtype: of its fields.
        level: of zlib's compression, 0 to 9.

    Raises:
        InputError: frames that are too large for a chunk.
    """

    header: Header
    dtype: np.dtype
    level: int

    @property
    def row(self) -> tuple[str, ...]:
        """The names of what goes with a sample beside its fields, in the order in which a slot has it."""
        return ("solver_residual", "seed", "checksum", *self.header.drawn)

    @property
    def _sample(self) -> struct.Struct:
        return struct.Struct(f"<dQI{len(self.header.drawn)}d")

    @property
    def size(self) -> int:
        """Bytes of a slot: what zlib makes of numbers that cannot be compressed, in whole blocks of the disk."""
        total = _HEAD.size + self._sample.size
        for name in self.header.names:
            raw = math.prod(chunk_shape(self.header, name, self.dtype, compressed=True)) * self.dtype.itemsize
            total += len(_pieces(self.header, name, self.dtype)) * (_LENGTH.size + _most(raw))
        return -(-total // 4096) * 4096

    def preamble(self) -> bytes:
        """What the file begins with: it tells whether the slots are of the same dataset."""
        text = json.dumps(identity(self.header, self.dtype, self.level)).encode()
        return SLOTS_MAGIC + _LENGTH.pack(len(text)) + text

    @property
    def room(self) -> int:
        """Bytes before the reasons of failures, which come before the first slot."""
        return -(-len(self.preamble()) // 512) * 512

    @property
    def first(self) -> int:
        """Where the first slot begins."""
        rows, width = failure_room(self.header.samples)
        return self.room + rows * width

    def pack(self, arrays: dict[str, np.ndarray], index: int) -> bytes:
        """The slot's bytes for row ``index`` of arrays as `opforge.datasets.files.columns.variables` has them."""
        body = [self._sample.pack(*(arrays[name][index] for name in self.row))]
        for name in self.header.names:
            values = arrays[name][index]
            for piece in _pieces(self.header, name, self.dtype):
                chunk = _compressed(_shuffled(values[piece]), self.level)
                body += [_LENGTH.pack(len(chunk)), chunk]
        joined = b"".join(body)
        return _HEAD.pack(zlib_ng.crc32(joined), len(joined)) + joined

    def whole(self, file: int, index: int) -> bytes | None:
        """The body of a sample's slot; None where it was not written whole."""
        start = self.first + index * self.size
        head = os.pread(file, _HEAD.size, start)
        if len(head) < _HEAD.size:
            return None
        checksum, length = _HEAD.unpack(head)
        if not 0 < length <= self.size - _HEAD.size:
            return None
        body = np.empty(length, np.uint8)
        there = read_bytes(file, start + _HEAD.size, body)
        return body.tobytes() if there and zlib_ng.crc32(body.data) == checksum else None

    def total(self, file: int) -> int:
        """Bytes that all samples, which must be there, take when they are put together."""
        lengths = (os.pread(file, _HEAD.size, self.first + i * self.size) for i in range(self.header.samples))
        return sum(_HEAD.unpack(head)[1] for head in lengths)

    def chunks(self, body: bytes) -> tuple[tuple[Any, ...], Iterator[tuple[str, tuple[int, ...], bytes]]]:
        """What a slot's body has beside the fields, in the order of `row`, and its chunks: field, place, bytes."""
        return self._sample.unpack_from(body), self._chunks(body)

    def _chunks(self, body: bytes) -> Iterator[tuple[str, tuple[int, ...], bytes]]:
        position = self._sample.size
        for name in self.header.names:
            for piece in _pieces(self.header, name, self.dtype):
                (length,) = _LENGTH.unpack_from(body, position)
                position += _LENGTH.size
                yield name, tuple(part.start for part in piece), body[position : position + length]
                position += length


def identity_of_slots(file: int) -> dict[str, Any] | None:
    """What the preamble of a file of slots says; None where it was not written whole.

    Args:
        file: descriptor of the file, which begins with `SLOTS_MAGIC`.
    """
    start = os.pread(file, len(SLOTS_MAGIC) + _LENGTH.size, 0)
    if len(start) < len(SLOTS_MAGIC) + _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack_from(start, len(SLOTS_MAGIC))
    try:
        return json.loads(os.pread(file, length, len(start)))
    except ValueError:  # cut off
        return None


def assemble(file: Any, source: int, slots: Slots) -> None:
    """Put the samples of a file of slots, which must all be there, into a new file of HDF5.

    Args:
        file: a file that is open for reading and writing.
        source: descriptor of the file of slots.
        slots: its plan.
    """
    header, dtype = slots.header, slots.dtype
    with h5py.File(new_hdf5(file)) as hdf5:
        create(hdf5, header, dtype, compression=slots.level)
        rest = {
            name: np.zeros(header.samples, kind)
            for name, (kind, shape) in variables(header, dtype).items()
            if not shape
        }
        targets: dict[str, Any] = {name: hdf5[name] for name in header.names}
        for index in range(header.samples):
            body = slots.whole(source, index)
            if body is None:
                raise OSError(f"sample {index} was lost while the file was put together")
            sample, chunks = slots.chunks(body)
            for name, value in zip(slots.row, sample, strict=True):
                rest[name][index] = value
            for name, place, chunk in chunks:
                targets[name].id.write_direct_chunk((index, *place), chunk)
        for name, values in rest.items():
            variable: Any = hdf5[name]
            variable[...] = values
        rows, width = failure_room(header.samples)
        reasons = os.pread(source, rows * width, slots.room).ljust(rows * width, b"\0")
        kept: Any = hdf5[FAILURES]
        kept[...] = np.frombuffer(reasons, "S1").reshape(rows, width)


def _pieces(header: Header, name: str, dtype: np.dtype) -> list[tuple[slice, ...]]:
    """The chunks of a sample of a field, as slices."""
    shape, chunk = header.shape(name), chunk_shape(header, name, dtype, compressed=True)[1:]
    starts = itertools.product(*(range(0, n, step) for n, step in zip(shape, chunk, strict=True)))
    return [tuple(slice(start, start + step) for start, step in zip(at, chunk, strict=True)) for at in starts]


def _most(raw: int) -> int:
    """Bytes of a compressed chunk at most: zlib's bound, generously."""
    return raw + raw // 1000 + 64


def _compressed(data: bytes, level: int) -> bytes:
    # some builds of zlib make noise larger than its own bound at low levels; level 0 keeps it
    chunk = zlib_ng.compress(data, level)
    return chunk if len(chunk) <= _most(len(data)) else zlib_ng.compress(data, 0)


def _shuffled(values: np.ndarray) -> bytes:
    """HDF5's shuffle filter: the first bytes of all numbers, then the second ones, and so on."""
    octets = np.ascontiguousarray(values).view(np.uint8).reshape(-1, values.dtype.itemsize)
    return octets.T.tobytes()
