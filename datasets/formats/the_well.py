"""Files of The Well: trajectories of scalar, vector and tensor fields, with their grid and boundary conditions.

The layout is that of The Well's own description and programs (github.com/PolymathicAI/the_well:
``docs/data_format.md``, ``the_well/data/datasets.py``, ``scripts/check_thewell_formatting.py``):

- ``/dimensions`` (attribute ``spatial_dims``) has ``time`` and a row of coordinates for each axis of space;
- ``/t0_fields``, ``/t1_fields``, ``/t2_fields`` (attribute ``field_names``) have fields of scalars, vectors and tensors
  with the axes (sample, time, *space, component, component). The attributes ``sample_varying``, ``time_varying`` and
  ``dim_varying`` tell which of the axes are left out because the values are the same along them;
- ``/scalars`` has what belongs to no point, ``/boundary_conditions`` where each kind of boundary is.

Here every component is a field of its own, named as The Well's loader does: ``velocity_x``, ``D_xy``. Fields that
evolve are inputs and outputs; those that do not are inputs. Axes of space that are named x, y and z take their order
from these names; others, such as phi and theta, are x, y and z in the order in which they come. Points are
``"periodic"`` where all boundaries are, else ``"cells"``. Scalars, boundary conditions and the other attributes are in
the dataset's ``provenance``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product
from typing import Any

import h5py
import numpy as np

from opforge.core import Grid
from opforge.core.grid import AXIS_NAMES, Points
from opforge.datasets.files.contents import array_at, check_members
from opforge.datasets.files.header import Header
from opforge.datasets.files.packing import unpacked
from opforge.datasets.formats.described import Asked, Described
from opforge.datasets.formats.netcdf import uniform_grid
from opforge.datasets.formats.parts import (
    Contents,
    check_sizes,
    coordinate,
    group_at,
    names_in,
    plain_attributes,
    times_of,
)
from opforge.datasets.reading.stored import Stored
from opforge.errors import InputError

FIELDS = ("t0_fields", "t1_fields", "t2_fields")

# An attribute of vectors in files that opforge wrote: the names of the components, where they are not the usual ones.
COMPONENTS = "components"

# Root attributes that the layout needs or that say again what is elsewhere.
_STRUCTURE = ("n_spatial_dims", "n_trajectories")

# Root attributes of opforge's own files in this layout, and one that some of them have.
_OWN = ("inputs", "outputs", "points", "lengths", "origin")
_DRAWN = "drawn"

# A scalar with more numbers, one for each sample or frame, is named with its shape only.
_MOST_NUMBERS = 10_000


def matches(file: h5py.File) -> bool:
    """Whether a file has The Well's layout."""
    names = names_in(file)
    return "dimensions" in names and not names.isdisjoint(FIELDS)


def describe(file: h5py.File, asked: Asked) -> Described:
    """What a file of The Well holds; no field is read.

    Args:
        file: one that `matches`.
        asked: fields to take instead of the usual ones; ``points`` where the coordinates are those of other points.

    Raises:
        InputError: groups, arrays or attributes that are missing or do not fit together, coordinates that are not those
            of a uniform grid.
    """
    root = plain_attributes(file)
    samples = root.get("n_trajectories")
    if not isinstance(samples, int) or samples < 1:
        raise InputError(f"the attribute 'n_trajectories' must be a number of samples, got {samples!r:.80}")
    dims = _texts(plain_attributes(group_at(file, "dimensions")), "spatial_dims", "/dimensions")
    if not 1 <= len(dims) <= len(AXIS_NAMES) or len(set(dims)) < len(dims):
        raise InputError(f"the attribute 'spatial_dims' of '/dimensions' must name 1 to 3 axes, got {dims}")
    names = dict(zip(dims, dims if sorted(dims) == list(AXIS_NAMES[: len(dims)]) else AXIS_NAMES, strict=False))
    time = array_at(file, "dimensions/time")
    sizes = {"sample": samples, "time": time.shape[-1] if time.ndim else 0}
    sizes |= {names[dim]: array_at(file, f"dimensions/{dim}").size for dim in dims}
    own = set(_OWN) <= root.keys()
    fields = _fields(file, dims, names, sizes, own=own)
    boundaries = _boundaries(file)
    rows = _rows(file, names, sizes)
    points = asked.points or _points(dims, boundaries)
    grid = _said(root, rows) if own and asked.points is None else uniform_grid(rows, points)
    times, labels = (), {}
    if any("time" in stored.axes for stored in fields.values()):
        times, labels = _times(file, sizes)
    provenance = {
        "format": "The Well",
        **{name: value for name, value in root.items() if name not in (*_STRUCTURE, *_OWN)},
        "spatial_dims": dims,
        "scalars": _scalars(file, root),
        "boundary_conditions": boundaries,
    }
    evolving = tuple(name for name, stored in fields.items() if "time" in stored.axes)
    static = tuple(name for name in fields if name not in evolving)
    inputs, outputs = ((*evolving, *static), evolving) if evolving else ((), ())
    contents = Contents(grid, samples, fields, inputs, outputs, times, provenance, labels)
    return (_own(file, contents, root) if own else contents).chosen(asked)


