"""PDEBench's files: arrays of all samples, a group for each sample, or a few long runs.

What the files hold was read off PDEBench's own programs (github.com/pdebench/PDEBench: ``data_gen_NLE/Data_Merge.py``,
``data_gen/gen_*.py``, ``data_gen/src/sim_*.py``, ``data_gen/src/data_io.py``, ``models/fno/utils.py``).

=====================================  ================================  =====================================  ========
files                                  variables and their axes          fields here                            points
=====================================  ================================  =====================================  ========
1-D advection, Burgers, reaction-      tensor (sample, time, x)          u                                      periodic
diffusion
Darcy flow                             nu (sample, x, y),                nu -> u                                cells
                                       tensor (sample, 1, x, y)
compressible flow in 1-D, 2-D, 3-D     density, pressure, Vx, Vy, Vz     by the same names                      cells
                                       (sample, time, x, y, z)
diffusion-sorption (1-D)               0000/data (time, x, 1)            u                                      cells
shallow water (2-D)                    0000/data (time, x, y, 1)         h                                      cells
diffusion-reaction (2-D)               0000/data (time, y, x, 2)         u, v: activator and inhibitor          cells
incompressible flow (2-D)              velocity (sample, time, x, y, 2)  velocity_x, velocity_y, particles; and  cells
                                       particles (sample, time, x, y,    force_x, force_y, which do not evolve
                                       1), force (sample, x, y, 2)
=====================================  ================================  =====================================  ========

Fields that evolve are inputs and outputs; nu and force are inputs. All coordinates are centres of cells. Whether a
compressible flow is periodic stands in the name of its file only: say ``points="periodic"`` where it is. In a file with
a group for each sample, ``provenance["config"]`` has those settings that the first and the last sample agree on; each
sample's own grid and times are compared with those of the first when it is first read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import h5py

from opforge.core import Grid
from opforge.core.grid import AXIS_NAMES, Points
from opforge.datasets.files.contents import array_at, attributes_of
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
    plain_value,
    sizes_of,
    times_of,
)
from opforge.datasets.reading.stored import Stored
from opforge.errors import InputError

_NAME = "PDEBench"
_VELOCITIES = ("Vx", "Vy", "Vz")

# Axes of space and channels of one sample's array -> its axes but the last, and the fields that the last one holds.
_GROUPED = {
    (1, 1): (("time", "x"), ("u",)),
    (2, 1): (("time", "x", "y"), ("h",)),
    (2, 2): (("time", "y", "x"), ("u", "v")),
}

_LONG_NAMES = {
    "nu": "diffusion coefficient",
    "h": "water depth",
    "Vx": "velocity along x",
    "Vy": "velocity along y",
    "Vz": "velocity along z",
    "velocity_x": "velocity along x",
    "velocity_y": "velocity along y",
    "particles": "density of particles",
    "force_x": "force along x",
    "force_y": "force along y",
}
_LABELS = {name: {"long_name": long_name, "units": "1"} for name, long_name in _LONG_NAMES.items()}

# The settings of a simulation are taken up where they are no longer than this.
_LONGEST_SETTING = 1000


def matches(file: h5py.File) -> bool:
    """Whether a file has one of the three layouts."""
    names = names_in(file)
    return _has_arrays(names) or _has_runs(names) or _has_groups(file, names)


def describe(file: h5py.File, asked: Asked) -> Described:
    """What a file of PDEBench holds; no field is read.

    Args:
        file: one that `matches`.
        asked: fields to take instead of the usual ones; ``points`` where the file's are other than the table says.

    Raises:
        InputError: variables that are missing or do not fit together, coordinates that are not those of a uniform grid.
    """
    names = names_in(file)
    if _has_arrays(names):
        contents = _arrays(file, names, asked.points)
    elif _has_runs(names):
        contents = _runs(file, asked.points)
    else:
        contents = _groups(file, names, asked.points)
    return contents.chosen(asked)


def _has_arrays(names: set[str]) -> bool:
    return "x-coordinate" in names and not names.isdisjoint(("tensor", "density"))


def _has_runs(names: set[str]) -> bool:
    return {"velocity", "particles", "t"} <= names


def _has_groups(file: h5py.File, names: set[str]) -> bool:
    if not names or not all(name.isdecimal() for name in names):
        return False
    try:
        return {"data", "grid"} <= names_in(group_at(file, min(names)))
    except InputError:
        return False


def _arrays(file: h5py.File, names: set[str], points: Points | None) -> Contents:
    """A file with an array for all samples of each field."""
    usual: Points = "cells"
    if "tensor" not in names:
        ndim = array_at(file, "density").ndim - 2
        axes = ("sample", "time", *AXIS_NAMES[: max(ndim, 1)])
        fields = {name: Stored((name,), axes) for name in ("density", "pressure", *_VELOCITIES[: max(ndim, 1)])}
        inputs = outputs = tuple(fields)
    elif "nu" in names:
        fields = {
            "nu": Stored(("nu",), ("sample", "x", "y")),
            "u": Stored(("tensor",), ("sample", 0, "x", "y")),
        }
        inputs, outputs = ("nu",), ("u",)
    else:
        fields, usual = {"u": Stored(("tensor",), ("sample", "time", "x"))}, "periodic"
        inputs = outputs = ("u",)
    sizes = _agreed(file, fields)
    space = [axis for axis in AXIS_NAMES if axis in sizes]
    grid = uniform_grid([coordinate(file, f"{axis}-coordinate", sizes[axis]) for axis in space], points or usual)
    times, labels = (), {}
    if "time" in sizes:
        count = sizes["time"]  # the programs write one time more than there are frames
        times, labels = times_of(coordinate(file, "t-coordinate", count, count + 1)[:count], "t-coordinate")
    provenance = {"format": _NAME, **plain_attributes(file)}
    return Contents(grid, sizes["sample"], fields, inputs, outputs, times, provenance, _LABELS | labels)


def _agreed(file: h5py.File, fields: Mapping[str, Stored]) -> dict[str, int]:
    """The sizes of all axes, the same for every field.

    Raises:
        InputError: an array that is missing or has other sizes than those before it.
    """
    sizes: dict[str, int] = {}
    components: dict[str, int] = {}
    for stored in fields.values():
        positions = (axis for axis in stored.axes if isinstance(axis, int))
        components[stored.paths[0]] = 1 + max(positions, default=0)  # fields of an array come in their order
    for stored in fields.values():
        path = stored.paths[0]
        array = array_at(file, path)
        sizes = sizes_of(path, array, stored.axes) | sizes
        check_sizes(path, array, stored.axes, sizes, components=components[path])
    return sizes


def _groups(file: h5py.File, names: set[str], points: Points | None) -> Contents:
    """A file with a group for each sample."""
    order = sorted(names, key=lambda name: (len(name), name))
    first = order[0]
    data = _sample(file, first)
    kind = (data.ndim - 2, data.shape[-1])
    if kind not in _GROUPED:
        raise InputError(
            f"variable '{first}/data' must have the axes (time, x, 1), (time, x, y, 1) or (time, y, x, 2), "
            f"got shape {data.shape}"
        )
    axes, fields = _GROUPED[kind]
    sizes = sizes_of(f"{first}/data", data, (*axes, 0))
    for name in order[1:]:
        _check_alike(f"{name}/data", _sample(file, name), f"{first}/data", data)
    places = tuple(f"{name}/data" for name in order)
    where = {name: Stored(places, (*axes, channel)) for channel, name in enumerate(fields)}
    space = [axis for axis in AXIS_NAMES if axis in sizes]
    grid = uniform_grid([coordinate(file, f"{first}/grid/{axis}", sizes[axis]) for axis in space], points or "cells")
    times, labels = times_of(coordinate(file, f"{first}/grid/t", sizes["time"]), f"{first}/grid/t")
    settings, last = (_settings(group_at(file, name)) for name in (first, order[-1]))
    common = {name: value for name, value in settings.items() if last.get(name) == value}
    provenance = {"format": _NAME, **plain_attributes(file), **({"config": common} if common else {})}
    coordinates = tuple(tuple(f"{name}/grid/{axis}" for name in order) for axis in (*space, "t"))
    return Contents(
        grid, len(order), where, fields, fields, times, provenance, _LABELS | labels, coordinates=coordinates
    )


def _sample(file: h5py.File, name: str) -> h5py.Dataset:
    try:
        return array_at(group_at(file, name), "data")
    except InputError as error:
        raise InputError(f"sample {name!r}: {error}") from error


def _check_alike(path: str, array: h5py.Dataset, first_path: str, first: h5py.Dataset) -> None:
    """Refuse a sample that is stored otherwise than the first, as which it would be read."""
    for what, here, there in (("shape", array.shape, first.shape), ("type", array.dtype, first.dtype)):
        if here != there:
            raise InputError(f"variable {path!r} must have the {what} {there} of {first_path!r}, got {here}")


def _settings(thing: Any) -> dict[str, Any]:
    """What the attribute ``config``, YAML text, says of the simulation: numbers and short texts, or lists of numbers.

    Raises:
        InputError: an attribute that is no such text.
    """
    import yaml

    attributes = attributes_of(thing)
    if "config" not in attributes:
        return {}
    text = plain_value(attributes["config"])
    if not isinstance(text, str):
        raise InputError(f"the attribute 'config' must be YAML text, got {type(attributes['config']).__name__}")
    try:
        config = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError("the attribute 'config' is not YAML text") from error
    if not isinstance(config, dict):
        raise InputError(f"the attribute 'config' must name the simulation's settings, got {text!r:.80}")
    settings = config["sim"] if isinstance(config.get("sim"), dict) else config
    return {str(name): value for name, value in settings.items() if _is_setting(value)}


def _is_setting(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= _LONGEST_SETTING and all(isinstance(item, int | float) for item in value)
    return isinstance(value, int | float) or (isinstance(value, str) and len(value) <= _LONGEST_SETTING)


def _runs(file: h5py.File, points: Points | None) -> Contents:
    """A file with a few long runs of an incompressible flow."""
    evolving = ("sample", "time", "x", "y")
    fields = {
        "velocity_x": Stored(("velocity",), (*evolving, 0)),
        "velocity_y": Stored(("velocity",), (*evolving, 1)),
        "particles": Stored(("particles",), (*evolving, 0)),
    }
    outputs = tuple(fields)
    if "force" in names_in(file):
        fields |= {f"force_{axis}": Stored(("force",), ("sample", "x", "y", i)) for i, axis in enumerate("xy")}
    sizes = _agreed(file, fields)
    settings = _settings(file)
    grid = _box(sizes, settings.get("domain_size", [1.0, 1.0]), points or "cells")
    array = array_at(file, "t")
    expected = (sizes["sample"], sizes["time"])
    if array.shape != expected:
        raise InputError(f"coordinate 't' must have the shape (samples, frames) = {expected}, got {array.shape}")
    times, labels = times_of(unpacked(array), "t")
    others = {name: value for name, value in plain_attributes(file).items() if name != "config"}
    provenance = {"format": _NAME, **others, **({"config": settings} if settings else {})}
    return Contents(grid, sizes["sample"], fields, tuple(fields), outputs, times, provenance, _LABELS | labels)


def _box(sizes: Mapping[str, int], lengths: Any, points: Points) -> Grid:
    """The grid of a file without coordinates.

    Raises:
        InputError: lengths that are no two positive numbers, an axis with less than two points.
    """
    shape = (sizes["x"], sizes["y"])
    if min(shape) < 2:
        raise InputError(f"every axis of space needs at least 2 points, got x={shape[0]}, y={shape[1]}")
    good = isinstance(lengths, list) and len(lengths) == 2 and all(0 < length < math.inf for length in lengths)
    if not good:
        raise InputError(f"'domain_size' in the attribute 'config' must be two lengths, got {lengths!r:.80}")
    return Grid(shape, tuple(map(float, lengths)), points)
