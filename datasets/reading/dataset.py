"""Samples as torch tensors, one by one or in batches, from a file or from memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch.utils.data import Dataset

from opforge.core import Grid
from opforge.datasets.files.header import OF_SHARDS, Header
from opforge.datasets.files.layout import per_sample
from opforge.datasets.reading.passes import Batch, Passes
from opforge.datasets.reading.picking import ends_of_parts, positions
from opforge.datasets.reading.reach import Reach
from opforge.datasets.reading.shuffling import Places
from opforge.datasets.reading.source import ArraySource, Source
from opforge.datasets.reading.thinning import Thinning
from opforge.datasets.reading.windows import Windows, frames_between
from opforge.errors import InputError
from opforge.pdes import Equation

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

    from opforge.datasets.files.writer import Arrays


class OperatorDataset(Passes, Dataset):
    """Pairs of input and output fields of an operator on a uniform grid; a torch ``Dataset``.

    ``dataset[i]`` is the pair (x, y) number i with shapes (C_in, *space) and (C_out, *space); ``dataset.batch`` stacks
    many at once. Made by `open_dataset` and `opforge.generate`. It can be pickled, and forked or spawned into the
    workers of a ``DataLoader``: each process opens the file for itself.

    A sample is a pair unless its fields evolve: then the pair is its first and its last frame, and `windows` gives
    several pairs of each sample.

    Args:
        header: what is known about the numbers.
        source: where they are.
        indices: the samples of the source that belong to the dataset; all unless given.
        dtype: of the tensors.
        windows: which frames make pairs; the first and the last unless given.
        thinning: which points and frames are left out; none unless given.
    """

    def __init__(
        self,
        header: Header,
        source: Source,
        indices: np.ndarray | None = None,
        *,
        dtype: torch.dtype = torch.float32,
        windows: Windows | None = None,
        thinning: Thinning | None = None,
    ):
        self._header = header
        self._source = source
        self._indices = np.arange(header.samples) if indices is None else indices
        self._dtype = dtype
        self._thinning = thinning or Thinning.none(header)
        self._windows = windows or Windows.ends(len(self._thinning.frames) or 1)
        every = np.arange(len(self._windows.starts))
        self._reach = Reach(np.hstack([self._frames(every, wanted=side) for side in (False, True)]))

    def _with(self, **changes: Any) -> OperatorDataset:
        """The same samples seen otherwise; what was read is shared."""
        now = {
            "indices": self._indices,
            "dtype": self._dtype,
            "windows": self._windows,
            "thinning": self._thinning,
            **changes,
        }
        return OperatorDataset(self._header, self._source, now.pop("indices"), **now)

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The dataset of generated samples in memory, without those that failed."""
        header, values = arrays.header, arrays.values
        others = {name: (values[name], attributes) for name, attributes in per_sample(header).items()}
        good = np.flatnonzero(~np.isnan(values["solver_residual"]))
        return cls(header, ArraySource(header, {name: values[name] for name in header.names}, others), good)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input channels: the fields, with the frame where there are several."""
        return self._channels(self._header.inputs, wanted=False)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output channels: the fields, with the frame where there are several."""
        return self._channels(self._header.outputs, wanted=True)

    def _channels(self, names: Sequence[str], *, wanted: bool) -> tuple[str, ...]:
        evolving = self._header.evolving
        return tuple(
            channel
            for name in names
            for channel in (self._windows.channels(name, wanted=wanted) if name in evolving else (name,))
        )

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of all fields, inputs first."""
        return self._header.names

    @property
    def evolving(self) -> tuple[str, ...]:
        """Names of the fields that change with time."""
        return self._header.evolving

    @property
    def times(self) -> np.ndarray | None:
        """The times of a sample's frames; None where nothing evolves."""
        return np.asarray(self._header.times)[list(self._thinning.frames)] if self._header.evolving else None

    @property
    def drawn(self) -> dict[str, np.ndarray]:
        """The parameters of the equation that were drawn for each sample: float64 (samples,) by name; none for most.

        They belong to samples, in the order of ``arrays(range(samples))``; the pair i is one of the sample
        ``i // pairs_per_sample``.

        Raises:
            InputError: a value that is not finite, a damaged file.
        """
        return self._source.drawn(self._indices)

    @property
    def grid(self) -> Grid:
        """Where the fields' values are."""
        return self._thinning.grid

    @property
    def ndim(self) -> int:
        """Axes of space."""
        return self.grid.ndim

    @property
    def in_channels(self) -> int:
        return len(self.inputs)

    @property
    def out_channels(self) -> int:
        return len(self.outputs)

    @property
    def equation(self) -> Equation | None:
        """What the fields solve, if the file says so."""
        return self._header.equation

    @property
    def header(self) -> Header:
        """All that is known about the dataset apart from its numbers, as they are in the file."""
        return self._header

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the numbers come from: recipe, its parameters, seed, solver, tolerance, version; plain values."""
        return dict(self._header.provenance)

    @property
    def path(self) -> Path | None:
        """The file, or None for a dataset in memory or of several files."""
        return self._source.path

    @property
    def dtype(self) -> torch.dtype:
        """Type of the tensors."""
        return self._dtype

    @property
    def indices(self) -> np.ndarray:
        """Positions (samples,) of the samples in the file."""
        return self._indices.copy()

    @property
    def samples(self) -> int:
        """Number of samples; ``len(dataset)`` is that of the pairs."""
        return len(self._indices)

    def __len__(self) -> int:
        return len(self._indices) * len(self._windows.starts)

    def __getitem__(self, index: int) -> Batch:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} {self._things}")
        x, y = self.batch([index])
        return x[0], y[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Batch]:
        """Many samples at once, for torch's ``DataLoader``."""
        return list(zip(*self.batch(indices), strict=True))

    def __iter__(self) -> Iterator[Batch]:
        return (self[index] for index in range(len(self)))

    def batch(self, indices: Sequence[int] | np.ndarray | torch.Tensor) -> Batch:
        """The pairs ``indices``, stacked: tensors (B, C_in, *space) and (B, C_out, *space), not shared with anything.

        Args:
            indices: integers, negative ones count from the end; or a mask with a truth value for every pair.

        Raises:
            InputError: an index out of range, a mask of another length; values that are not finite, with the sample
                and the variable.
        """
        samples, pairs = np.divmod(self._positions(indices), len(self._windows.starts))
        header = self._header
        given, wanted = (self._frames(pairs, wanted=side) for side in (False, True))
        frames: dict[str, np.ndarray | None] = {}
        for name in header.names:
            sides = [given] * (name in header.inputs) + [wanted] * (name in header.outputs)
            frames[name] = np.concatenate(sides, axis=1) if name in header.evolving else None
        fields = self._read(samples, frames, self._reach)
        return self._stack(fields, wanted=False), self._stack(fields, wanted=True)

    def arrays(self, samples: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """Whole samples, with all their frames: a new array (samples, [frames], *space) for every field.

        Raises:
            InputError: as `batch` does.
        """
        rows = self._positions(samples, self.samples)
        every = np.tile(np.asarray(self._thinning.frames, dtype=np.intp), (len(rows), 1))
        return self._read(rows, {name: every if name in self.evolving else None for name in self.fields})

    def _read(
        self, samples: np.ndarray, frames: dict[str, np.ndarray | None], reach: Reach | None = None
    ) -> dict[str, np.ndarray]:
        fields = self._source.read(self._indices[samples], frames, reach)
        if self._thinning.whole:
            return fields
        return {name: values[(..., *self._thinning.space)] for name, values in fields.items()}

    def _passing(self) -> AbstractContextManager[object]:
        return self._source.passing()

    @property
    def _keeps(self) -> bool:
        return self._source.keeps

    def places(self, indices: Sequence[int] | np.ndarray | None = None) -> Places | None:
        pairs = np.arange(len(self)) if indices is None else self._positions(indices)
        samples, numbers = np.divmod(pairs, self.pairs_per_sample)
        return self._source.places(self._indices[samples], self._reach.last[numbers], self._reach)

    def _frames(self, pairs: np.ndarray, *, wanted: bool) -> np.ndarray:
        """The frames (len(pairs), frames) of the file that these pairs take."""
        return np.asarray(self._thinning.frames or (0,))[self._windows.frames(pairs, wanted=wanted)]

    def _stack(self, fields: dict[str, np.ndarray], *, wanted: bool) -> torch.Tensor:
        # By numpy, on one thread: torch's other threads take longer to wake than a batch takes to copy. A field alone
        # is not copied, but a tensor must not share memory with another.
        header, windows = self._header, self._windows
        names, others = (header.outputs, header.inputs) if wanted else (header.inputs, header.outputs)
        parts = []
        for name in names:
            values = fields[name]
            if name not in header.evolving:
                parts.append(values[:, None])
            elif name not in others:
                parts.append(values)
            else:  # those that are given come first
                parts.append(values[:, len(windows.given) :] if wanted else values[:, : len(windows.given)])
        alone = len(names) == 1 and names[0] not in others and self._thinning.whole
        return torch.from_numpy(parts[0] if alone else np.concatenate(parts, axis=1)).to(self._dtype)

    def astype(self, dtype: torch.dtype) -> OperatorDataset:
        """The same samples as tensors of another floating point type."""
        if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
            raise InputError(f"dtype must be a floating point type of torch, got {dtype!r}")
        return self._with(dtype=dtype)

    def windows(self, given: int = 1, wanted: int = 1, *, step: int = 1, stride: int = 1) -> OperatorDataset:
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

    def every(self, space: int | Sequence[int] = 1, time: int = 1) -> OperatorDataset:
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

    def paired_as(self, pairing: Mapping[str, Any]) -> OperatorDataset:
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

    def subset(self, indices: Sequence[int] | np.ndarray | torch.Tensor | slice) -> OperatorDataset:
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

    def split(self, *sizes: int | float) -> tuple[OperatorDataset, ...]:
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

    def to_xarray(self) -> xarray.Dataset:
        """The samples as an xarray ``Dataset`` with coordinates and attributes; a file's are read when asked for.

        Saved as netCDF-4 it opens with `open_dataset`.
        """
        thinning, header = self._thinning, self._header
        data = self._source.to_xarray(header)
        if not np.array_equal(self._indices, np.arange(header.samples)):
            data = data.isel(sample=self._indices)
            data.attrs = {name: value for name, value in data.attrs.items() if name not in OF_SHARDS}
        thinned = not thinning.whole
        if thinned:
            data = data.isel(dict(zip(thinning.grid.axis_names, thinning.space, strict=True)))
        if header.evolving and len(thinning.frames) < len(header.times):
            data, thinned = data.isel(time=list(thinning.frames)), True
        if thinned:  # what told of the whole is not true of a part
            data = data.drop_vars("checksum", errors="ignore")
            if "grid" in data.attrs:
                data = data.assign_attrs(grid=json.dumps(thinning.grid.to_dict()))
        return data

    def plot(self, index: int = 0) -> Figure:
        """Draw all fields of a sample: several frames of those that evolve, in 1-D their course over space and time.

        Args:
            index: of the sample, negative ones count from the end.

        Raises:
            InputError: no such sample.

        Example:
            >>> import opforge
            >>> figure = opforge.generate("darcy", 1, 16).plot(0)
            >>> [axes.get_title() for axes in figure.axes[:2]]
            ['permeability a', 'pressure u']
        """
        from opforge.datasets.quality.picture import sample_picture

        return sample_picture(self, int(self._positions([index], self.samples)[0]))

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.grid.shape))
        frames = f", {len(self._thinning.frames)} frames" if self.evolving else ""
        return (
            f"OperatorDataset({self.samples} samples, {', '.join(self.inputs)} -> {', '.join(self.outputs)}, "
            f"{shape} {self.grid.points}{frames}, {self._source.place})"
        )
