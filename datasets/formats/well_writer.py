"""Writing a dataset as a file of The Well, with the statistics that its loader normalises by.

The layout is described in `opforge.datasets.formats.the_well`; the statistics are those of The Well's
``scripts/compute_statistics.py``: over all samples, frames and points of each field, for vectors and tensors by
component, and the same for the differences of neighbouring frames.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import torch

from opforge.core import Moments
from opforge.datasets.files.contents import array_at
from opforge.datasets.files.disk import Disk
from opforge.datasets.files.opening import opened_hdf5
from opforge.datasets.files.outputs import check_output
from opforge.datasets.files.whole import written_whole
from opforge.datasets.formats.parts import group_at, names_in, plain_attributes
from opforge.datasets.formats.the_well import COMPONENTS, FIELDS
from opforge.datasets.generating.progress import progress_bar
from opforge.errors import InputError, make_room, no_room

if TYPE_CHECKING:
    from opforge.datasets.reading.dataset import OperatorDataset

# Endings of the files that The Well's loader looks for.
_ENDINGS = (".h5", ".hdf5")

# The Well keeps single precision.
_KIND = np.dtype(np.float32)

# Bytes of samples, in double precision, that are in memory at once, unless one sample is more.
_AT_ONCE = 2**26

# Besides the numbers: HDF5's own structures and the attributes.
_OVERHEAD = 2**16


# What a dataset says of itself that stands elsewhere in the file.
_SAID_ELSEWHERE = (
    *("Conventions", "grid", "first_sample", "total_samples"),
    *("format", "spatial_dims", "scalars", "boundary_conditions", "simulation_parameters"),
)

# The Well's kinds of boundaries along x and along the other axes, by the equations' names; others are walls.
_ENDS_OF = {
    "periodic": ("periodic", "periodic"),
    "outflow": ("open", "open"),
    "absorbing layer": ("open", "open"),
    "channel": ("periodic", "wall"),
    "stream": ("open", "wall"),
}


@dataclass(frozen=True)
class _Field:
    """A field of The Well: a scalar, or the components that make a vector or a tensor.

    Args:
        name: in The Well.
        components: the scalar fields, in the order of the last axes.
        order: 0 for a scalar, 1 for a vector, 2 for a tensor.
        evolves: whether it changes with time.
    """

    name: str
    components: tuple[str, ...]
    order: int
    evolves: bool

    @property
    def components_shape(self) -> tuple[int, ...]:
        """Shape of the value at a point: () of a scalar, (D,) of a vector, (D, D) of a tensor."""
        return (round(len(self.components) ** (1 / max(1, self.order))),) * self.order


def write_the_well(
    dataset: OperatorDataset, path: Path, *, stats: Path | None = None, overwrite: bool = False, progress: bool = False
) -> None:
    """Write a dataset as a file of The Well, in single precision, and its statistics as YAML.

    Both files are whole or not there at all. Fields ``name_x``, ``name_y``, ... that make all components of a vector
    become one, likewise tensors, and the velocities of an equation, unless they stand on the faces of cells; an
    attribute ``components`` keeps their names. What does not evolve is constant in time there; if nothing evolves,
    there is one time, 0, and The Well's loader wants ``n_steps_output=0``. Boundaries are periodic, open or walls, as
    the equation's are; without one a periodic grid gets periodic boundaries, any other walls.
    Parameters that were drawn for each sample are scalars that vary from sample to sample.
    Of a dataset that comes from one file of The Well, all scalars and, on the same grid, the boundary conditions with
    their masks are kept as they are.

    Args:
        dataset: what to write.
        path: the file; its name ends in .h5 or .hdf5.
        stats: the file of statistics; ``stats.yaml`` beside ``path`` unless given.
        overwrite: whether files that exist may be replaced.
        progress: whether to show a bar with the time left on stderr.

    Raises:
        InputError: a name that the loader would not find, files that exist, a disk that is too full, values that are
            not finite in single precision.

    Example:
        >>> import tempfile, opforge
        >>> folder = tempfile.TemporaryDirectory()
        >>> data = opforge.generate("darcy", 3, 16)
        >>> write_the_well(data, Path(folder.name, "darcy.hdf5"))
        >>> opforge.open_dataset(Path(folder.name, "darcy.hdf5")).outputs
        ('u',)
    """
    stats = path.with_name("stats.yaml") if stats is None else stats
    if path.suffix not in _ENDINGS:
        raise InputError(f"the name of a file of The Well must end in {' or '.join(_ENDINGS)}, got {path.name!r}")
    if stats == path:
        raise InputError(f"stats must be another file than the dataset's, got {path} for both")
    for each in (path, stats):
        check_output(each, overwrite=overwrite)
    fields = _fields(dataset)
    times = np.zeros(1) if dataset.times is None else dataset.times
    _check_space(path, dataset, fields, len(times))
    title = f"writing {path.name}" if progress else None
    try:
        with written_whole(path) as partial, written_whole(stats) as partial_stats:  # the dataset appears last
            with open(partial, "x+b", buffering=0) as raw:
                disk = Disk(raw)
                with h5py.File(disk, "w") as file:
                    _describe(file, dataset, times)
                    arrays = _lay_out(file, dataset, fields, len(times))
                    moments = _fill(arrays, dataset, fields, disk, title)
                disk.check()
            partial_stats.write_text(_yaml(fields, moments), encoding="utf-8")
    except OSError as error:
        if not no_room(error):
            raise
        raise InputError(
            f"writing {error.filename} failed: {error.strerror}; {make_room(error)} or write elsewhere"
        ) from error


def _fields(dataset: OperatorDataset) -> list[_Field]:
    """The dataset's fields, components put together."""
    left = {name: name in dataset.evolving for name in dataset.fields}
    found = []
    velocity = _velocity(dataset)
    if velocity and "velocity" not in left and len({left[name] for name in velocity}) == 1:
        found.append(_Field("velocity", velocity, 1, left[velocity[0]]))
        left = {name: evolves for name, evolves in left.items() if name not in velocity}
    for order in (2, 1):
        ends = ["".join(component) for component in product(_dims(dataset), repeat=order)]
        for name in dataset.fields:
            base = name.removesuffix(f"_{ends[0]}")
            components = tuple(f"{base}_{end}" for end in ends)
            if base != name and base not in left and all(left.get(each) == left.get(name) for each in components):
                if name in left:
                    found.append(_Field(base, components, order, left[name]))
                left = {each: evolves for each, evolves in left.items() if each not in components}
    return [*(_Field(name, (name,), 0, evolves) for name, evolves in left.items()), *found]


