"""Opening a dataset, whatever its layout is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from opforge.core.grid import Points
from opforge.datasets.files.header import Header
from opforge.datasets.files.layout import failed_sample, read_failures
from opforge.datasets.files.opening import opened_hdf5
from opforge.datasets.formats import fno_mat, netcdf, pdebench, the_well
from opforge.datasets.formats.described import Asked, Described
from opforge.datasets.formats.sets import members
from opforge.datasets.reading.dataset import OperatorDataset
from opforge.datasets.reading.hdf5_source import HDF5Source
from opforge.datasets.reading.joined import JoinedSource, joined_header
from opforge.datasets.reading.source import Source
from opforge.errors import InputError

if TYPE_CHECKING:
    import xarray

# The layouts of HDF5 that are told by what is in the file; anything else is netCDF.
_LAYOUTS = (the_well, pdebench, fno_mat)


def open_dataset(
    path: str | os.PathLike | Sequence[str | os.PathLike] | xarray.Dataset,
    *,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    points: Points | None = None,
    rename: Mapping[str, str] | None = None,
) -> OperatorDataset:
    """Open samples of fields, whatever the layout of their file is.

    Known are: files that `opforge.generate` wrote, and sets of shards; PDEBench's three layouts; The Well; the FNO
    benchmarks' ``.mat`` files (versions 5 and 7.3). They say themselves what is in them. Any other netCDF-4 file, and
    any xarray ``Dataset``, opens when ``inputs`` and ``outputs`` name its variables, which need the dimensions
    ``sample, [time], x[, y[, z]]``, in any order; ``rename`` tells which of its names stand for these.

    Nothing is read until it is asked for. Of files that are compressed or laid out otherwise than sample by sample,
    what was read stays in memory if all fields take less than 1 GiB. Values are checked to be finite when they are
    read, and those of opforge's own files to agree with their checksums.

    Args:
        path: the file; or the shards of a dataset: their paths, a folder that holds nothing else, or a pattern such as
            ``"darcy-*.nc"``; or an xarray ``Dataset``.
        inputs: fields that an operator is given; those that the file names unless given.
        outputs: fields that it shall find; those that the file names unless given.
        points: where the coordinates lie in their spacing, see `opforge.core.Grid`; for an ordinary netCDF file
            ``"cells"`` unless given. A file that describes its grid needs none.
        rename: for an ordinary netCDF file, its names of dimensions and variables -> the names that they stand for.

    Returns:
        The dataset. Where fields evolve, a sample pairs the first frame with the last; see `OperatorDataset.windows`.

    Raises:
        InputError: a path that does not exist, a file that is of no known layout, cut off or damaged, variables or
            attributes that are missing or do not fit together, shards that are not all there.

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
    if not isinstance(path, str | os.PathLike) and not isinstance(path, Sequence):
        from opforge.datasets.formats.xarray_dataset import open_xarray

        return OperatorDataset(*open_xarray(path, _asked(inputs, outputs, points, rename)))
    dataset = open_with_failures(path, inputs=inputs, outputs=outputs, points=points, rename=rename)
    if dataset.samples == 0:
        raise _all_failed(dataset.header, members(path))
    return dataset


def open_with_failures(
    path: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    points: Points | None = None,
    rename: Mapping[str, str] | None = None,
) -> OperatorDataset:
    """What `open_dataset` opens, also where all samples failed: such a shard still says which, and is to be joined.

    Returns:
        The dataset, perhaps without any sample.

    Raises:
        InputError: see `open_dataset`.
    """
    asked, paths = _asked(inputs, outputs, points, rename), members(path)
    if len(paths) == 1 and isinstance(path, str | os.PathLike):
        return OperatorDataset(*_opened(paths[0], asked))
    opened = sorted((_opened(part, asked) for part in paths), key=lambda part: part[0].first)
    header = joined_header([part[0] for part in opened], paths)
    source = JoinedSource([part[1] for part in opened], [part[0].samples for part in opened])
    offsets = np.cumsum([0, *(part[0].samples for part in opened[:-1])])
    indices = np.concatenate([part[2] + offset for part, offset in zip(opened, offsets, strict=True)])
    return OperatorDataset(header, source, indices)


def describe(path: Path, asked: Asked) -> Described:
    """What an HDF5 file holds, by the layout that it has.

    Raises:
        InputError: see `open_dataset`.
    """
    with opened_hdf5(path) as file:
        layout = next((layout for layout in _LAYOUTS if layout.matches(file)), None)
        if layout is not None:
            if asked.rename:
                raise InputError("rename is for ordinary netCDF files; choose fields by inputs= and outputs=")
            return layout.describe(file, asked)
    return netcdf.describe(path, asked)


def _opened(path: Path, asked: Asked) -> tuple[Header, Source, np.ndarray]:
    """Header, source and the samples that did not fail."""
    if os.path.isfile(path) and fno_mat.matches_v5(path):
        header, source = fno_mat.open_v5(path, asked)
        return header, source, np.arange(header.samples)
    found = describe(path, asked)
    good = np.arange(found.header.samples)
    if found.netcdf:
        with opened_hdf5(path) as file:
            good = np.flatnonzero(~netcdf.failed(file, found.header))
    source = HDF5Source(
        path, found.header, found.fields, netcdf=found.netcdf, drawn=found.drawn, coordinates=found.coordinates
    )
    return found.header, source, good


def _all_failed(header: Header, paths: Sequence[Path]) -> InputError:
    reasons: list[str] = []
    for path in paths:
        with opened_hdf5(path) as file:
            reasons += read_failures(file)
    first = f" ({min(reasons, key=failed_sample)})" if reasons else ""
    remedy = "generate it again with other parameters"
    if header.total:
        last = header.first + header.samples - 1
        remedy = f"it is a shard, {header.first} to {last} of {header.total}: join it with the others (opforge merge)"
    return InputError(
        f"{', '.join(map(str, paths))} has no samples, all {header.samples} of them failed{first}; {remedy}"
    )


def _asked(
    inputs: Sequence[str] | None,
    outputs: Sequence[str] | None,
    points: Points | None,
    rename: Mapping[str, str] | None,
) -> Asked:
    return Asked(_names("inputs", inputs), _names("outputs", outputs), points, dict(rename or {}))


def _names(kind: str, given: Sequence[str] | None) -> tuple[str, ...]:
    if isinstance(given, str):
        raise InputError(f"{kind} must be a tuple of names, got the text {given!r}; write ({given!r},)")
    return tuple(given or ())
