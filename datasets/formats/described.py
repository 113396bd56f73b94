"""What a format's reader finds out about a file, and what the user said about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from opforge.core.grid import Points
from opforge.datasets.files.header import Header
from opforge.datasets.reading.stored import Stored


@dataclass(frozen=True)
class Asked:
    """What the user said about a file.

    Args:
        inputs: fields that an operator is given; the format's usual choice unless given.
        outputs: fields that it shall find; the format's usual choice unless given.
        points: where the points of the grid lie in their spacing; the format's rule unless given.
        rename: names of variables and dimensions in the file -> the names that they stand for.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    points: Points | None = None
    rename: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Described:
    """A file of HDF5 as opforge sees it.

    Args:
        header: fields, grid, times, provenance.
        fields: where each of ``header.names`` is.
        available: every field of the file, for ``inputs=`` and ``outputs=``.
        drawn: where each of ``header.drawn`` is.
        netcdf: whether the file is netCDF-4 with these names and dimensions, which xarray opens itself.
        coordinates: for each coordinate that every sample has for itself, where it is for each sample.
    """

    header: Header
    fields: Mapping[str, Stored]
    available: tuple[str, ...] = ()
    netcdf: bool = False
    drawn: Mapping[str, Stored] = field(default_factory=dict)
    coordinates: tuple[tuple[str, ...], ...] = ()
