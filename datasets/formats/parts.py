"""What the readers of the field's datasets share: groups, attributes, coordinates, times, the choice of fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np

from opforge.core import Grid
from opforge.datasets.files.contents import array_at, attributes_of
from opforge.datasets.files.header import Header
from opforge.datasets.files.packing import unpacked
from opforge.datasets.formats.described import Asked, Described
from opforge.datasets.reading.stored import Stored
from opforge.errors import InputError, UnknownNameError
from opforge.pdes import Equation


@dataclass(frozen=True)
class Contents:
    """All that a layout's reader finds in a file.

    Args:
        grid: where the fields' values are.
        samples: how many there are.
        fields: where each field is; those with an axis ``"time"`` evolve.
        inputs: fields that an operator is given, unless the user says otherwise; may be empty.
        outputs: fields that it shall find, unless the user says otherwise; may be empty.
        times: of the frames.
        provenance: plain values.
        labels: ``long_name`` and ``units`` of fields.
        equation: what the fields solve, when known.
        drawn: where each parameter is of which every sample has a number of its own.
        coordinates: for each coordinate that every sample has for itself, where it is for each sample.
    """

    grid: Grid
    samples: int
    fields: Mapping[str, Stored]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    times: tuple[float, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    equation: Equation | None = None
    drawn: Mapping[str, Stored] = field(default_factory=dict)
    coordinates: tuple[tuple[str, ...], ...] = ()

    def chosen(self, asked: Asked) -> Described:
        """The file as the user wants to see it.

        Raises:
            UnknownNameError: a field that the file lacks.
            InputError: fields that neither the user nor the layout chooses.
        """
        inputs, outputs = asked.inputs or self.inputs, asked.outputs or self.outputs
        for name in (*inputs, *outputs):
            if name not in self.fields:
                raise UnknownNameError("field", name, self.fields)
        if not inputs or not outputs:
            raise InputError(
                "the file does not say which fields are inputs and which are outputs; name them: open_dataset(path, "
                f"inputs=..., outputs=...) in Python, --inputs and --outputs in a shell; it has: "
                f"{', '.join(self.fields) or 'none'}"
            )
        names = tuple(dict.fromkeys((*inputs, *outputs)))
        evolving = tuple(name for name in names if "time" in self.fields[name].axes)
        header = Header(
            inputs,
            outputs,
            self.grid,
            self.samples,
            self.equation,
            {**self.provenance, "samples": self.samples},
            self.times if evolving else (),
            evolving,
            {name: label for name, label in self.labels.items() if name in (*names, *self.drawn, "time")},
            drawn=tuple(self.drawn),
        )
        fields = {name: self.fields[name] for name in names}
        return Described(header, fields, tuple(self.fields), drawn=self.drawn, coordinates=self.coordinates)


def names_in(group: h5py.Group) -> set[str]:
    """The names in a group but those that are no UTF-8, which h5py gives as bytes; no link is followed."""
    return {name for name in group if isinstance(name, str)}


def is_within(group: h5py.Group, name: str) -> bool:
    """Whether a name that a group has is the thing itself and no link to it, which may lead out of the file."""
    return isinstance(group.get(name, getlink=True), h5py.HardLink)


def group_at(hdf5: h5py.Group, path: str) -> h5py.Group:
    """A group of an HDF5 file, found without following links.

    Args:
        hdf5: the open file.
        path: of the group, its parts separated by ``/``.

    Raises:
        InputError: nothing is there, or an array, or a link.
    """
    place: Any = hdf5
    for part in path.split("/"):
        if part not in place:
            raise InputError(f"group {path!r} is missing")
        if not is_within(place, part):
            raise InputError(f"group {path!r} is a link, which is not followed; copy what it leads to (h5copy)")
        place = place[part]
        if not isinstance(place, h5py.Group):
            raise InputError(f"group {path!r} is an array, expected a group of variables")
    return place


def plain_attributes(thing: Any) -> dict[str, Any]:
    """The attributes that are numbers, truth values or text, or lists of them, as Python's own types.

    Others, such as references, describe nothing and are left out.

    Raises:
        InputError: one that is larger than any description should be.
    """
    values = {name: plain_value(value) for name, value in attributes_of(thing).items()}
    return {name: value for name, value in values.items() if value is not None}


def plain_value(value: Any) -> Any:
    """Numbers, truth values and text as Python's own types; lists of them as lists, but one number by itself.

    Returns:
        The value; None for anything else.

    Example:
        >>> plain_value(np.array([0.1])), plain_value(np.array([b"x"])), plain_value(b"open"), plain_value(np.True_)
        (0.1, ['x'], 'open', True)
    """
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    array = np.asarray(value)
    if array.dtype.kind in "fiub":
        return array.item() if array.size == 1 else array.tolist()
    if array.dtype.kind in "SUO" and all(isinstance(item, str | bytes) for item in array.flat):
        return np.vectorize(_text, otypes=[object])(array).tolist() if array.size else []
    return None


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def sizes_of(path: str, array: h5py.Dataset, axes: Sequence[str | int]) -> dict[str, int]:
    """The sizes of an array's axes by their names; whole numbers stand for axes that have no name.

    Raises:
        InputError: another number of axes.
    """
    if array.ndim != len(axes):
        named = ", ".join(axis if isinstance(axis, str) else "component" for axis in axes)
        raise InputError(f"variable {path!r} must have the axes ({named}), got shape {array.shape}")
    return {axis: size for axis, size in zip(axes, array.shape, strict=True) if isinstance(axis, str)}


def check_sizes(
    path: str, array: h5py.Dataset, axes: Sequence[str | int], sizes: Mapping[str, int], *, components: int = 1
) -> None:
    """Refuse an array whose axes do not have these sizes.

    Args:
        path: of the array, for messages.
        array: in the file.
        axes: see `Stored`.
        sizes: of every axis that has a name.
        components: size of the axes that have none.

    Raises:
        InputError: sizes that do not agree.
    """
    sizes_of(path, array, axes)
    for axis, size in zip(axes, array.shape, strict=True):
        expected = sizes[axis] if isinstance(axis, str) else components
        if size != expected:
            what = f"along {axis}" if isinstance(axis, str) else "for components"
            raise InputError(f"variable {path!r} must have the size {expected} {what}, got shape {array.shape}")


def coordinate(hdf5: h5py.Group, path: str, *sizes: int) -> np.ndarray:
    """The numbers of a coordinate, which must be as many as one of ``sizes`` says.

    Raises:
        InputError: it is missing, no row of numbers, or of another size.
    """
    array = array_at(hdf5, path)
    if array.ndim != 1 or array.shape[0] not in sizes:
        wanted = " or ".join(map(str, sizes))
        raise InputError(f"coordinate {path!r} must have {wanted} numbers, got shape {array.shape}")
    return unpacked(array)


def times_of(values: np.ndarray, path: str) -> tuple[tuple[float, ...], dict[str, dict[str, str]]]:
    """The times of frames, and what to call them.

    Args:
        values: (frames,), or (samples, frames) where every sample has its own.
        path: of the variable, for messages.

    Returns:
        The times; where they differ between samples, the numbers of the frames instead. And a label that says so.

    Raises:
        InputError: fewer than two frames, times that do not increase.

    Example:
        >>> times_of(np.array([[0.0, 0.5], [0.0, 0.5]]), "t")
        ((0.0, 0.5), {})
        >>> times_of(np.array([[0.0, 0.5], [0.0, 0.7]]), "t")[0]
        (0.0, 1.0)
    """
    rows = np.atleast_2d(values).astype(np.float64)
    if rows.shape[1] < 2:
        raise InputError(f"variable {path!r} has {rows.shape[1]} frame; a field that evolves needs at least 2")
    if not np.all(np.diff(rows, axis=1) > 0):
        raise InputError(f"coordinate {path!r} must increase from frame to frame; mend the file")
    if np.all(rows == rows[0]):
        return tuple(rows[0].tolist()), {}
    label = {"long_name": "number of the frame, whose time differs from sample to sample", "units": "1"}
    return tuple(map(float, range(rows.shape[1]))), {"time": label}
