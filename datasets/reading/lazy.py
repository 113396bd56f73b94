"""A source of samples as an xarray ``Dataset`` that reads what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray
from xarray.backends import BackendArray
from xarray.core import indexing

from opforge.datasets.files.header import Header

if TYPE_CHECKING:
    from opforge.datasets.reading.source import Source


class _LazyField(BackendArray):
    """A field (sample, [time], *space) of a source."""

    def __init__(self, header: Header, source: Source, name: str, kind: np.dtype):
        self.shape = tuple(header.dimensions(name).values())
        self.dtype = kind
        self._source = source
        self._name = name
        self._evolves = name in header.evolving

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._outer)

    def _outer(self, key: tuple[Any, ...]) -> np.ndarray:
        along = [np.arange(size)[part] for size, part in zip(self.shape, key, strict=True)]
        samples = np.atleast_1d(along[0])
        frames = None
        if self._evolves:
            frames = np.broadcast_to(np.atleast_1d(along[1]), (len(samples), np.size(along[1])))
        values = self._source.read(samples, {self._name: frames})[self._name]
        for axis, part in enumerate(along):
            if axis > (1 if self._evolves else 0):
                values = np.take(values, np.atleast_1d(part), axis)
        return values.reshape([n for part in along for n in np.shape(part)])


def checked_fields(
    data: xarray.Dataset, header: Header, source: Source, kinds: Mapping[str, np.dtype]
) -> xarray.Dataset:
    """A dataset that xarray opened, whose fields are read through the source, which compares them with checksums.

    Args:
        data: as the file has it.
        header: what the file holds.
        source: where it is.
        kinds: type of each field.
    """
    fields = {
        name: _variable(
            header, source, name, kind=kinds[name], attributes=data[name].attrs, encoding=data[name].encoding
        )
        for name in header.names
        if data[name].dims == tuple(header.dimensions(name))
    }
    return data.assign(fields)


def lazy_dataset(
    header: Header,
    source: Source,
    kinds: Mapping[str, np.dtype],
    others: Mapping[str, tuple[np.ndarray, Mapping[str, str]]] | None = None,
) -> xarray.Dataset:
    """All samples of a source with coordinates and attributes.

    Args:
        header: what they are.
        source: where they are.
        kinds: type of each field.
        others: (samples,) of what goes with every sample: name -> array and attributes.
    """
    fields = {
        name: _variable(header, source, name, kind=kinds[name], attributes=header.describe(name), encoding={})
        for name in header.names
    }
    rest = {name: (("sample",), values, attributes) for name, (values, attributes) in (others or {}).items()}
    coordinates = {name: ((name,), values, header.describe(name)) for name, values in header.coordinates().items()}
    return xarray.Dataset(fields | rest, coordinates, header.to_attributes())


def _variable(
    header: Header,
    source: Source,
    name: str,
    kind: np.dtype,
    attributes: Mapping[Any, Any],
    encoding: Mapping[Any, Any],
) -> xarray.Variable:
    """A field that is read when it is asked for."""
    lazy = indexing.LazilyIndexedArray(_LazyField(header, source, name, kind))
    return xarray.Variable(tuple(header.dimensions(name)), lazy, dict(attributes), dict(encoding))
