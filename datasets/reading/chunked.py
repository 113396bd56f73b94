"""An array of a file that is cut into chunks which hold more than is asked for at a time, and the fields in it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import h5py
import numpy as np

from opforge.datasets.files.header import Header
from opforge.datasets.reading.stored import Stored


class ChunkedArray:
    """An array, or one for each sample, with a chunk of which one reads several samples, frames or components.

    Args:
        fields: those that are in it, whose axes differ by the position on axes of components alone.
        arrays: it, or those of all samples.
        header: of the dataset.

    Attributes:
        samples, frames: how many a chunk holds; 0 samples where all of them have the same values, 0 frames where
            nothing evolves.
        size: bytes of a frame of a sample.
    """

    def __init__(self, fields: Mapping[str, Stored], arrays: Sequence[h5py.Dataset], header: Header):
        self.fields = dict(fields)
        self._arrays = arrays
        self._space = header.grid.axis_names
        some = next(iter(fields.values()))
        self._by_sample = some.by_sample
        self._layout = some.axes
        # on axes of components, what lies between the first and the last one that is wanted
        pinned = [[stored.axes[i] for stored in fields.values()] for i in range(len(some.axes))]
        self._parts = [slice(min(at), max(at) + 1) if isinstance(at[0], int) else slice(None) for at in pinned]
        chunks = arrays[0].chunks or arrays[0].shape
        sizes = dict(zip(some.axes, chunks, strict=True))
        self.samples = 1 if self._by_sample else min(header.samples, sizes.get("sample", 0))
        self.frames = min(len(header.times), sizes.get("time", 0))
        self.kind = arrays[0].dtype
        self.size = self.kind.itemsize * math.prod(
            len(range(size)[part])
            for size, axis, part in zip(arrays[0].shape, some.axes, self._parts, strict=True)
            if axis not in ("sample", "time")
        )

    @property
    def together(self) -> bool:
        """Whether reading a frame of a field of a sample by itself costs as much as reading many."""
        array = self._arrays[0]
        if array.chunks is None:
            return False
        decoded = array.id.get_create_plist().get_nfilters() > 0
        return self.samples > 1 or (decoded and (self.samples == 0 or self.frames > 0 or len(self.fields) > 1))

    def read(self, samples: slice, frames: slice) -> np.ndarray:
        """These samples and frames of all its fields, with the axes that the array has."""
        wanted = {"sample": samples, "time": frames}
        selection = tuple(wanted.get(str(axis), part) for axis, part in zip(self._layout, self._parts, strict=True))
        if self._by_sample:
            return np.stack([array[selection] for array in self._arrays[samples]])
        return self._arrays[0][selection]

    def view(self, values: np.ndarray, name: str) -> np.ndarray:
        """A field (samples, [frames], *space) in what was `read`; an axis that it lacks has the length 1."""
        stored, ahead = self.fields[name], int(self._by_sample)
        components = (
            axis - (part.start or 0) if isinstance(axis, int) else slice(None)
            for axis, part in zip(stored.axes, self._parts, strict=True)
        )
        values = values[(slice(None),) * ahead + tuple(components)]
        order = (*range(ahead), *(axis + ahead for axis in stored.order(self._space)))
        return np.expand_dims(values.transpose(order), tuple(axis + ahead for axis in stored.constant(self._space)))


def chunked_arrays(
    header: Header, fields: Mapping[str, Stored], opened: Mapping[str, Sequence[h5py.Dataset]], names: Iterable[str]
) -> list[ChunkedArray]:
    """The arrays that these fields are in, those of which it is worth to keep what was read.

    Args:
        header: of the dataset.
        fields: where in the file they are.
        opened: the arrays there.
        names: of the fields to look at.
    """
    together: dict[tuple, dict[str, Stored]] = {}
    for name in names:
        stored = fields[name]
        layout = tuple(axis if isinstance(axis, str) else None for axis in stored.axes)
        together.setdefault((stored.paths, layout), {})[name] = stored
    found = (ChunkedArray(group, opened[next(iter(group))], header) for group in together.values())
    return [array for array in found if array.together]
