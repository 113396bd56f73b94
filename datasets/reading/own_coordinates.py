"""Coordinates that every sample of a file has for itself, which must be those of the first sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from opforge.datasets.files.contents import array_at
from opforge.datasets.files.opening import DAMAGE
from opforge.datasets.files.packing import unpacked
from opforge.errors import InputError

# Part of the extent of a coordinate by which samples may differ: what single precision rounds.
_ROUNDING = 1e-5


class OwnCoordinates:
    """Compares coordinates of samples with those of the first one, each sample once: when it is first read.

    Args:
        file: its path, for messages.
        paths: for each coordinate, where it is in the file for each sample.
    """

    def __init__(self, file: Path, paths: Sequence[Sequence[str]]):
        self._where = file
        self._paths = [tuple(path) for path in paths]
        self._first: list[np.ndarray] = []
        samples = len(self._paths[0]) if self._paths else 0
        self._good = np.zeros(samples, bool)

    def check(self, file: h5py.File, samples: np.ndarray) -> None:
        """Refuse samples on another grid, or at other times, than the first.

        Args:
            file: the open file.
            samples: their numbers.

        Raises:
            InputError: a coordinate that is missing, no row of numbers, or another one than that of the first sample.
        """
        if not self._paths:
            return
        try:
            self._check(file, samples)
        except DAMAGE as error:
            what = str(error) if isinstance(error, InputError) else "its coordinates cannot be read; copy it again"
            raise InputError(f"{self._where}: {what}") from error

    def _check(self, file: h5py.File, samples: np.ndarray) -> None:
        if not self._first:
            self._first = [unpacked(array_at(file, paths[0])) for paths in self._paths]
        for sample in np.unique(samples[~self._good[samples]]).tolist():
            for paths, first in zip(self._paths, self._first, strict=True):
                _compare(file, paths[sample], paths[0], first)
            self._good[sample] = True


def _compare(file: h5py.File, path: str, first_path: str, first: np.ndarray) -> None:
    array = array_at(file, path)
    remedy = "samples of one dataset share a grid and times; keep those that differ in a file of their own"
    if array.shape != first.shape:
        raise InputError(
            f"coordinate {path!r} must have the shape {first.shape} of {first_path!r}, got {array.shape}; {remedy}"
        )
    values = unpacked(array).astype(np.float64)
    distance = np.abs(values - first)
    if not np.all(distance <= _ROUNDING * np.ptp(first)):  # NaN is not
        worst = int(np.argmax(np.nan_to_num(distance, nan=np.inf)))
        raise InputError(
            f"coordinate {path!r} must agree with {first_path!r}, got {values[worst]:g} instead of {first[worst]:g} "
            f"at point {worst}; {remedy}"
        )
