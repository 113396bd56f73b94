"""An xarray ``Dataset`` as samples: variables that the user names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from opforge.core import Grid
from opforge.core.grid import AXIS_NAMES
from opforge.datasets.files.header import Header
from opforge.datasets.formats.described import Asked
from opforge.datasets.formats.netcdf import uniform_grid
from opforge.datasets.reading.reach import Reach
from opforge.datasets.reading.source import Frames, Source
from opforge.datasets.reading.values import check_finite, picked
from opforge.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    import xarray


class XarraySource(Source):
    """Samples of an xarray ``Dataset``, computed or read by it when they are asked for.

    Args:
        data: its fields have the dimensions (sample, [time], *space) in this order.
        drawn: its variables (sample) that are drawn parameters.
    """

    path = None
    place = "an xarray Dataset"

    def __init__(self, data: xarray.Dataset, drawn: Sequence[str] = ()):
        self._data = data
        self._drawn = tuple(drawn)

    def read(self, samples: np.ndarray, frames: Frames, reach: Reach | None = None) -> dict[str, np.ndarray]:
        order, inverse = np.unique(samples, return_inverse=True)
        found = {}
        for name, which in frames.items():
            values = self._data[name].isel(sample=order).values
            values = values.astype(np.float32 if np.can_cast(values.dtype, np.float32) else np.float64, copy=False)
            check_finite(values, name, order, remedy="leave the sample out")
            found[name] = picked(values, inverse, which)
        return found

    def drawn(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        found = {name: self._data[name].values[samples].astype(np.float64) for name in self._drawn}
        for name, values in found.items():
            check_finite(values, name, samples, remedy="leave the sample out")
        return found

    def to_xarray(self, header: Header) -> xarray.Dataset:
        return self._data


def open_xarray(data: Any, asked: Asked) -> tuple[Header, Source, np.ndarray]:
    """Header, source and samples of an xarray ``Dataset``.

    Raises:
        InputError: it is none; names, dimensions or coordinates that do not fit.
    """
    import xarray

    if not isinstance(data, xarray.Dataset):
        raise InputError(f"path must be a path, several paths or an xarray Dataset, got {type(data).__name__}")
    unknown = [name for name in asked.rename if name not in data.variables and name not in data.dims]
    if unknown:
        raise UnknownNameError("variable or dimension in rename:", unknown[0], map(str, {*data.variables, *data.dims}))
    try:
        data = data.rename(asked.rename)
    except ValueError as error:
        raise InputError(
            f"rename gives two things one name: {dict(asked.rename)}; choose names that are free"
        ) from error
    if not asked.inputs or not asked.outputs:
        raise InputError("inputs and outputs must name variables of the xarray Dataset; give both")
    names = tuple(dict.fromkeys((*asked.inputs, *asked.outputs)))
    for name in names:
        if name not in data.data_vars:
            raise UnknownNameError("variable", name, map(str, data.data_vars))
        if data[name].dtype.kind not in "fiub":
            raise InputError(f"variable {name!r} must hold real numbers, got {data[name].dtype}")
    axes, drawn = _space(data, names), _drawn(data, names)
    evolving = tuple(name for name in names if "time" in data[name].dims)
    for name in names:
        expected = {"sample", *axes, *(("time",) if name in evolving else ())}
        if set(data[name].dims) != expected:
            raise InputError(
                f"variable {name!r} must have the dimensions sample, [time], {', '.join(axes)}, "
                f"got {', '.join(map(str, data[name].dims))}; give rename={{...}}"
            )
    order = {name: ("sample", *(("time",) if name in evolving else ()), *axes) for name in names}
    data = data[[*names, *drawn]].assign({name: data[name].transpose(*dims) for name, dims in order.items()})
    samples, times = data.sizes["sample"], _times(data) if evolving else ()
    labels = {
        name: {key: str(data[name].attrs.get(key, usual)) for key, usual in (("long_name", name), ("units", "1"))}
        for name in (*names, *drawn)
    }
    header = Header(
        asked.inputs,
        asked.outputs,
        _grid(data, axes, asked),
        samples,
        None,
        {"samples": samples},
        times,
        evolving,
        labels,
        drawn=drawn,
    )
    return header, XarraySource(data, drawn), np.arange(samples)


def _drawn(data: xarray.Dataset, fields: tuple[str, ...]) -> tuple[str, ...]:
    """The drawn parameters of what `OperatorDataset.to_xarray` gave; none of any other."""
    names = tuple(str(data.attrs.get("drawn", "")).split()) if "grid" in data.attrs else ()
    for name in names:
        if name in fields:
            raise InputError(f"{name!r} is no field but a parameter that was drawn for each sample")
        if name not in data.data_vars or data[name].dims != ("sample",) or data[name].dtype.kind not in "fiu":
            raise InputError(
                f"the attribute 'drawn' names {name!r}, which must be a variable with a number for each sample; put it "
                "back or delete the attribute"
            )
    return names


def _space(data: xarray.Dataset, names: tuple[str, ...]) -> tuple[str, ...]:
    found = {str(axis) for name in names for axis in data[name].dims} - {"sample", "time"}
    axes = AXIS_NAMES[: len(found)]
    if not axes or found != set(axes) or any("sample" not in data[name].dims for name in names):
        raise InputError(
            f"the variables must have the dimensions sample, [time], x[, y[, z]], got {', '.join(sorted(found))}; "
            "give rename={...}"
        )
    if min(data.sizes[axis] for axis in (*axes, "sample")) < 1 or min(data.sizes[axis] for axis in axes) < 2:
        raise InputError(
            f"every axis of space needs at least 2 points, and there must be a sample; got {dict(data.sizes)}"
        )
    return axes


def _times(data: xarray.Dataset) -> tuple[float, ...]:
    count = data.sizes["time"]
    if count < 2:
        raise InputError(f"the axis 'time' must have at least 2 frames, got {count}")
    if "time" not in data.coords:
        return tuple(map(float, range(count)))
    values = data["time"].values
    if values.dtype.kind == "M":  # xarray decodes dates: as seconds since the first, as where a file is read
        values = values - values[0]
    if values.dtype.kind == "m":
        values = values / np.timedelta64(1, "s")
    if values.dtype.kind not in "fiu" or not np.all(np.isfinite(values)) or not np.all(np.diff(values) > 0):
        raise InputError("coordinate 'time' must increase from frame to frame")
    return tuple(map(float, values))


def _grid(data: xarray.Dataset, axes: tuple[str, ...], asked: Asked) -> Grid:
    points = asked.points or "cells"
    if not all(axis in data.coords for axis in axes):
        return Grid(tuple(data.sizes[axis] for axis in axes), points=points)
    return uniform_grid([data[axis].values for axis in axes], points)
