"""The samples of a file that is not too large, which stay in memory as they are read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from opforge.datasets.files.header import Header
from opforge.datasets.reading.values import picked


class Kept:
    """Room for all samples, and which of them are there.

    Args:
        header: of the dataset.
        kinds: type of the numbers of each field.

    Attributes:
        arrays: (samples, [frames], *space) of every field.
        loaded: a truth value for each sample.
    """

    def __init__(self, header: Header, kinds: Mapping[str, np.dtype]):
        # the system hands out memory page by page, as samples come
        self.arrays = {name: np.empty((header.samples, *header.shape(name)), kinds[name]) for name in header.names}
        self.loaded = np.zeros(header.samples, dtype=bool)

    def missing(self, samples: np.ndarray) -> np.ndarray:
        """Those of these samples that are not there, increasing."""
        return np.unique(samples[~self.loaded[samples]])

    def put(self, samples: np.ndarray, fields: Mapping[str, np.ndarray]) -> None:
        """Keep samples, of which all fields are given."""
        for name, values in fields.items():
            self.arrays[name][samples] = values
        self.loaded[samples] = True

    def read(self, samples: np.ndarray, frames: Mapping[str, np.ndarray | None]) -> dict[str, np.ndarray]:
        """Fields of samples that are there, or some of their frames: new arrays."""
        return {name: picked(self.arrays[name], samples, which) for name, which in frames.items()}
