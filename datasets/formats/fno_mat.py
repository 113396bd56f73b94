"""The ``.mat`` files of the FNO benchmarks, which hold plain arrays, as MATLAB 5 and MATLAB 7.3 write them.

What the files hold was read off the programs that made and read them (github.com/neuraloperator/neuraloperator,
``data_generation/`` and ``MatReader``):

=======================  =============================================  =========  ========  =======================
files                    variables and their axes                       default    points    box
=======================  =============================================  =========  ========  =======================
burgers_data_R10         a, u (sample, x)                               a -> u     periodic  (0, 1)
piececonst_r421_…        coeff, sol (sample, x, y), also Kcoeff, …      coeff ->   nodes     (0, 1)², ends included
                                                                        sol
NavierStokes_V1e-5_…,    u (sample, x, y, time): vorticity; often a     u -> u     periodic  (0, 1)²
ns_V1e-3_…, ns_V1e-4_…   (sample, x, y): u at time 0, and t: the times
=======================  =============================================  =========  ========  =======================

Other variables that have the axes of one of these (a_smooth, Kcoeff_x, …) are there for ``inputs=`` and ``outputs=``.
Where t is missing, the frames of u are taken to be one unit of time apart, the first at time 1, as the files' names
say. Files of MATLAB 7.3 are HDF5, in which the axes stand in reverse.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.datasets.files.contents import array_at
from opforge.datasets.files.header import Header
from opforge.datasets.files.opening import DAMAGE
from opforge.datasets.files.packing import unpacked
from opforge.datasets.files.probe import examine
from opforge.datasets.formats.described import Asked, Described
from opforge.datasets.formats.parts import Contents, is_within, names_in, times_of
from opforge.datasets.reading.reach import Reach
from opforge.datasets.reading.source import Frames, Source
from opforge.datasets.reading.stored import Stored
from opforge.datasets.reading.values import check_finite, picked
from opforge.errors import InputError

if TYPE_CHECKING:
    import xarray

Shapes = Mapping[str, tuple[int, ...]]

# MATLAB's names of types that stand for real numbers.
_NUMBERS = {
    "double": np.float64,
    "single": np.float32,
    **{f"{sign}int{bits}": np.float64 for sign in ("", "u") for bits in (8, 16, 32, 64)},
}

# Bytes at the start of a MATLAB file: 116 of text, then what tells its version and the order of bytes.
_HEAD = 128
_VERSION_5 = (b"\x00\x01IM", b"\x01\x00MI")

_LABELS = {
    "coeff": {"long_name": "diffusion coefficient", "units": "1"},
    "sol": {"long_name": "solution", "units": "1"},
}


def matches(file: h5py.File) -> bool:
    """Whether an HDF5 file was written by MATLAB 7.3."""
    if file.userblock_size < _HEAD:
        return False
    with open(file.filename, "rb") as plain:
        return plain.read(_HEAD).startswith(b"MATLAB 7.3 MAT-file")


def describe(file: h5py.File, asked: Asked) -> Described:
    """What a file of MATLAB 7.3 holds; no field is read.

    Args:
        file: one that `matches`.
        asked: fields to take instead of the usual ones, ``points`` where they are other than the table says.

    Raises:
        InputError: variables that are none of the benchmarks', or that do not fit together.
    """
    arrays = {name: array_at(file, name) for name in sorted(names_in(file)) if _is_array(file, name)}
    shapes = {name: array.shape[::-1] for name, array in arrays.items()}
    times = unpacked(arrays["t"]) if "t" in arrays and arrays["t"].size == max(arrays["t"].shape) else None
    return _contents(shapes, times, asked.points, backwards=True).chosen(asked)


def _is_array(file: h5py.File, name: str) -> bool:
    """Whether a variable of a file of MATLAB 7.3 is an array of real numbers; others are passed over."""
    if name.startswith("#") or not is_within(file, name):
        return False
    variable = file[name]
    if not isinstance(variable, h5py.Dataset) or "MATLAB_empty" in variable.attrs:
        return False
    kind = variable.attrs.get("MATLAB_class", b"double")
    kind = kind.decode(errors="replace") if isinstance(kind, bytes) else str(kind)
    return kind in _NUMBERS and variable.dtype.kind in "fiu"


def _contents(shapes: Shapes, times: np.ndarray | None, points: Points | None, *, backwards: bool = False) -> Contents:
    """What a benchmark's file holds.

    Args:
        shapes: of the arrays in it, as MATLAB sees them.
        times: what ``t`` says, if it is there.
        points: where the points of the grid are, if the user says so.
        backwards: whether the axes are in reverse in the file.

    Raises:
        InputError: variables that are none of the benchmarks', sizes that do not agree.
    """
    axes, inputs, outputs, usual = _benchmark(shapes)
    whole = next(name for name in (*outputs, *inputs) if len(shapes[name]) == len(axes))
    sizes = dict(zip(axes, shapes[whole], strict=True))
    space = tuple(axis for axis in axes if axis in ("x", "y"))
    shape = tuple(sizes[axis] for axis in space)
    if min(shape) < 2:
        raise InputError(f"every axis of space needs at least 2 points, variable {whole!r} has shape {shapes[whole]}")
    frames, labels = _times(times, sizes["time"]) if "time" in axes else ((), {})
    fields = {}
    for name, found in shapes.items():
        for candidate in (axes, ("sample", *space)):
            if found == tuple(sizes[axis] for axis in candidate):
                fields[name] = Stored((name,), candidate[::-1] if backwards else candidate)
                break
    for name in dict.fromkeys((*inputs, *outputs)):
        if name not in fields:
            expected = ", ".join(f"{axis}={sizes[axis]}" for axis in ("sample", *space))
            raise InputError(f"variable {name!r} must have the axes {expected} of {whole!r}, got shape {shapes[name]}")
    grid = Grid(shape, points=points or usual)
    provenance = {"format": "FNO (MATLAB)"}
    return Contents(grid, sizes["sample"], fields, inputs, outputs, frames, provenance, _LABELS | labels)


def _benchmark(shapes: Shapes) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], Points]:
    """Axes, inputs, outputs and points of the benchmark whose variables these are."""
    ndim = {name: len(shape) for name, shape in shapes.items()}
    if ndim.get("u") == 4:
        return ("sample", "x", "y", "time"), ("u",), ("u",), "periodic"
    if ndim.get("coeff") == 3 and "sol" in ndim:
        return ("sample", "x", "y"), ("coeff",), ("sol",), "nodes"
    if ndim.get("u") == 2 and "a" in ndim:
        return ("sample", "x"), ("a",), ("u",), "periodic"
    found = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "none"
    raise InputError(
        "the variables must be those of an FNO benchmark: a, u (sample, x); coeff, sol (sample, x, y); or "
        f"u (sample, x, y, time); the file has the arrays {found[:300]}"
    )


def _times(values: np.ndarray | None, frames: int) -> tuple[tuple[float, ...], dict[str, dict[str, str]]]:
    if values is None:
        return times_of(np.arange(1.0, frames + 1), "u")
    if values.size != frames:
        raise InputError(f"variable 't' must have one time for each of the {frames} frames of 'u', got {values.size}")
    return times_of(values.ravel(), "t")


def matches_v5(path: Path) -> bool:
    """Whether a file is one of MATLAB 5 (also 6 and 7), which is no HDF5."""
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError:  # it may not be read; who opens it next says so
        return False
    return head.startswith(b"MATLAB") and head[-4:] in _VERSION_5


def open_v5(path: Path, asked: Asked) -> tuple[Header, Source]:
    """What a file of MATLAB 5 holds, and where to read it; only the times are read.

    Args:
        path: a file that `matches_v5`.
        asked: see `describe`.

    Raises:
        InputError: see `describe`; a file that is damaged.
    """
    from scipy.io import whosmat

    examine(path)
    with _explained(path):
        variables = whosmat(str(path), appendmat=False)
    kinds = {name: np.dtype(_NUMBERS[kind]) for name, _, kind in variables if kind in _NUMBERS}
    shapes = {name: tuple(map(int, shape)) for name, shape, _ in variables if name in kinds}
    times = load_v5(path, "t") if "t" in shapes and np.prod(shapes["t"]) == max(shapes["t"]) else None
    try:
        found = _contents(shapes, times, asked.points).chosen(asked)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return found.header, MatSource(path, found.header, found.fields, kinds)


def load_v5(path: Path, name: str) -> np.ndarray:
    """An array of a file of MATLAB 5.

    Raises:
        InputError: complex numbers, a file that is damaged.
    """
    from scipy.io import loadmat

    with _explained(path):
        values = loadmat(str(path), variable_names=[name], appendmat=False)[name]
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub":
        raise InputError(f"{path}: variable {name!r} must hold real numbers, got {getattr(values, 'dtype', 'none')}")
    return values


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever scipy raises over a damaged file into one line."""
    from scipy.io.matlab import MatReadError

    try:
        yield
    except (*DAMAGE, MatReadError, zlib.error) as error:
        raise InputError(f"{path} is damaged: its variables cannot be read; copy it again") from error