def _velocity(dataset: OperatorDataset) -> tuple[str, ...]:
    """The fields that the equation says are the velocity along each axis; none where they stand at other points."""
    along = {str(dataset.header.describe(name).get("long_name")): name for name in dataset.fields}
    wanted = [f"velocity along {axis}" for axis in dataset.grid.axis_names]
    return tuple(along[each] for each in wanted) if dataset.ndim > 1 and set(wanted) <= along.keys() else ()


def _check_space(path: Path, dataset: OperatorDataset, fields: Sequence[_Field], frames: int) -> None:
    numbers = sum(len(each.components) * (frames if each.evolves else 1) for each in fields) * dataset.grid.size
    needed = dataset.samples * numbers * _KIND.itemsize + _OVERHEAD
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise InputError(
            f"{path} needs {needed / 1e6:.1f} MB and the disk has {free / 1e6:.1f} MB free; "
            "free some space or choose another folder"
        )


def _dims(dataset: OperatorDataset) -> tuple[str, ...]:
    """The names of the axes of space: those of the file of The Well that the dataset is from, or x, y, z."""
    axes = dataset.grid.axis_names
    said = dataset.provenance.get("spatial_dims")
    return tuple(said) if isinstance(said, list) and len(said) == len(axes) and set(said) != set(axes) else axes


