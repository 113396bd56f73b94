"""What a worker process does: samples by their index. Imports nothing heavy, for workers start with it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from opforge.core import Grid
from opforge.datasets.files.columns import bytes_per_sample, checksums, empty_columns
from opforge.datasets.files.header import Header
from opforge.datasets.files.targets import Target
from opforge.datasets.neighbours import aligned
from opforge.datasets.recipe import Recipe, Samples
from opforge.errors import WorkError

# Samples of so many bytes are written while the next ones are made.
_PIECE_BYTES = 2**23


def sample_seed(seed: int, index: int) -> int:
    """The seed of sample ``index``: it depends on ``(seed, index)`` alone.

    Example:
        >>> sample_seed(0, 3) == sample_seed(0, 3) != sample_seed(0, 4)
        True
    """
    return int(np.random.SeedSequence(seed, spawn_key=(index,)).generate_state(1, np.uint64)[0])


@dataclass(frozen=True)
class Plan:
    """What all jobs of a generation share.

    Args:
        recipe: how a sample is made.
        header: of the dataset, or of the shard of it that is generated.
        seed: the dataset's seed.
        dtype: type of the fields that are kept.
        skip: whether a sample that fails is recorded, its values NaN, instead of ending the generation.
        target: where samples are written by whoever makes them; None has them handed back.
    """

    recipe: Recipe
    header: Header
    seed: int
    dtype: np.dtype
    skip: bool = False
    target: Target | None = None


@dataclass(frozen=True)
class Made:
    """What a job hands back.

    Args:
        start: position of its first sample.
        count: of its samples.
        arrays: (samples, …) of all variables; None where they were written already.
        failures: why samples failed that were skipped.
        seconds: that it took.
    """

    start: int
    count: int
    arrays: dict[str, np.ndarray] | None
    failures: Sequence[str]
    seconds: float


@dataclass(frozen=True)
class Job:
    """A run of neighbouring samples.

    Args:
        plan: what is generated.
        positions: which samples, counted from the first one of the file.
    """

    plan: Plan
    positions: range

    def __call__(self) -> Made:
        """Make the samples.

        Raises:
            WorkError: a sample failed; the text says which. Those before it are written if they are written here.
            WriteError: the system refuses to write.
        """
        began = time.perf_counter()
        plan, count = self.plan, len(self.positions)
        failures: list[str] = []
        arrays = None
        try:
            if plan.target is None:
                arrays = empty_columns(plan.header, plan.dtype, count)
                self._fill(0, arrays, failures)
                arrays["checksum"] = checksums(arrays)
            else:
                self._write(plan.target, failures)
        except _Failed as failed:
            raise failed.error from failed.error.__cause__
        return Made(self.positions.start, count, arrays, failures, time.perf_counter() - began)

    def _write(self, target: Target, failures: list[str]) -> None:
        """Make the samples piece by piece, and write each piece while the next one is made."""
        plan, first = self.plan, self.positions.start
        together = plan.recipe.at_once(plan.header.grid)
        size = max(1, _PIECE_BYTES // (bytes_per_sample(plan.header, plan.dtype) * together)) * together
        with ThreadPoolExecutor(1) as writer:
            writing: Future | None = None
            for piece in aligned(0, len(self.positions), size, plan.header.first + first):
                # new arrays, but of the memory that those before the last ones had, which is still in the caches
                arrays = empty_columns(plan.header, plan.dtype, len(piece))
                failed = None
                try:
                    self._fill(piece.start, arrays, failures)
                except _Failed as error:
                    failed, arrays = error, {name: values[: error.row] for name, values in arrays.items()}
                arrays["checksum"] = checksums(arrays)
                if writing is not None:
                    writing.result()
                writing = writer.submit(target.write, first + piece.start, arrays) if len(arrays["seed"]) else None
                if failed is not None:
                    if writing is not None:
                        writing.result()
                    raise failed
            if writing is not None:
                writing.result()

    def _fill(self, start: int, arrays: dict[str, np.ndarray], failures: list[str]) -> None:
        """Make neighbouring samples, the first of which is number ``start`` of the job.

        Samples that are solved together are always the same ones, whatever of them is wanted: to the last bit, their
        values may depend on each other.

        Raises:
            _Failed: one failed, and none shall be skipped.
        """
        plan = self.plan
        first = plan.header.first + self.positions[start]
        together = plan.recipe.at_once(plan.header.grid)
        for rows in aligned(0, len(arrays["seed"]), together, first):
            lowest = (first + rows.start) // together * together
            wanted = slice(first + rows.start - lowest, first + rows.stop - lowest)
            seeds = [sample_seed(plan.seed, index) for index in range(lowest, lowest + together)]
            part = {name: values[rows.start : rows.stop] for name, values in arrays.items()}
            part["seed"][:] = seeds[wanted]
            for row, error in zip(rows, self._make(seeds, wanted, part), strict=True):
                if error is None:
                    continue
                if not plan.skip:
                    failure = WorkError(self._where(first + row, int(arrays["seed"][row]), error))
                    failure.__cause__ = error
                    raise _Failed(row, failure) from error
                failures.append(f"sample {first + row} (seed {arrays['seed'][row]}): {error}")
                for name in (*plan.header.names, *plan.header.drawn, "solver_residual"):
                    arrays[name][row] = np.nan

    def _make(self, seeds: list[int], wanted: slice, part: dict[str, np.ndarray]) -> list[Exception | None]:
        """Make the samples of these seeds, put those that are wanted into their rows, and tell how each of them failed.

        Where the recipe fails, not all of them need be at fault: they are made one by one.
        """
        plan, grid = self.plan, self.plan.header.grid
        try:
            made = plan.recipe.samples([np.random.default_rng(seed) for seed in seeds], grid)
            drawn = _drawn(plan.header.drawn, made, len(seeds))
            made = Samples(
                {name: values[wanted] for name, values in made.fields.items()},
                made.residuals[wanted],
                {name: values[wanted] for name, values in drawn.items()},
            )
            errors = _broken_promises(plan.recipe, made, grid)
            for name, values in {**made.drawn, "solver_residual": made.residuals}.items():
                part[name][:] = values
            for name in plan.header.names:
                with np.errstate(over="ignore"):  # what does not fit is refused below
                    part[name][...] = made.fields[name]
                if not np.isfinite(part[name]).all():
                    for row in range(len(errors)):
                        if not np.isfinite(part[name][row]).all():
                            text = f"the field {name!r} has values that are not finite in {plan.dtype.name}"
                            errors[row] = errors[row] or WorkError(text)
        except Exception as error:  # whatever a recipe stumbles over, the user needs to know on which sample
            if len(seeds) == 1:
                return [error]
            return [
                self._make([seed], slice(0, 1), {name: values[row : row + 1] for name, values in part.items()})[0]
                for row, seed in enumerate(seeds[wanted])
            ]
        return errors

    def _where(self, index: int, seed: int, error: Exception) -> str:
        recipe, grid = self.plan.recipe, self.plan.header.grid
        return (
            f"sample {index} (seed {seed}) of the recipe {recipe.name!r} at resolution "
            f"{'x'.join(map(str, grid.shape))} with {recipe.parameters()} failed: {error}"
        )


class _Failed(Exception):
    """A sample failed.

    Args:
        row: its position among those that were to be made.
        error: what to tell.
    """

    def __init__(self, row: int, error: WorkError):
        super().__init__(row)
        self.row = row
        self.error = error


def _drawn(names: Sequence[str], made: Samples, count: int) -> dict[str, np.ndarray]:
    """The drawn parameters of ``count`` samples, float64 (count,) by name.

    Raises:
        WorkError: one is missing, or has not a number for each sample.
    """
    found = {}
    for name in names:
        if name not in made.drawn:
            raise WorkError(
                f"the drawn parameter {name!r} is missing; the recipe must return all of its `drawn` in Samples.drawn"
            )
        found[name] = np.asarray(made.drawn[name], np.float64)
        if found[name].shape != (count,):
            raise WorkError(
                f"the drawn parameter {name!r} must have the shape ({count},), a number for each sample, got shape "
                f"{found[name].shape}"
            )
    return found


def _broken_promises(recipe: Recipe, made: Samples, grid: Grid) -> list[Exception | None]:
    """How each of the samples fails to keep to what the recipe and its equation promise; None for those that do."""
    errors: list[Exception | None] = [
        None if math.isfinite(residual) else WorkError(f"the solver's residual is {residual}")
        for residual in made.residuals.tolist()
    ]
    for name, values in made.drawn.items():
        for row in np.flatnonzero(~np.isfinite(values)):
            errors[row] = errors[row] or WorkError(
                f"the drawn parameter {name!r} is {values[row]}, which is not finite"
            )
    times = recipe.times
    fields = {**made.fields, **made.drawn, **({} if times is None else {"time": times})}
    for invariant in recipe.equation.invariants:
        for row, text in invariant.broken(recipe.equation, fields, grid):
            errors[row] = errors[row] or WorkError(text)
    return errors