def _own(file: h5py.File, contents: Contents, root: dict[str, Any]) -> Contents:
    """What opforge said of a file that it wrote: which fields are inputs and outputs, what they solve, what was drawn.

    Drawn parameters are scalars that vary from sample to sample.
    """
    attributes = {name: value for name, value in root.items() if name not in (*_STRUCTURE, "simulation_parameters")}
    attributes["grid"] = json.dumps(contents.grid.to_dict())
    said = Header.from_attributes(attributes, contents.samples)
    missing = [name for name in said.names if name not in contents.fields]
    if missing:
        raise InputError(f"the attributes 'inputs' and 'outputs' name {missing[0]!r}, which is no field of the file")
    given = {name: value for name, value in contents.provenance.items() if name not in said.provenance}
    if said.drawn and "scalars" in given:
        given["scalars"] = {name: value for name, value in given["scalars"].items() if name not in said.drawn}
    drawn, labels = {}, dict(contents.labels)
    for name in said.drawn:
        drawn[name] = Stored((f"scalars/{name}",), ("sample",))
        array = array_at(file, f"scalars/{name}")
        check_sizes(f"scalars/{name}", array, ("sample",), {"sample": contents.samples})
        about = plain_attributes(array)
        labels[name] = {"long_name": str(about.get("long_name", name)), "units": str(about.get("units", "1"))}
    return Contents(
        contents.grid,
        contents.samples,
        contents.fields,
        said.inputs,
        said.outputs,
        contents.times,
        {name: value for name, value in (said.provenance | given).items() if name not in (*_OWN, _DRAWN)},
        labels,
        said.equation,
        drawn,
    )


def _fields(
    file: h5py.File, dims: Sequence[str], names: dict[str, str], sizes: dict[str, int], *, own: bool
) -> dict[str, Stored]:
    """Where every component of every field is; ``own`` where opforge wrote the file, and named components."""
    fields: dict[str, Stored] = {}
    for order, group in enumerate(FIELDS):
        if group not in names_in(file):
            continue
        for field in _texts(plain_attributes(group_at(file, group)), "field_names", f"/{group}"):
            path = f"{group}/{field}"
            array = array_at(file, path)
            axes = _axes(path, plain_attributes(array), dims, names)
            check_sizes(path, array, (*axes, *(0,) * order), sizes, components=len(dims))
            known = _components(path, plain_attributes(array), len(dims)) if own and order == 1 else None
            for component in product(range(len(dims)), repeat=order):
                name = "_".join([field, "".join(dims[i] for i in component)]) if order else field
                name = name if known is None else known[component[0]]
                if name in fields:
                    raise InputError(
                        f"the field {name!r} is there twice: {path!r} has it and {fields[name].paths[0]!r}"
                    )
                fields[name] = Stored((path,), (*axes, *component))
    if not fields:
        raise InputError(f"the file has no fields: 'field_names' of {', '.join(FIELDS)} names none")
    return fields


def _components(path: str, attributes: dict[str, Any], count: int) -> list[str] | None:
    """The names that opforge gave the components of a vector; None where they are the usual ones."""
    if COMPONENTS not in attributes:
        return None
    names = _texts(attributes, COMPONENTS, path)
    if len(names) != count:
        raise InputError(f"the attribute {COMPONENTS!r} of {path!r} must name {count} components, got {names}")
    return names


def _axes(path: str, attributes: dict[str, Any], dims: Sequence[str], names: dict[str, str]) -> tuple[str, ...]:
    """The axes that a field has, those of its components left out."""
    along = attributes.get("dim_varying")
    along = [along] if isinstance(along, bool | int) else along  # one axis of space
    if not isinstance(along, list) or len(along) != len(dims) or not all(flag in (0, 1) for flag in along):
        raise InputError(
            f"the attribute 'dim_varying' of {path!r} must be a truth value for each of {', '.join(dims)}, "
            f"got {along!r:.80}"
        )
    first = [axis for axis in ("sample", "time") if _flag(path, attributes, f"{axis}_varying")]
    return (*first, *(names[dim] for dim, varies in zip(dims, along, strict=True) if varies))


