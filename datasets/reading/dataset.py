"""Samples as torch tensors, one by one or in batches, from a file or from memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
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
from opforge.datasets.reading.reach import Reach
from opforge.datasets.reading.shuffling import Places
from opforge.datasets.reading.source import ArraySource, Source
from opforge.datasets.reading.thinning import Thinning
from opforge.datasets.reading.views import Views
from opforge.datasets.reading.windows import Windows
from opforge.pdes import Equation

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

    from opforge.datasets.files.writer import Arrays


class OperatorDataset(Passes, Views, Dataset):
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

    def _with(self, **changes: Any) -> Self:
        """The same samples seen otherwise; what was read is shared."""
        now = {
            "indices": self._indices,
            "dtype": self._dtype,
            "windows": self._windows,
            "thinning": self._thinning,
            **changes,
        }
        return type(self)(self._header, self._source, now.pop("indices"), **now)

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
