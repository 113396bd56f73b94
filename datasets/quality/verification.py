"""The error of the data themselves: samples of a file made again, then with half the step and on finer grids."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from opforge import __version__
from opforge.core import Grid
from opforge.datasets.generating.arguments import checked_workers
from opforge.datasets.generating.parallel import run
from opforge.datasets.quality.spectra import spread
from opforge.datasets.quality.summary import numbers
from opforge.datasets.reading.dataset import OperatorDataset
from opforge.datasets.recipe import Recipe, Sample, make_recipe
from opforge.errors import InputError, WorkError

SAMPLES = 3

# The grid is refined a second time, for the order, where a sample has at most so many points and frames then.
_CHEAP = 2**21

# Differences of a sample that was made again from the one that is stored: in units of the stored type's precision
# where it is rounding, and in tolerances of the solver where another machine's sums made it.
_ROUNDING, _TOLERANCES = 4, 10

# Drawn parameters, of which everything else follows, are kept in double precision: only their last bits may differ.
_EXACT = 2.0**-50

# Changes below are rounding and have no order.
_NOISE = 1e-12

Fields = dict[str, np.ndarray]


@dataclass(frozen=True)
class Change:
    """Relative L2 difference of a field between two ways to make its samples: mean and maximum over the samples."""

    mean: float
    max: float

    @classmethod
    def of(cls, values: list[float]) -> Change:
        return cls(float(np.mean(values)), float(np.max(values)))


@dataclass(frozen=True)
class Verification:
    """How far samples of a dataset are from others that are made more exactly.

    Args:
        samples: those that were made again, by their `numbers`.
        reproduced: in words, whether the same recipe on the same grid gives the stored fields and drawn parameters.
        again: change by making them again, of drawn parameters too; 0 where every bit is the same.
        step: change by half the time step or a tenth of the tolerance, on the same grid: the error of these.
        grid: change by twice as many spacings per axis: what the grid's error is, up to a factor 1/(1 − 2^(−order)).
        second: change from there to four times as many spacings; none where that is too large to be done by the way.
        order: log₂ of the mean of ``grid`` over that of ``second``, the observed order of convergence; none
            where the changes are rounding.
        notes: what could not be made, and why; whether another version wrote the file.
    """

    samples: tuple[int, ...]
    reproduced: str
    again: Mapping[str, Change]
    step: Mapping[str, Change]
    grid: Mapping[str, Change]
    second: Mapping[str, Change]
    order: Mapping[str, float]
    notes: tuple[str, ...]


def verify(dataset: OperatorDataset, samples: int = SAMPLES) -> Verification:
    """Make a few samples again from their seeds, by the recipe that the file names, and then more exactly.

    A seed stands for the same random functions on every grid, to which a finer grid adds finer waves. Inputs that jump
    as functions of position, such as a threshold, therefore change with the grid too.

    Args:
        dataset: that `opforge.generate` made.
        samples: how many, spread evenly over the dataset.

    Raises:
        InputError: a dataset that names no recipe or has no seeds, points or frames that were left out of it, a recipe
            or parameter that this version lacks.

    Example:
        >>> import opforge
        >>> found = verify(opforge.generate("darcy", 3, 16), 1)
        >>> found.reproduced, found.step["u"].max < 1e-6, found.grid["u"].max < 0.2
        ('the same, bit by bit', True, True)
    """
    if samples < 1:
        raise InputError(f"samples must be at least 1, got {samples}")
    recipe, seeds, drawn = recipe_of(dataset), _seeds(dataset), dataset.drawn
    chosen = spread(dataset.samples, samples)
    notes = _version_notes(dataset)
    found: dict[str, dict[str, list[float]]] = {kind: {} for kind in ("again", "step", "grid", "second")}
    eps = 0.0
    for sample in chosen:  # one at a time: those of fine grids need room
        stored = {name: values[0] for name, values in dataset.arrays([sample]).items()}
        eps = max(float(np.finfo(values.dtype).eps) for values in stored.values())
        parameters = {name: values[sample] for name, values in drawn.items()}
        for kind, distances in _compare(stored, parameters, recipe, int(seeds[sample]), dataset.grid, notes).items():
            for name, distance in distances.items():
                found[kind].setdefault(name, []).append(distance)
    changes = {kind: {name: Change.of(values) for name, values in each.items()} for kind, each in found.items()}
    grid, second = changes["grid"], changes["second"]
    return Verification(
        samples=tuple(numbers(dataset)[chosen].tolist()),
        reproduced=_reproduced(changes["again"], eps, recipe.tolerance, tuple(drawn)),
        **changes,
        order={
            name: math.log2(grid[name].mean / last.mean)
            for name, last in second.items()
            if min(grid[name].mean, last.mean) > _NOISE
        },
        notes=tuple(dict.fromkeys(notes)),
    )


def _compare(
    stored: Fields, drawn: Mapping[str, float], recipe: Recipe, seed: int, base: Grid, notes: list[str]
) -> dict[str, dict[str, float]]:
    """Distances of every field of one sample between the ways to make it, those that could be gone."""
    double = _doubled(base)
    fourfold = _doubled(double)
    frames = 1 if recipe.times is None else len(recipe.times)
    sample = _made("again", recipe, seed, base, notes)
    if sample is None:
        return {}
    same = sample.fields
    for name, values in stored.items():
        if same[name].shape != values.shape:
            raise InputError(
                f"field {name!r} has the shape {values.shape}, its recipe makes {same[name].shape}: frames were left "
                "out of the file; verify the one that generate wrote"
            )
    rounded = {name: same[name].astype(values.dtype) for name, values in stored.items()}
    found = {"again": _distances(stored, rounded) | _differences(drawn, sample.drawn)}
    finer = _made("with half the step", recipe.refined(), seed, base, notes)
    if finer is not None:
        found["step"] = _distances({name: same[name] for name in stored}, finer.fields)
    twice = _made("on a grid twice as fine", recipe, seed, double, notes)
    if twice is None:
        return found
    found["grid"] = _distances({name: same[name] for name in stored}, _restricted(recipe, twice.fields, double))
    cheap = fourfold.size * frames <= _CHEAP
    again = _made("on a grid four times as fine", recipe, seed, fourfold, notes) if cheap else None
    if again is not None:
        found["second"] = _distances(
            {name: twice.fields[name] for name in stored}, _restricted(recipe, again.fields, fourfold)
        )
    return found


def recipe_of(dataset: OperatorDataset) -> Recipe:
    """The recipe that made a dataset, with its parameters.

    Raises:
        InputError: it names none, or one that this version lacks.
    """
    provenance = dataset.provenance
    if "recipe" not in provenance:
        raise InputError(
            "the dataset names no recipe, so its samples cannot be made again: it is not one of `opforge generate`; "
            "leave verification out"
        )
    return make_recipe(provenance["recipe"], provenance.get("recipe_parameters", {}))


def _doubled(grid: Grid) -> Grid:
    """The same box with half the spacing."""
    return grid.with_shape([2 * n - 1 if grid.points == "nodes" else 2 * n for n in grid.shape])


def _seeds(dataset: OperatorDataset) -> np.ndarray:
    frames = 0 if dataset.times is None else len(dataset.times)
    if dataset.grid != dataset.header.grid or frames != len(dataset.header.times):
        raise InputError("the dataset must have all points and frames of its file to be verified; leave out every()")
    content = dataset.to_xarray()
    if "seed" not in content:
        raise InputError("the dataset has no variable 'seed', so its samples cannot be made again; generate it again")
    return content["seed"].values


def _version_notes(dataset: OperatorDataset) -> list[str]:
    version = dataset.provenance.get("opforge_version")
    if version == __version__:
        return []
    return [f"Version {version or 'unknown'} of opforge made the file, this is {__version__}; recipes may differ."]


def _made(how: str, recipe: Recipe, seed: int, grid: Grid, notes: list[str]) -> Sample | None:
    """A sample; None where it cannot be made, with a note that says why."""
    try:
        checked_workers(recipe, grid, 1, 1, None)
        recipe.check(grid)
        (sample,) = run([partial(_sample, recipe, seed, grid)], 1)  # on one thread, as those of the file were made
    except (InputError, WorkError) as error:
        notes.append(f"Not made {how}: {error}.")
        return None
    return sample


def _sample(recipe: Recipe, seed: int, grid: Grid) -> Sample:
    return recipe.sample(np.random.default_rng(seed), grid)


def _restricted(recipe: Recipe, fields: Fields, grid: Grid) -> Fields:
    return {name: recipe.coarser(name, values, grid) for name, values in fields.items()}


def _distances(fields: Fields, others: Fields) -> dict[str, float]:
    """‖u − v‖ / ‖v‖ of every field, over frames and points, in double precision; 0 for two zeros."""
    found = {}
    for name, u in fields.items():
        v = others[name].astype(np.float64)
        size, distance = float(np.linalg.norm(v)), float(np.linalg.norm(u - v))
        found[name] = distance / size if size > 0 else math.inf if distance > 0 else 0.0
    return found


def _differences(drawn: Mapping[str, float], others: Mapping[str, float]) -> dict[str, float]:
    """|p − q| / |q| of every drawn parameter; 0 for two zeros, infinite for one that is not drawn any more."""
    found = {}
    for name, p in drawn.items():
        q = float(others.get(name, math.nan))
        found[name] = 0.0 if p == q else abs(p - q) / abs(q) if q and not math.isnan(q) else math.inf
    return found


def _reproduced(again: Mapping[str, Change], eps: float, tolerance: float, drawn: Sequence[str]) -> str:
    """In words; what the samples differ by is said of their fields, unless a drawn parameter differs."""
    if not again:
        return "not made again"
    for name in drawn:
        if again[name].max > _EXACT:
            return f"DIFFERENT: the drawn parameter {name!r} by {again[name].max:.2g} (relative)"
    largest = max(change.max for change in again.values())
    if largest == 0:
        return "the same, bit by bit"
    if largest <= _ROUNDING * eps:
        return "the same to rounding"
    if largest <= _TOLERANCES * tolerance:
        return "the same to the solver's tolerance"
    return f"DIFFERENT by {largest:.2g} (relative L2): the file does not hold what its recipe makes"
