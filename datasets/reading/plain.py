"""Reading samples without HDF5, which takes many times as long for a sample as reading its bytes."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from opforge.datasets.files.header import Header
from opforge.datasets.files.layout import Place, plain_place, read_bytes
from opforge.datasets.reading.stored import Stored


class PlainReader:
    """Fields whose samples lie one after the other as plain numbers.

    Args:
        path: the file.
        places: where the fields are.
    """

    def __init__(self, path: Path, places: Mapping[str, Place]):
        self._places = dict(places)
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    @classmethod
    def of(
        cls, path: Path, header: Header, fields: Mapping[str, Stored], opened: Mapping[str, list[h5py.Dataset]]
    ) -> PlainReader | None:
        """For those fields of a file that lie so; None if none does."""
        if not hasattr(os, "preadv"):
            return None
        places = {}
        for name, stored in fields.items():
            if stored.axes == tuple(header.dimensions(name)) and opened[name][0].shape[1:] == header.shape(name):
                place = plain_place(opened[name][0])
                if place is not None:
                    places[name] = place
        return cls(path, places) if places else None

    def has(self, names: Sequence[str]) -> bool:
        """Whether all of these fields are read so."""
        return self._places.keys() >= set(names)

    def read(self, name: str, start: int, frame: int, into: np.ndarray) -> bool:
        """Fill ``into`` (samples, [frames], *space), from a frame of sample ``start`` on; whether it could."""
        place = self._places.get(name)
        if place is None or place.dtype != into.dtype or not into.flags.c_contiguous:
            return False
        if len(into) > 1 and into.shape[1:] != place.shape:
            return False  # parts of several samples do not lie together
        skipped = frame * (place.size // place.shape[0]) if frame else 0
        return read_bytes(self._file, place.offset + start * place.size + skipped, into)
