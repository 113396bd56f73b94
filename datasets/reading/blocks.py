"""Chunks that hold more than is asked for at a time: what was read for one sample or frame is kept for the others."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Self

import h5py
import numpy as np

from opforge.datasets.files.header import Header
from opforge.datasets.reading.stored import Stored

# Bytes of blocks that are kept; and of one block, above which samples are read one by one.
_KEPT_BYTES = 2**28
_BLOCK_BYTES = 2**26

Read = Callable[[str, int, int | None, np.ndarray], None]


class Blocks:
    """The chunks that were read last.

    Args:
        header: of the dataset.
        samples: samples in a block, as many as in a chunk, or in the largest where fields differ.
        kinds: type of each field as it is stored.
    """

    def __init__(self, header: Header, samples: int, kinds: Mapping[str, np.dtype]):
        self.samples = samples
        self._header = header
        self._kinds = dict(kinds)
        size = sum(samples * math.prod(header.shape(name)) * kind.itemsize for name, kind in self._kinds.items())
        self.most = max(1, _KEPT_BYTES // size)  # blocks of all fields that are kept
        self._kept: OrderedDict[tuple[str, int], np.ndarray] = OrderedDict()
        self._bytes = 0  # of these

    @classmethod
    def of(cls, header: Header, fields: Mapping[str, Stored], opened: Mapping[str, list[h5py.Dataset]]) -> Self | None:
        """For a file whose chunks hold several samples, or compressed frames; None where each is read by itself."""
        sizes, together = [], False
        for name, stored in fields.items():
            array = opened[name][0]
            if "sample" not in stored.axes or array.chunks is None:
                return None
            samples = min(header.samples, array.chunks[stored.axes.index("sample")])
            sizes.append(samples)
            frames = name in header.evolving and array.compression is not None
            together = together or samples > 1 or frames
            if samples * math.prod(header.shape(name)) * array.dtype.itemsize > _BLOCK_BYTES:
                return None
        kinds = {name: arrays[0].dtype for name, arrays in opened.items()}
        return cls(header, max(sizes), kinds) if together else None

    def read(self, name: str, start: int, frame: int, into: np.ndarray, read: Read) -> bool:
        """Fill ``into`` (samples, [frames], *space) from the blocks, which ``read`` fills; whether it could."""
        if into.dtype != self._kinds[name] and not np.can_cast(self._kinds[name], into.dtype):
            return False
        row = 0
        while row < len(into):
            number, first = divmod(start + row, self.samples)
            block = self._block(name, number, into.dtype, read)
            count = min(len(into) - row, len(block) - first)
            rows = block[first : first + count]
            into[row : row + count] = rows[:, frame : frame + into.shape[1]] if name in self._header.evolving else rows
            row += count
        return True

    def _block(self, name: str, number: int, kind: np.dtype, read: Read) -> np.ndarray:
        key = (name, number)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        start = number * self.samples
        count = min(self.samples, self._header.samples - start)
        block = np.empty((count, *self._header.shape(name)), kind)
        read(name, start, None, block)
        self._kept[key] = block
        self._bytes += block.nbytes
        while self._bytes > _KEPT_BYTES and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return block
