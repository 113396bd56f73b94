"""Reading datasets: samples as torch tensors, one by one or in batches, from a file or from memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch.utils.data import Dataset

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.datasets.header import Header
from opforge.datasets.inspection import read_header
from opforge.datasets.source import ArraySource, FileSource, Source
from opforge.errors import InputError
from opforge.pdes import Equation

if TYPE_CHECKING:
    import xarray

    from opforge.datasets.file import Arrays

Batch = tuple[torch.Tensor, torch.Tensor]


def open_dataset(
    path: str | os.PathLike,
    *,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    points: Points | None = None,
) -> OperatorDataset:
    """Open a netCDF-4 file of samples.

    Files that `opforge.generate` wrote say all about themselves. Any other netCDF-4 file opens when ``inputs`` and
    ``outputs`` name its variables, which need the dimensions ``sample, x[, y[, z]]``.

    Nothing is read until it is asked for; what was read stays in memory if the fields of the whole file take less than
    1 GiB, else every batch is read from the file. Values are checked to be finite when they are first read.

    Args:
        path: the file.
        inputs: variables that an operator is given; those that the file names unless given.
        outputs: variables that it shall find; those that the file names unless given.
        points: where the coordinates of an ordinary file lie in their spacing, see `opforge.core.Grid`; ``"cells"``
            unless given. A file that describes its grid needs none.

    Raises:
        InputError: a path that does not exist, a file that is not HDF5 or is cut off, variables or attributes that are
            missing or do not fit together.

    Example:
        >>> import tempfile, opforge
        >>> folder = tempfile.TemporaryDirectory()
        >>> _ = opforge.generate("darcy", 4, 16, out=f"{folder.name}/darcy.nc")
        >>> dataset = open_dataset(f"{folder.name}/darcy.nc")
        >>> train, test = dataset.split(3, 1)
        >>> X, Y = train.batch([0, 2])
        >>> X.shape, Y.dtype
        (torch.Size([2, 1, 16, 16]), torch.float32)
    """
    header = read_header(Path(path), inputs, outputs, points)
    return OperatorDataset(header, FileSource(Path(path), header.names, (header.samples, *header.grid.shape)))


class OperatorDataset(Dataset):
    """Pairs of input and output fields of an operator on a uniform grid; a torch ``Dataset``.

    ``dataset[i]`` is the pair (x, y) of sample i with shapes (C_in, *space) and (C_out, *space); ``dataset.batch``
    stacks many at once. Made by `open_dataset` and `opforge.generate`. It can be pickled, and forked or spawned into
    the workers of a ``DataLoader``: each process opens the file for itself.

    Args:
        header: what is known about the numbers.
        source: where they are.
        indices: the samples of the source that belong to the dataset; all unless given.
        dtype: of the tensors.
    """

    def __init__(
        self,
        header: Header,
        source: Source,
        *,
        indices: np.ndarray | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        self._header = header
        self._source = source
        self._indices = np.arange(header.samples) if indices is None else indices
        self._dtype = dtype

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The dataset of generated samples in memory."""
        return cls(arrays.header, ArraySource(arrays))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input fields, in the order of the channels."""
        return self._header.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output fields, in the order of the channels."""
        return self._header.outputs

    @property
    def grid(self) -> Grid:
        """Where the fields' values are."""
        return self._header.grid

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
    def provenance(self) -> dict[str, Any]:
        """Where the numbers come from: recipe, its parameters, seed, solver, tolerance, version; plain values."""
        return dict(self._header.provenance)

    @property
    def path(self) -> Path | None:
        """The file, or None for a dataset in memory."""
        return self._source.path

    @property
    def dtype(self) -> torch.dtype:
        """Type of the tensors."""
        return self._dtype

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Batch:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} samples")
        x, y = self.batch([index])
        return x[0], y[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Batch]:
        """Many samples at once, for torch's ``DataLoader``."""
        return list(zip(*self.batch(indices), strict=True))

    def __iter__(self) -> Iterator[Batch]:
        return (self[index] for index in range(len(self)))

    def batch(self, indices: Sequence[int] | np.ndarray | torch.Tensor) -> Batch:
        """The samples ``indices``, stacked: tensors (B, C_in, *space) and (B, C_out, *space), not shared with anything.

        Args:
            indices: integers, negative ones count from the end; or a mask with a truth value for every sample.

        Raises:
            InputError: an index out of range, a mask of another length; values that are not finite, with the sample
                and the variable.
        """
        fields = self._source.read(self._indices[self._positions(indices)])
        return self._stack(fields, self.inputs, ()), self._stack(fields, self.outputs, self.inputs)

    def _stack(self, fields: dict[str, np.ndarray], names: tuple[str, ...], shared: tuple[str, ...]) -> torch.Tensor:
        # By numpy, on one thread: torch's other threads take longer to wake than a batch takes to copy. A field alone
        # is not copied, but a tensor must not share memory with another.
        first = fields[names[0]]
        alone = len(names) == 1 and names[0] not in shared
        values = first[:, None] if alone else np.stack([fields[name] for name in names], 1)
        return torch.from_numpy(values).to(self._dtype)

    def astype(self, dtype: torch.dtype) -> OperatorDataset:
        """The same samples as tensors of another floating point type."""
        if not dtype.is_floating_point:
            raise InputError(f"dtype must be a floating point type, got {dtype}")
        return OperatorDataset(self._header, self._source, indices=self._indices, dtype=dtype)

    def subset(self, indices: Sequence[int] | np.ndarray | torch.Tensor | slice) -> OperatorDataset:
        """The samples ``indices``, in that order; what was read is shared.

        Args:
            indices: a slice, or as in `batch`.

        Raises:
            InputError: an index out of range, a mask of another length.
        """
        positions = indices if isinstance(indices, slice) else self._positions(indices)
        return OperatorDataset(self._header, self._source, indices=self._indices[positions], dtype=self._dtype)

    def _positions(self, indices: Sequence[int] | np.ndarray | torch.Tensor) -> np.ndarray:
        """Integers that numpy understands, from integers or a mask."""
        positions = np.asarray(indices)
        if positions.dtype == bool:
            if positions.shape != (len(self),):
                raise InputError(
                    f"indices that are a mask must have a truth value for each of the {len(self)} samples, "
                    f"got shape {positions.shape}"
                )
            return np.flatnonzero(positions)
        if positions.ndim != 1 or not (positions.size == 0 or positions.dtype.kind in "iu"):
            raise InputError(f"indices must be a sequence of integers or a mask, got {indices!r:.80}")
        outside = positions[(positions < -len(self)) | (positions >= len(self))]
        if outside.size:
            raise InputError(
                f"indices must lie between 0 and {len(self) - 1}, got {outside[0]}; the dataset has {len(self)} "
                "samples, negative indices count from the end"
            )
        return positions.astype(np.intp)

    def split(self, *sizes: int | float) -> tuple[OperatorDataset, ...]:
        """Consecutive, disjoint parts in order.

        Args:
            sizes: numbers of samples, or fractions of all between 0 and 1 (floats); together at most all.

        Raises:
            InputError: sizes that are no such thing, or more samples than there are.

        Example:
            >>> import opforge
            >>> [len(part) for part in opforge.generate("darcy", 10, 8).split(0.8, 0.2)]
            [8, 2]
        """
        counts = all(isinstance(size, Integral) for size in sizes)
        fractions = not counts and all(isinstance(size, Real) and not isinstance(size, Integral) for size in sizes)
        if not sizes or not (counts or fractions) or min(sizes) < 0:
            raise InputError(f"sizes must all be numbers of samples or all be fractions such as 0.8, got {sizes}")
        ends = np.cumsum(sizes)
        if fractions:
            ends = np.round(ends * len(self), 6).astype(int)  # 0.7 + 0.2 + 0.1 is a little less than 1
        if ends[-1] > len(self):
            raise InputError(f"sizes must add up to at most the {len(self)} samples, got {sizes}")
        starts = [0, *ends[:-1]]
        return tuple(self.subset(slice(start, end)) for start, end in zip(starts, ends, strict=True))

    def to_xarray(self) -> xarray.Dataset:
        """The samples as an xarray ``Dataset`` with coordinates and attributes; a file's are read when asked for."""
        return self._source.to_xarray(self._header).isel(sample=self._indices)

    def __repr__(self) -> str:
        where = self.path or "memory"
        shape = "x".join(map(str, self.grid.shape))
        return (
            f"OperatorDataset({len(self)} samples, {', '.join(self.inputs)} -> {', '.join(self.outputs)}, "
            f"{shape} {self.grid.points}, {where})"
        )
