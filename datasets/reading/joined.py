"""Several sources that are the parts of one dataset, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from opforge.datasets.files.header import Header
from opforge.datasets.reading.held import Held
from opforge.datasets.reading.reach import Reach
from opforge.datasets.reading.shuffling import Places
from opforge.datasets.reading.source import Frames, Source
from opforge.errors import InputError

if TYPE_CHECKING:
    import xarray


class JoinedSource(Source):
    """The samples of several sources, one after the other.

    Args:
        parts: the sources.
        sizes: how many samples each has.
    """

    path = None

    def __init__(self, parts: Sequence[Source], sizes: Sequence[int]):
        self._parts = list(parts)
        self.place = f"{len(self._parts)} files"
        self._ends = np.cumsum(sizes)

        self._share()

    def _share(self) -> None:
        """Hold together no more than one file would."""
        held, sizes = Held(), np.diff(self._ends, prepend=0)
        for number, (part, size) in enumerate(zip(self._parts, sizes, strict=True)):
            part.share(held, number, size / max(1, self._ends[-1]))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._share()

    @property
    def keeps(self) -> bool:
        return all(part.keeps for part in self._parts)

    def places(self, samples: np.ndarray, lasts: np.ndarray, reach: Reach) -> Places | None:
        owners = np.searchsorted(self._ends, samples, side="right")
        columns, steps = np.zeros(len(samples), np.intp), np.zeros(len(samples), np.intp)
        lanes, offset = [], 0
        for owner, part in enumerate(self._parts):
            mine = owners == owner
            own = samples[mine] - (self._ends[owner - 1] if owner else 0)
            found = part.places(own, lasts[mine], reach)
            columns[mine] = offset + (own if found is None else found.columns)
            offset = int(columns[mine].max(initial=offset)) + 1
            if found is not None:
                steps[mine] = found.steps
                lanes.append(found.lanes)
        return Places(columns, steps, min(lanes)) if lanes else None

    @contextmanager
    def passing(self) -> Iterator[None]:
        with ExitStack() as blocks:
            for part in self._parts:
                blocks.enter_context(part.passing())
            yield

    def read(self, samples: np.ndarray, frames: Frames, reach: Reach | None = None) -> dict[str, np.ndarray]:
        owners = np.searchsorted(self._ends, samples, side="right")
        found: dict[str, np.ndarray] = {}
        for owner in np.unique(owners) if len(samples) else [0]:
            rows = np.flatnonzero(owners == owner)
            first = self._ends[owner - 1] if owner else 0
            wanted = {name: None if which is None else which[rows] for name, which in frames.items()}
            for name, values in self._parts[owner].read(samples[rows] - first, wanted, reach).items():
                if name not in found:
                    found[name] = np.empty((len(samples), *values.shape[1:]), values.dtype)
                elif not np.can_cast(values.dtype, found[name].dtype):  # shards of different precision
                    with np.errstate(invalid="ignore"):  # of rows that are not filled yet
                        found[name] = found[name].astype(values.dtype)
                found[name][rows] = values
        return found

    def drawn(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        owners = np.searchsorted(self._ends, samples, side="right")
        found: dict[str, np.ndarray] = {}
        for owner in np.unique(owners) if len(samples) else [0]:
            rows = np.flatnonzero(owners == owner)
            first = self._ends[owner - 1] if owner else 0
            for name, values in self._parts[owner].drawn(samples[rows] - first).items():
                found.setdefault(name, np.empty(len(samples)))[rows] = values
        return found

    def to_xarray(self, header: Header) -> xarray.Dataset:
        import xarray

        from opforge.datasets.reading.lazy import lazy_dataset

        parts = [part.to_xarray(header) for part in self._parts]
        kinds = {name: np.result_type(*(part[name].dtype for part in parts)) for name in header.names}
        others = {
            str(name): (xarray.concat([part[name] for part in parts], "sample").values, parts[0][name].attrs)
            for name, values in parts[0].data_vars.items()
            if name not in header.names and values.dims == ("sample",)
        }
        return lazy_dataset(header, self, kinds, others)


def joined_header(headers: Sequence[Header], paths: Sequence[Path]) -> Header:
    """The header of the dataset whose shards these are.

    Args:
        headers: of the shards, in order.
        paths: of the files, for messages.

    Raises:
        InputError: files that are no shards, that are of different datasets, that overlap or leave samples out.
    """
    whole = headers[0].whole()
    for header in headers:
        if len(headers) > 1 and not header.total:
            raise InputError(
                f"the files are not the shards of one dataset: one of {_list(paths)} is a whole one; name files that "
                "`generate` wrote with shard="
            )
        if replace(header.whole(), samples=0) != replace(whole, samples=0) or header.total != headers[0].total:
            name = _difference(header.to_attributes(), headers[0].to_attributes())
            raise InputError(f"the shards are of different datasets, {name} differs among {_list(paths)}")
    expected = 0
    for header in headers:
        if header.first != expected:
            what = "are missing" if header.first > expected else "are there twice"
            start, stop = sorted((expected, header.first))
            raise InputError(f"samples {start} to {stop - 1} {what} in {_list(paths)}; name every shard once")
        expected += header.samples
    if expected < whole.samples:
        raise InputError(
            f"samples {expected} to {whole.samples - 1} are missing in {_list(paths)}; name every shard once"
        )
    return whole


def _difference(one: dict[str, object], other: dict[str, object]) -> str:
    names = [name for name in {**one, **other} if one.get(name) != other.get(name) and name != "first_sample"]
    return repr(names[0]) if names else "the grid or the times"


def _list(paths: Sequence[Path]) -> str:
    names = [path.name for path in paths]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
