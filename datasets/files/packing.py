"""Packed variables of CF files: numbers kept scaled, shifted or with a stand-in for what is missing."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from opforge.datasets.files.contents import attributes_of
from opforge.errors import InputError

_ATTRIBUTES = ("scale_factor", "add_offset", "_FillValue", "missing_value", "_Unsigned")


def packing(name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Those attributes of a variable that `unpack` needs; none where the numbers stand for themselves.

    Args:
        name: the variable's, for messages.
        attributes: all of them.

    Raises:
        InputError: an attribute that should be a number and is not; a scale of 0, NaN or infinity.

    Example:
        >>> packing("k", {"scale_factor": np.array([0.5]), "units": "1"})
        {'scale_factor': np.float64(0.5)}
        >>> packing("k", {"_FillValue": np.nan})  # missing values are NaN already
        {}
    """
    found = {key: _scalar(attributes[key]) for key in _ATTRIBUTES if key in attributes}
    for key, value in found.items():
        if key != "_Unsigned" and (np.asarray(value).dtype.kind not in "fiu" or np.ndim(value)):
            raise InputError(
                f"attribute {key!r} of variable {name!r} must be a number, got {' '.join(repr(value).split()):.80}; "
                "mend the file"
            )
    for key in found.keys() & {"scale_factor", "add_offset"}:
        if not np.isfinite(found[key]) or (key == "scale_factor" and found[key] == 0):
            raise InputError(
                f"attribute {key!r} of variable {name!r} must be finite{' and not 0' * (key == 'scale_factor')}, got "
                f"{found[key]:g}; mend the file"
            )
    fills_only = set(found) <= {"_FillValue", "missing_value"}
    return {} if fills_only and all(np.isnan(value).all() for value in found.values()) else found


def common_packing(name: str, arrays: Sequence[Any]) -> dict[str, Any]:
    """That of a field of which each sample has an HDF5 array of its own.

    Raises:
        InputError: what `packing` refuses, arrays that are packed in different ways.
    """
    first = packing(name, arrays[0].attrs)
    for array in arrays[1:]:
        if repr(packing(name, array.attrs)) != repr(first):
            raise InputError(
                f"{array.name!r} must be packed as {arrays[0].name!r} is, {first or 'not at all'}, got "
                f"{packing(name, array.attrs) or 'not at all'}; store the numbers themselves"
            )
    return first


def unpacked(array: Any) -> np.ndarray:
    """All numbers of a variable of an HDF5 file, a coordinate's say, unpacked where its attributes ask for it.

    Raises:
        InputError: what `packing` refuses, an attribute that is huge.
    """
    return unpack(np.asarray(array[...]), packing(array.name.strip("/"), attributes_of(array)))


def unpack(values: np.ndarray, packed: Mapping[str, Any]) -> np.ndarray:
    """The numbers that packed ones stand for, v · scale_factor + add_offset, as xarray gives them; NaN where missing.

    Args:
        values: as the file keeps them, of any shape.
        packed: what `packing` gave.

    Returns:
        Floating point numbers of the same shape, in the precision that xarray chooses.

    Example:
        >>> unpack(np.array([1999, -1], np.int16), {"scale_factor": 0.001, "_FillValue": np.int16(-1)}).tolist()
        [1.999, nan]
    """
    if not packed:
        return values
    import xarray  # only packed files need it
    from xarray.conventions import decode_cf_variable

    variable = xarray.Variable([f"axis{i}" for i in range(values.ndim)], values, dict(packed))
    with warnings.catch_warnings():
        # "multiple fill values": _FillValue and missing_value may differ, both become NaN
        warnings.simplefilter("ignore", xarray.SerializationWarning)
        return decode_cf_variable("", variable, concat_characters=False, decode_times=False).values


def _scalar(value: Any) -> Any:
    """What netCDF keeps as an array of one number, as that number; its type decides on the precision."""
    return value[0] if isinstance(value, np.ndarray) and value.shape == (1,) else value
