"""The checksums of a file's samples; each is compared once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, cast

import h5py
import numpy as np

from opforge.datasets.files.columns import SUMMED_WITH, checksums
from opforge.datasets.files.header import Header
from opforge.datasets.files.opening import DAMAGE


class Checksums:
    """What samples were when they were written.

    Args:
        names: the fields that are summed, in this order.
        others: what goes with every sample, in the order of summing.
        sums: the checksums.
    """

    def __init__(self, names: Sequence[str], others: dict[str, np.ndarray], sums: np.ndarray):
        self.names = tuple(names)
        self._others = others
        self._sums = sums
        self._compared = np.zeros(len(sums), dtype=bool)

    @classmethod
    def of(cls, file: h5py.File, header: Header) -> Self | None:
        """Those of a file that has them for all of its fields, if all of these are read; else None."""
        try:
            own = list(dict.fromkeys([*str(file.attrs["inputs"]).split(), *str(file.attrs["outputs"]).split()]))
            if not set(own) <= set(header.names):
                return None
            others = (*header.drawn, *SUMMED_WITH, "checksum")
            columns = {name: cast(h5py.Dataset, file[name])[...] for name in others}
        except DAMAGE:
            return None
        if any(values.shape != (header.samples,) for values in columns.values()):
            return None
        return cls(own, columns, columns.pop("checksum"))

    def new(self, samples: np.ndarray) -> np.ndarray:
        """Those of these samples that were never compared."""
        return samples[~self._compared[samples]]

    def agree(self, stored: dict[str, np.ndarray], samples: np.ndarray) -> np.ndarray:
        """Which of these samples, as they are stored, agree with their checksums: a truth value for each."""
        found = np.ones(len(samples), bool)
        new = np.flatnonzero(~self._compared[samples])
        if new.size == 0:
            return found
        which = samples[new]
        little = {name: stored[name].dtype.newbyteorder("<") for name in self.names}
        arrays = {name: np.ascontiguousarray(stored[name][new], little[name]) for name in self.names}
        arrays |= {name: values[which] for name, values in self._others.items()}
        found[new] = checksums(arrays) == self._sums[which]
        self._compared[samples[found]] = True
        return found