class MatSource(Source):
    """Samples in a file of MATLAB 5, whose arrays can only be read whole: each is when it is first asked for.

    Args:
        path: the file.
        header: what it holds.
        fields: where in the file each field is.
        kinds: types of the numbers that MATLAB sees in them.
    """

    def __init__(self, path: Path, header: Header, fields: Mapping[str, Stored], kinds: Mapping[str, np.dtype]):
        self.path: Path = path
        self.place = str(path)
        self._header = header
        self._fields = dict(fields)
        self._kinds = {name: kinds[stored.paths[0]] for name, stored in fields.items()}
        self._forget()

    def _forget(self) -> None:
        self._kept: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("path", "place", "_header", "_fields", "_kinds")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def read(self, samples: np.ndarray, frames: Frames, reach: Reach | None = None) -> dict[str, np.ndarray]:
        return {name: self._picked(name, samples, which) for name, which in frames.items()}

    def _picked(self, name: str, samples: np.ndarray, frames: np.ndarray | None) -> np.ndarray:
        values = picked(self._whole(name), samples, frames)
        check_finite(values, name, samples, where=str(self.path), remedy="leave the sample out")
        return values

    def _whole(self, name: str) -> np.ndarray:
        """A field as (samples, [frames], *space)."""
        with self._lock:
            if name not in self._kept:
                stored = self._fields[name]
                values = load_v5(self.path, stored.paths[0]).transpose(stored.order(self._header.grid.axis_names))
                expected = (self._header.samples, *self._header.shape(name))
                if values.shape != expected:
                    raise InputError(
                        f"{self.path} is damaged: variable {name!r} should have the shape {expected} and has "
                        f"{values.shape}; copy it again"
                    )
                self._kept[name] = np.ascontiguousarray(values, self._kinds[name])  # MATLAB's have the samples last
            return self._kept[name]

    def to_xarray(self, header: Header) -> xarray.Dataset:
        from opforge.datasets.reading.lazy import lazy_dataset

        return lazy_dataset(header, self, {name: self._kinds[name] for name in header.names})
