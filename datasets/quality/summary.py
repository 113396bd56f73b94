"""One pass over all samples: ranges, residuals, what failed, and whether the equation's promises hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import torch

from opforge.core import Moments
from opforge.datasets.files.layout import failed_sample, read_failures
from opforge.datasets.files.opening import open_hdf5
from opforge.datasets.files.seal import is_sealed
from opforge.datasets.generating.progress import progress_bar
from opforge.datasets.reading.dataset import OperatorDataset
from opforge.pdes import Equation, Invariant

if TYPE_CHECKING:
    import xarray

# Bytes of fields in double precision that are in memory at a time, unless one sample takes more.
_BLOCK_BYTES = 2**25

# How far rounding the fields to the type in which they are stored may move a violation, which is relative to their
# size, in units of that type's precision: half a unit for what is linear in them, one for squares, and as much again.
_ROUNDING = 2


@dataclass(frozen=True)
class Range:
    """The values of a field or a drawn parameter.

    Args:
        dtype: the type that is stored.
        min, mean, max, std: over all samples, frames and points.
        lowest, highest: the samples that have the least and the greatest value.
    """

    dtype: str
    min: float
    mean: float
    max: float
    std: float
    lowest: int
    highest: int


@dataclass(frozen=True)
class Residual:
    """Relative residuals that the solver left: mean, maximum, and the sample that has it."""

    mean: float
    max: float
    sample: int


@dataclass(frozen=True)
class Promise:
    """How well the samples, as they are stored, keep to an invariant of their equation.

    Args:
        name: of the invariant.
        statement: what holds.
        violation: the largest, relative to the fields' size.
        sample: the one that has it.
        tolerance: the invariant's own, widened by the rounding of the stored type.
    """

    name: str
    statement: str
    violation: float
    sample: int
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether no sample violates it by more than the tolerance."""
        return self.violation <= self.tolerance


@dataclass(frozen=True)
class Summary:
    """What one pass over a dataset shows. Samples have the numbers that `numbers` gives them.

    Args:
        samples: how many there are; where all of them failed, nothing is known of their values.
        failed: how many more failed when they were generated.
        reasons: why, for as many of these as their file has room for; with their number and their seed.
        ranges: of every field.
        checked: whether every sample was compared with its checksum, and agrees.
        as_written: whether all the rest of the files, attributes and coordinates among it, is as opforge wrote it, by
            their seals; False where another program changed or saved them; None for files of other layouts.
        residual: None where the file has none.
        promises: one for every invariant of the equation; none where there is no equation.
        drawn: of every parameter of which each sample has a number of its own.
    """

    samples: int
    failed: int
    reasons: tuple[str, ...]
    ranges: Mapping[str, Range]
    checked: bool
    residual: Residual | None
    promises: tuple[Promise, ...]
    drawn: Mapping[str, Range] = field(default_factory=dict)
    as_written: bool | None = None


def summarise(dataset: OperatorDataset, paths: Sequence[Path] = (), *, progress: bool = False) -> Summary:
    """Read all samples once, a few at a time.

    Args:
        dataset: of any origin, with or without time.
        paths: its files, which say why samples failed; the one of ``dataset.path`` unless given.
        progress: whether to show a bar on stderr.

    Raises:
        InputError: values that are not finite, samples that do not agree with their checksums.

    Example:
        >>> import opforge
        >>> summary = summarise(opforge.generate("darcy", 4, 16))
        >>> summary.samples, summary.failed, summary.ranges["a"].min, summary.ranges["a"].max
        (4, 0, 3.0, 12.0)
    """
    spans = {name: _Span() for name in dataset.fields}
    invariants, drawn = _invariants(dataset), dataset.drawn if dataset.samples else {}
    worst = [_Worst() for _ in invariants]
    with progress_bar("reading" if progress else None, dataset.samples, 0) as advance:
        for start, fields in dataset.pieces(_BLOCK_BYTES):
            exact = {name: values.astype(np.float64) for name, values in fields.items()}
            for name, values in fields.items():
                spans[name].take(start, exact[name], str(values.dtype))
            count = len(next(iter(fields.values())))
            exact |= {name: values[start : start + count] for name, values in drawn.items()}
            if dataset.times is not None:
                exact["time"] = dataset.times
            for each, invariant in zip(worst, invariants, strict=True):
                each.take(start, np.asarray(invariant.violation(dataset.equation, exact, dataset.grid)))
            advance(count)
    number = numbers(dataset)
    ranges = {name: span.range(number) for name, span in spans.items()} if dataset.samples else {}
    tolerances = [invariant.tolerance + _rounding(ranges) for invariant in invariants]
    paths = paths or ([] if dataset.path is None else [dataset.path])
    content = dataset.to_xarray()
    reasons, as_written = _beside_the_samples(paths)
    return Summary(
        samples=dataset.samples,
        failed=dataset.header.samples - dataset.samples,
        reasons=reasons,
        checked=bool(paths) and dataset.samples > 0 and _summed(content, dataset),
        as_written=as_written,
        ranges=ranges,
        residual=_residual(content, number),
        promises=tuple(
            Promise(invariant.name, invariant.statement, each.value, int(number[each.sample]), tolerance)
            for invariant, each, tolerance in zip(invariants, worst, tolerances, strict=True)
        ),
        drawn={name: _range(values, number) for name, values in drawn.items()},
    )