def _describe(file: h5py.File, dataset: OperatorDataset, times: np.ndarray) -> None:
    """Everything but the fields."""
    grid, dims, parameters = dataset.grid, _dims(dataset), _parameters(dataset)
    said = dataset.header.to_attributes()
    attributes: dict[str, Any] = {name: value for name, value in said.items() if name not in _SAID_ELSEWHERE}
    attributes["dataset_name"] = str(said.get("dataset_name", said.get("recipe", "opforge")))
    attributes["grid_type"] = said.get("grid_type", "cartesian")
    attributes |= {"points": grid.points, "lengths": grid.lengths, "origin": grid.origin, **parameters}
    attributes |= {"n_spatial_dims": grid.ndim, "n_trajectories": dataset.samples}
    for name, value in attributes.items():
        file.attrs[name] = value
    file.attrs["simulation_parameters"] = _names({**dict.fromkeys(_said_parameters(dataset)), **parameters})
    dimensions = file.create_group("dimensions")
    dimensions.attrs["spatial_dims"] = _names(dims)
    _put(dimensions, "time", times, time=True)
    for dim, values in zip(dims, grid.coordinates(), strict=True):
        _put(dimensions, dim, values)
    scalars = file.create_group("scalars")
    for name, value in parameters.items():
        _put(scalars, name, np.asarray(value))
    for name, values in dataset.drawn.items():
        _put(scalars, name, values, sample=True)
        scalars[name].attrs.update(dataset.header.describe(name))
    if _is_of_the_well(dataset):
        assert dataset.path is not None
        with opened_hdf5(dataset.path) as source:
            _copy_scalars(source, scalars, dataset)
            if dataset.grid == dataset.header.grid and "boundary_conditions" in names_in(source):
                source.copy(group_at(source, "boundary_conditions"), file, expand_soft=True)
    scalars.attrs["field_names"] = _names(scalars)
    if "boundary_conditions" not in file:
        _put_boundaries(file, dataset, dims)


def _is_of_the_well(dataset: OperatorDataset) -> bool:
    return dataset.path is not None and dataset.provenance.get("format") == "The Well"


def _copy_scalars(source: h5py.File, scalars: h5py.Group, dataset: OperatorDataset) -> None:
    """The scalars of a file of The Well, of the samples and frames that the dataset has of it."""
    if "scalars" not in names_in(source):
        return
    for name in names_in(group_at(source, "scalars")):
        array = array_at(source, f"scalars/{name}")
        said, values = plain_attributes(array), np.asarray(array[...])
        if said.get("sample_varying"):
            values = values[dataset.indices]
        if said.get("time_varying") and dataset.times is not None:
            frames = [dataset.header.times.index(time) for time in dataset.times]
            values = values[:, frames] if said.get("sample_varying") else values[frames]
        scalars.pop(name, None)
        scalars[name] = values
        for key, value in said.items():
            scalars[name].attrs[key] = value


def _put_boundaries(file: h5py.File, dataset: OperatorDataset, dims: Sequence[str]) -> None:
    grid = dataset.grid
    group = file.create_group("boundary_conditions")
    for dim, n, kind in zip(dims, grid.shape, _boundaries(dataset, dims), strict=True):
        boundary = group.create_group(f"{dim}_{kind}")
        _varying(boundary, sample=False, time=False)
        boundary.attrs["bc_type"] = kind.upper()
        boundary.attrs["associated_dims"] = _names([dim])
        boundary.attrs["associated_fields"] = _names([])
        boundary["mask"] = np.isin(np.arange(n), (0, n - 1))


def _said_parameters(dataset: OperatorDataset) -> list[str]:
    """The names of parameters that a file of The Well has as attributes."""
    said = dataset.provenance.get("simulation_parameters")
    return [name for name in said if isinstance(name, str)] if isinstance(said, list) else []


def _parameters(dataset: OperatorDataset) -> dict[str, float]:
    """The numbers that are the same for all samples: those in the equation, the scalars of a file of The Well."""
    known = dataset.equation.parameters() if dataset.equation else {}
    scalars = dataset.provenance.get("scalars")
    known |= scalars if isinstance(scalars, dict) else {}
    others = ("ndim", *dataset.header.drawn)  # the equation's own value is none where each sample has another
    return {
        name: float(value) for name, value in known.items() if isinstance(value, int | float) and name not in others
    }


def _boundaries(dataset: OperatorDataset, dims: Sequence[str]) -> list[str]:
    """The kind of boundary that each axis ends at."""
    equation = dataset.equation
    boundary = dataset.grid.points if equation is None else str(equation.boundary)
    along_x, others = _ENDS_OF.get(boundary, ("wall", "wall"))
    said = dataset.provenance.get("boundary_conditions")
    known = {each["dims"][0]: each["type"] for each in said.values() if len(each["dims"]) == 1} if said else {}
    return [known.get(dim, others if number else along_x) for number, dim in enumerate(dims)]


