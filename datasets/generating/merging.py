"""Joining shards: the parts of a dataset that were generated apart become one file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from opforge.datasets.files.columns import bytes_per_sample, checksums, variables
from opforge.datasets.files.header import Header
from opforge.datasets.files.layout import read_failures
from opforge.datasets.files.opening import DAMAGE, open_hdf5
from opforge.datasets.files.outputs import check_output, is_done
from opforge.datasets.files.writer import FileWriter
from opforge.datasets.formats import netcdf
from opforge.datasets.formats.described import Asked
from opforge.datasets.formats.sets import members
from opforge.datasets.generating.arguments import checked_path
from opforge.datasets.generating.progress import progress_bar
from opforge.datasets.neighbours import runs
from opforge.datasets.reading.joined import joined_header
from opforge.errors import InputError, WorkError

if TYPE_CHECKING:
    from opforge.datasets.reading.dataset import OperatorDataset

# Bytes of samples that are copied at a time.
_AT_ONCE = 2**26


@dataclass(frozen=True)
class _Shard:
    """A file that holds a part of a dataset."""

    path: Path
    header: Header
    dtype: np.dtype
    level: int | None


def merge(
    shards: str | os.PathLike | Sequence[str | os.PathLike],
    out: str | os.PathLike,
    *,
    overwrite: bool = False,
    resume: bool = False,
    progress: bool = False,
) -> OperatorDataset:
    """Join the shards of a dataset into the file that generating it at once would have written, byte by byte.

    Every sample is compared with its checksum on the way. The shards are left as they are.

    Args:
        shards: their paths in any order, a folder that holds nothing else, or a pattern such as ``"darcy-*.nc"``.
        out: the file to write; it appears when it is whole.
        overwrite: whether ``out`` may exist.
        resume: go on where joining the same shards was interrupted.
        progress: whether to show a bar with the time left on stderr.

    Returns:
        The whole dataset.

    Raises:
        InputError: shards that are missing, damaged, there twice or of different datasets; an output that exists or
            cannot be written; a disk that ran full.
        WorkError: all samples of all shards failed.

    Example:
        >>> import tempfile, opforge
        >>> folder = tempfile.TemporaryDirectory()
        >>> for i in (1, 2):
        ...     _ = opforge.generate("darcy", 5, 8, out=f"{folder.name}/{i}.nc", shard=(i, 2))
        >>> len(merge(f"{folder.name}/*.nc", f"{folder.name}/whole.nc"))
        5
    """
    path = checked_path("out", out)
    paths = [part for part in members(shards) if part.resolve() != path.resolve()]
    if not paths:
        raise InputError(f"shards must name other files than out, got {path} alone")
    found = sorted((_shard(part) for part in paths), key=lambda shard: shard.header.first)
    header = joined_header([shard.header for shard in found], [shard.path for shard in found])
    first = found[0]
    for shard in found:
        if (shard.dtype, shard.level) != (first.dtype, first.level):
            raise InputError(
                f"{shard.path} holds {_kind(shard)} and {first.path} {_kind(first)}; generate the shards with the same "
                "dtype and compression"
            )
    if not (resume and is_done(path, header, first.dtype, first.level, overwrite=overwrite)):
        check_output(path, overwrite=overwrite)
        options: dict[str, Any] = {"compression": first.level, "resume": resume, "overwrite": overwrite}
        title = f"joining {len(found)} shards" if progress else None
        with (
            FileWriter(path, header, first.dtype, **options) as writer,
            progress_bar(title, header.samples, writer.count) as advance,
        ):
            _copy(found, writer, advance)
            if writer.failed == header.samples:
                raise WorkError(f"all {header.samples} samples failed; {_reason(found)}")
    from opforge.datasets.formats.opening import open_dataset

    return open_dataset(path)


def _kind(shard: _Shard) -> str:
    return f"{shard.dtype.name}, " + ("not compressed" if shard.level is None else f"compressed at level {shard.level}")


def _shard(path: Path) -> _Shard:
    """What a shard is.

    Raises:
        InputError: it is none.
    """
    header = netcdf.describe(path, Asked()).header
    if not header.total:
        raise InputError(
            f"{path} is no shard but a whole dataset; name files that `generate` wrote with shard= (--shard)"
        )
    with _opened(path) as hdf5:
        field: Any = hdf5[header.names[0]]
        missing = [name for name in variables(header, field.dtype) if name not in hdf5]
        if missing:
            raise InputError(f"{path} lacks the variable {missing[0]!r}, which every shard has; generate it again")
        return _Shard(path, header, field.dtype, field.compression_opts)


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    with open_hdf5(path) as hdf5:
        try:
            yield hdf5
        except (InputError, WorkError):
            raise
        except DAMAGE as error:
            raise InputError(f"{path} is damaged: its samples cannot be read; copy or generate it again") from error


def _copy(shards: Sequence[_Shard], writer: FileWriter, advance: Callable[[int], None]) -> None:
    """Copy the samples that the writer lacks, and why others failed."""
    for shard in shards:
        header = shard.header
        step = max(1, _AT_ONCE // bytes_per_sample(header, shard.dtype))
        missing = writer.missing - header.first
        with _opened(shard.path) as hdf5:
            for run in runs(missing[(missing >= 0) & (missing < header.samples)]):
                for start in range(run.start, run.stop, step):
                    stop = min(start + step, run.stop)
                    writer.put(header.first + start, _read(shard, hdf5, start, stop))
                    advance(stop - start)
            reasons = read_failures(hdf5)
        if reasons:
            writer.fail(reasons)


def _reason(shards: Sequence[_Shard]) -> str:
    """Why the first sample failed that says so."""
    for shard in shards:
        with _opened(shard.path) as hdf5:
            if reasons := read_failures(hdf5):
                return reasons[0]
    return "the shards do not say why"


def _read(shard: _Shard, hdf5: h5py.File, start: int, stop: int) -> dict[str, np.ndarray]:
    """Some samples as they are stored, compared with their checksums."""
    arrays = {}
    for name, (kind, _) in variables(shard.header, shard.dtype).items():
        values: Any = hdf5[name]
        arrays[name] = np.ascontiguousarray(values[start:stop], kind)
    agree = checksums(arrays) == arrays["checksum"]
    if not agree.all():
        raise InputError(
            f"{shard.path} is damaged: sample {shard.header.first + start + int(np.argmin(agree))} does not agree with "
            "its checksum; copy or generate it again"
        )
    return arrays