def numbers(dataset: OperatorDataset) -> np.ndarray:
    """The numbers of a dataset's samples, (samples,): sample i is the one that (seed, i) makes, whatever failed before.

    In a file that opforge did not generate, the place in the file.

    Example:
        >>> import opforge
        >>> numbers(opforge.generate("darcy", 4, 16).subset([3, 1])).tolist()
        [3, 1]
    """
    return dataset.header.first + dataset.indices


def _beside_the_samples(paths: Sequence[Path]) -> tuple[tuple[str, ...], bool | None]:
    """Why samples failed, by what the files of a dataset say, and whether opforge's own are as they were written."""
    reasons: list[str] = []
    sealed: list[bool] = []
    for path in paths:
        if not h5py.is_hdf5(path):  # a MATLAB file of version 5
            continue
        with open_hdf5(path) as file:
            reasons += read_failures(file)
            if "grid" in file.attrs:
                sealed.append(is_sealed(path))
    return tuple(sorted(reasons, key=failed_sample)), all(sealed) if sealed else None


class _Span:
    """The range, mean and deviation of a field, and which samples have its extremes."""

    def __init__(self) -> None:
        self._dtype = ""
        self._moments = Moments(1)
        self._low, self._high = (np.inf, 0), (-np.inf, 0)

    def take(self, start: int, values: np.ndarray, dtype: str) -> None:
        """Take in samples (count, …), of which the first has the number ``start``."""
        self._dtype = dtype
        flat = values.reshape(len(values), 1, -1)
        self._moments.add(torch.from_numpy(flat))
        lows, highs = flat.min(axis=(1, 2)), flat.max(axis=(1, 2))
        if lows.min() < self._low[0]:
            self._low = float(lows.min()), start + int(lows.argmin())
        if highs.max() > self._high[0]:
            self._high = float(highs.max()), start + int(highs.argmax())

    def range(self, number: np.ndarray) -> Range:
        (low, lowest), (high, highest) = self._low, self._high
        mean, std = float(self._moments.mean), float(self._moments.std)
        return Range(self._dtype, low, mean, high, std, int(number[lowest]), int(number[highest]))


def _range(values: np.ndarray, number: np.ndarray) -> Range:
    """Of one value for each sample."""
    span = _Span()
    span.take(0, values, str(values.dtype))
    return span.range(number)


class _Worst:
    """The largest violation of samples that come in blocks, and whose it is; NaN is the largest of all."""

    def __init__(self) -> None:
        self.value, self.sample = -np.inf, 0

    def take(self, start: int, violations: np.ndarray) -> None:
        index = int(np.argmax(violations))  # the first NaN, if there is one
        if not violations[index] <= self.value and not np.isnan(self.value):
            self.value, self.sample = float(violations[index]), start + index


def _invariants(dataset: OperatorDataset) -> tuple[Invariant, ...]:
    equation: Equation | None = dataset.equation
    # what holds for all points of a sample (a sum, say) does not for every second one
    thinned = dataset.grid != dataset.header.grid
    if equation is None or thinned or not dataset.samples:
        return ()
    # what evolves is known by its unknowns, other fields follow from them
    needed = equation.unknowns if equation.evolves else [each.name for each in equation.fields]
    return equation.invariants if set(needed) <= set(dataset.fields) else ()


def _rounding(ranges: Mapping[str, Range]) -> float:
    return _ROUNDING * max(float(np.finfo(found.dtype).eps) for found in ranges.values())


def _summed(content: xarray.Dataset, dataset: OperatorDataset) -> bool:
    """Whether reading compares the samples with checksums: where all fields that go into them are read."""
    summed = f"{content.attrs.get('inputs', '')} {content.attrs.get('outputs', '')}".split()
    return "checksum" in content and set(summed) <= set(dataset.fields)


def _residual(content: xarray.Dataset, number: np.ndarray) -> Residual | None:
    if "solver_residual" not in content or content["solver_residual"].dims != ("sample",) or not number.size:
        return None
    values = content["solver_residual"].values
    return Residual(float(values.mean()), float(values.max()), int(number[values.argmax()]))