def _lay_out(
    file: h5py.File, dataset: OperatorDataset, fields: Sequence[_Field], frames: int
) -> dict[str, h5py.Dataset]:
    """Room for the fields, by their names."""
    for order, group in enumerate(FIELDS):
        file.create_group(group).attrs["field_names"] = _names(each.name for each in fields if each.order == order)
    arrays = {}
    for each in fields:
        shape = (dataset.samples, *(frames,) * each.evolves, *dataset.grid.shape, *each.components_shape)
        array = file.create_dataset(f"{FIELDS[each.order]}/{each.name}", shape, _KIND)
        _varying(array, sample=True, time=each.evolves)
        array.attrs["dim_varying"] = np.ones(dataset.ndim, bool)
        if each.components != tuple(f"{each.name}_{dim}" for dim in _dims(dataset)) and each.order == 1:
            array.attrs[COMPONENTS] = _names(each.components)
        if each.order == 2:
            array.attrs["symmetric"] = array.attrs["antisymmetric"] = False
        arrays[each.name] = array
    return arrays


def _put(group: h5py.Group, name: str, values: np.ndarray, *, sample: bool = False, time: bool = False) -> None:
    group[name] = values.astype(_KIND)
    _varying(group[name], sample=sample, time=time)


def _varying(thing: Any, *, sample: bool, time: bool) -> None:
    thing.attrs["sample_varying"], thing.attrs["time_varying"] = sample, time


def _names(names: Any) -> np.ndarray:
    """Names as The Well keeps them in an attribute: an array of texts of variable length."""
    return np.array(list(names), dtype=h5py.string_dtype())


def _fill(
    arrays: Mapping[str, h5py.Dataset],
    dataset: OperatorDataset,
    fields: Sequence[_Field],
    disk: Disk,
    title: str | None,
) -> dict[str, dict[str, Moments]]:
    """Write the values, as many samples at once as fit in memory.

    Returns:
        The moments of every field's components and, under ``"_delta"``, of the differences of neighbouring frames.
    """
    moments = {end: {each.name: Moments(len(each.components)) for each in fields} for end in ("", "_delta")}
    with progress_bar(title, dataset.samples, 0) as advance:
        for start, values in dataset.pieces(_AT_ONCE):
            count = len(values[dataset.fields[0]])
            for each in fields:
                block = np.stack([values[name] for name in each.components], axis=-1).astype(_KIND)
                _check_finite(block, each.name, start)
                arrays[each.name][start : start + count] = block.reshape(-1, *arrays[each.name].shape[1:])
                moments[""][each.name].add(_rows(block))
                if each.evolves:
                    moments["_delta"][each.name].add(_rows(np.diff(block.astype(np.float64), axis=1)))
            disk.check()
            advance(count)
    return moments


def _rows(block: np.ndarray) -> torch.Tensor:
    """Numbers (..., components) as (numbers, components)."""
    return torch.from_numpy(block.reshape(-1, block.shape[-1]))


def _check_finite(block: np.ndarray, name: str, start: int) -> None:
    finite = np.isfinite(block.reshape(len(block), -1)).all(axis=1)
    if not finite.all():
        raise InputError(
            f"variable {name!r} has a value that is not finite in single precision in sample "
            f"{start + int(np.argmin(finite))}; leave the sample out"
        )


def _yaml(fields: Sequence[_Field], moments: Mapping[str, Mapping[str, Moments]]) -> str:
    """The statistics as The Well's loader reads them: mean, std, rms and mean_delta, std_delta, rms_delta by field."""
    import yaml

    found: dict[str, dict[str, Any]] = {f"{kind}{end}": {} for end in moments for kind in ("mean", "std", "rms")}
    for end, by_name in moments.items():
        for each in fields:
            if end and not each.evolves:
                continue
            known = by_name[each.name]
            rms = (known.mean.square() + known.std.square()).sqrt()
            for kind, values in (("mean", known.mean), ("std", known.std), ("rms", rms)):
                found[f"{kind}{end}"][each.name] = values.reshape(each.components_shape).tolist()
    return yaml.safe_dump(found)