def _flag(path: str, attributes: dict[str, Any], name: str) -> bool:
    value = attributes.get(name)
    if value not in (0, 1):
        raise InputError(f"the attribute {name!r} of {path!r} must be a truth value, got {value!r:.80}")
    return bool(value)


def _texts(attributes: dict[str, Any], name: str, where: str) -> list[str]:
    value = attributes.get(name)
    value = [value] if isinstance(value, str) else value
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(f"the attribute {name!r} of {where!r} must be a list of names, got {value!r:.80}")
    return value


def _rows(file: h5py.File, names: dict[str, str], sizes: dict[str, int]) -> list[np.ndarray]:
    """The coordinates of the axes of space, x first."""
    rows = {}
    for dim, axis in names.items():
        path = f"dimensions/{dim}"
        attributes = plain_attributes(array_at(file, path))
        for kind in ("sample", "time"):
            if attributes.get(f"{kind}_varying", False):
                raise InputError(f"coordinate {path!r} changes from {kind} to {kind}; a dataset here has one grid")
        rows[axis] = coordinate(file, path, sizes[axis])
    return [rows[axis] for axis in AXIS_NAMES[: len(rows)]]


def _said(root: dict[str, Any], rows: Sequence[np.ndarray]) -> Grid:
    """The grid that opforge said of a file that it wrote, which is more exact than coordinates in single precision."""
    lengths, origin = (tuple(np.atleast_1d(root[name]).tolist()) for name in ("lengths", "origin"))
    try:
        grid = Grid(tuple(map(len, rows)), lengths, root["points"], origin)
    except InputError as error:
        raise InputError(f"the attributes 'points', 'lengths' and 'origin' do not describe a grid: {error}") from error
    for name, values, own in zip(AXIS_NAMES, rows, grid.coordinates(), strict=False):
        if not np.allclose(values, own, rtol=1e-5, atol=1e-5 * max(lengths)):
            raise InputError(f"coordinate {name!r} is not that of the attributes 'lengths' and 'origin'; mend the file")
    return grid


def _times(file: h5py.File, sizes: dict[str, int]) -> tuple[tuple[float, ...], dict[str, dict[str, str]]]:
    array = array_at(file, "dimensions/time")
    if array.shape not in ((sizes["time"],), (sizes["sample"], sizes["time"])):
        raise InputError(
            f"coordinate 'dimensions/time' must have the shape (frames) or (samples, frames), got {array.shape}"
        )
    return times_of(unpacked(array), "dimensions/time")


def _scalars(file: h5py.File, root: dict[str, Any]) -> dict[str, Any]:
    """Values that belong to no point, besides those that are root attributes too."""
    if "scalars" not in names_in(file):
        return {}
    values: dict[str, Any] = {}
    for name in _texts(plain_attributes(group_at(file, "scalars")), "field_names", "/scalars"):
        array = array_at(file, f"scalars/{name}")
        if array.size > _MOST_NUMBERS:
            values[name] = f"array of shape {array.shape}"
        elif array.size > 1 or name not in root:
            numbers = unpacked(array)
            values[name] = numbers.item() if numbers.size == 1 else numbers.tolist()
    return values


def _boundaries(file: h5py.File) -> dict[str, dict[str, Any]]:
    """The kind of each boundary, the axes across which it lies, and the fields that it is about."""
    if "boundary_conditions" not in names_in(file):
        return {}
    found = {}
    group = group_at(file, "boundary_conditions")
    check_members(group, "boundary_conditions")  # `opforge convert` copies them all
    for name in sorted(names_in(group)):
        path = f"boundary_conditions/{name}"
        attributes = plain_attributes(group_at(file, path))
        kind = attributes.get("bc_type")
        if not isinstance(kind, str):
            raise InputError(f"the attribute 'bc_type' of '/{path}' must name a kind of boundary, got {kind!r:.80}")
        found[name] = {"type": kind.lower(), "dims": _texts(attributes, "associated_dims", f"/{path}")}
        if "associated_fields" in attributes:
            found[name]["fields"] = _texts(attributes, "associated_fields", f"/{path}")
    return found


def _points(dims: Sequence[str], boundaries: dict[str, dict[str, Any]]) -> Points:
    """Where the points are, unless the user or the file says so."""
    periodic = {dim for each in boundaries.values() if each["type"] == "periodic" for dim in each["dims"]}
    return "periodic" if periodic >= set(dims) else "cells"
