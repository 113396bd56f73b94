"""The same samples seen otherwise: a part of them, other pairs of frames, fewer points; nothing is read or copied."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch

from opforge.datasets.files.header import Header
from opforge.datasets.reading.picking import ends_of_parts, positions
from opforge.datasets.reading.thinning import Thinning
from opforge.datasets.reading.windows import Windows, frames_between
from opforge.errors import InputError


class Views(ABC):
    """What `opforge.datasets.OperatorDataset` can make of itself."""

    times: np.ndarray | None
    fields: tuple[str, ...]
    samples: int
    _header: Header
    _indices: np.ndarray
    _windows: Windows
    _thinning: Thinning

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _with(self, **changes: Any) -> Self:
        """The same samples with other ``indices``, ``dtype``, ``windows`` or ``thinning``."""

    def astype(self, dtype: torch.dtype) -> Self:
        """The same samples as tensors of another floating point type."""
        if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
            raise InputError(f"dtype must be a floating point type of torch, got {dtype!r}")
        return self._with(dtype=dtype)

    def windows(self, given: int = 1, wanted: int = 1, *, step: int = 1, stride: int = 1) -> Self:
        """The same samples as pairs of runs of frames, for training step by step.

        Every run of ``given`` frames is the input, the ``wanted`` frames after it are the output; fields that do not
        evolve are part of every input. ``len`` counts the pairs, those of sample 0 first. `subset` and `split` still
        take whole samples, so that frames of one sample never stand on both sides.

        Args:
            given: frames of each evolving input, in the order of time; at least 1.
            wanted: frames of each evolving output that follow; at least 1.
            step: frames from one to the next within a pair.
            stride: frames from the start of a pair to the start of the next.

        Raises:
            InputError: a dataset whose fields do not evolve, numbers that do not fit its frames.

        Example:
            >>> import opforge
            >>> pairs = opforge.generate("advection", 3, 32, frames=11).windows(given=2, wanted=3)
            >>> len(pairs), pairs.inputs, pairs.outputs
            (21, ('u[-1]', 'u[0]'), ('u[1]', 'u[2]', 'u[3]'))
        """
        if not self._header.evolving:
            raise InputError(f"windows need fields that change with time, {', '.join(self.fields)} do not")
        return self._with(windows=Windows.along(len(self._thinning.frames), given, wanted, step, stride))

    def every(self, space: int | Sequence[int] = 1, time: int = 1) -> Self:
        """The same samples at every ``space``-th point and every ``time``-th frame.

        The first and the last node stay, and the first frame; of cells, those in (or, for an even number, half a
        spacing below) the middle of their group are taken, and the grid says where they are. Windows are made anew:
        call `windows` afterwards.

        Args:
            space: one number for all axes or one for each; it must divide the number of spacings.
            time: a number.

        Raises:
            InputError: numbers that do not divide the grid, or that leave fewer than two points or frames.

        Example:
            >>> import opforge
            >>> opforge.generate("darcy", 2, 24).every(3).grid.shape
            (8, 8)
        """
        if time != 1 and not self._header.evolving:
            raise InputError(f"time needs fields that change with it, {', '.join(self.fields)} do not")
        thinning = self._thinning.every(space, time)
        return self._with(thinning=thinning, windows=Windows.ends(len(thinning.frames) or 1))

    @property
    def pairing(self) -> dict[str, Any] | None:
        """How frames make pairs, plain values: how many are given and wanted, and the time from one to the next.

        None where nothing evolves. A run keeps it, and is measured on the same pairs, see `paired_as`.
        """
        times = self.times
        if times is None:
            return None
        windows = self._windows
        first = np.array([*windows.given, *windows.wanted]) + windows.starts[0]
        interval = float(times[first[1]] - times[first[0]])
        return {"given": len(windows.given), "wanted": len(windows.wanted), "interval": interval}

    def paired_as(self, pairing: Mapping[str, Any]) -> Self:
        """The same samples in pairs of as many frames, as far apart in time, as those of another dataset.

        Args:
            pairing: what the other dataset's `pairing` says.

        Raises:
            InputError: fields that do not evolve, frames that are not evenly spaced or do not meet the interval, fewer
                frames than it takes.

        Example:
            >>> import opforge
            >>> steps = opforge.generate("advection", 2, 32, frames=11, end_time=1.0).windows()
            >>> finer = opforge.generate("advection", 2, 32, frames=21, end_time=1.0)
            >>> len(finer.paired_as(steps.pairing)), finer.paired_as(steps.pairing).pairing == steps.pairing
            (38, True)
        """
        times = self.times
        if times is None:
            raise InputError(f"pairs of frames need fields that change with time, {', '.join(self.fields)} do not")
        step = frames_between(times, float(pairing["interval"]))
        return self.windows(int(pairing["given"]), int(pairing["wanted"]), step=step)

    @property
    def pairs_per_sample(self) -> int:
        """How many pairs each sample makes; those of one sample are neighbours."""
        return len(self._windows.starts)

    def subset(self, indices: Sequence[int] | np.ndarray | torch.Tensor | slice) -> Self:
        """The samples ``indices``, with all their pairs, in that order; what was read is shared.

        Args:
            indices: a slice; integers, negative ones count from the end; or a mask with a truth value for every sample.

        Raises:
            InputError: an index out of range, a mask of another length.
        """
        positions = indices if isinstance(indices, slice) else self._positions(indices, self.samples)
        return self._with(indices=self._indices[positions])

    def _positions(self, indices: Any, count: int | None = None) -> np.ndarray:
        """Integers that numpy understands, from integers or a mask; of samples where their ``count`` is given."""
        things = self._things if count is None else "samples"
        return positions(indices, len(self) if count is None else count, things)

    @property
    def _things(self) -> str:
        return "samples" if self.pairs_per_sample == 1 else "pairs"

    def split(self, *sizes: int | float) -> tuple[Self, ...]:
        """Consecutive, disjoint parts in order, of whole samples: the rule is fixed, no seed is involved.

        Samples are independent draws, so that consecutive ones are as good as shuffled ones; a larger dataset of the
        same seed begins with the same samples.

        Args:
            sizes: numbers of samples, or fractions of all between 0 and 1 (floats); together at most all.

        Raises:
            InputError: sizes that are no such thing, or more samples than there are.

        Example:
            >>> import opforge
            >>> [len(part) for part in opforge.generate("darcy", 10, 8).split(0.8, 0.2)]
            [8, 2]
        """
        ends = ends_of_parts(sizes, self.samples)
        starts = [0, *ends[:-1]]
        return tuple(self.subset(slice(start, end)) for start, end in zip(starts, ends, strict=True))
