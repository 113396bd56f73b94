"""Where a dataset's numbers are: what every such place can do, and the simplest of them, arrays in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from opforge.datasets.files.header import Header
from opforge.datasets.reading.held import Held
from opforge.datasets.reading.reach import Reach
from opforge.datasets.reading.shuffling import Places
from opforge.datasets.reading.values import picked

if TYPE_CHECKING:
    import xarray

# Which frames of which sample: (len(samples), frames) positions; None for a field that does not evolve.
Frames = Mapping[str, np.ndarray | None]


class Source(ABC):
    """Gives samples by their position in the whole set."""

    path: Path | None
    place: str  # in words
    # Whether what was read stays in memory, so that no order of reading is cheaper than another.
    keeps: bool = False

    def places(self, samples: np.ndarray, lasts: np.ndarray, reach: Reach) -> Places | None:
        """Where pairs are read that reach so far; None where every sample, and every frame of it, is read by itself.

        Args:
            samples: of each pair.
            lasts: the last frame of each pair.
            reach: the frames of a sample's pairs.
        """
        return None

    def share(self, held: Held, owner: int, part: float) -> None:
        """Hold what was read together with other sources, as number ``owner``; this one has ``part`` of all samples."""
        return None

    def passing(self) -> AbstractContextManager[object]:
        """A block in which samples are read once: what is read in it does not stay in memory."""
        return nullcontext()

    @abstractmethod
    def read(self, samples: np.ndarray, frames: Frames, reach: Reach | None = None) -> dict[str, np.ndarray]:
        """Values of the fields that ``frames`` names, new arrays.

        Args:
            samples: positions, in any order.
            frames: for each field None, or which of its frames for each sample.
            reach: the frames of the pairs that these are, where more of them will be asked for; it changes no values.

        Returns:
            Floating point arrays (len(samples), *space), or (len(samples), frames, *space) of fields that evolve.

        Raises:
            InputError: values that are not finite, a damaged file.
        """

    def drawn(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        """The drawn parameters of samples at these positions: new arrays, float64 (len(samples),), by name.

        Raises:
            InputError: as `read` does.
        """
        return {}

    @abstractmethod
    def to_xarray(self, header: Header) -> xarray.Dataset:
        """All samples with coordinates and attributes."""


class ArraySource(Source):
    """Samples in memory.

    Args:
        header: what they are.
        arrays: (samples, [frames], *space) of every field.
        others: (samples,) of what goes with every sample, drawn parameters among it: name -> array and attributes.
    """

    path = None
    place = "memory"

    def __init__(
        self,
        header: Header,
        arrays: Mapping[str, np.ndarray],
        others: Mapping[str, tuple[np.ndarray, Mapping[str, str]]] | None = None,
    ):
        self._header = header
        self._arrays = dict(arrays)
        self._others = dict(others or {})

    def read(self, samples: np.ndarray, frames: Frames, reach: Reach | None = None) -> dict[str, np.ndarray]:
        return {name: picked(self._arrays[name], samples, which) for name, which in frames.items()}

    def drawn(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        return {name: self._others[name][0][samples] for name in self._header.drawn}

    def to_xarray(self, header: Header) -> xarray.Dataset:
        import xarray

        fields = {
            name: (tuple(header.dimensions(name)), self._arrays[name], header.describe(name)) for name in header.names
        }
        others = {name: (("sample",), values, attributes) for name, (values, attributes) in self._others.items()}
        coordinates = {name: ((name,), values, header.describe(name)) for name, values in header.coordinates().items()}
        return xarray.Dataset(fields | others, coordinates, header.to_attributes())
