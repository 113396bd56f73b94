"""What a worker process does: samples by their index. Imports nothing heavy, for workers start with it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from opforge.core import Grid
from opforge.datasets.files.header import Header
from opforge.datasets.files.layout import bytes_per_sample, checksums, empty_columns
from opforge.datasets.files.targets import Target
from opforge.datasets.recipe import Recipe, Sample
from opforge.errors import WorkError

# Samples of so many bytes are written while the next ones are made.
_PIECE_BYTES = 2**22


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
        plan, count, first = self.plan, len(self.positions), self.positions.start
        size = max(1, _PIECE_BYTES // bytes_per_sample(plan.header, plan.dtype))
        with ThreadPoolExecutor(1) as writer:
            writing: Future | None = None
            for start in range(0, count, size):
                # new arrays, but of the memory that those before the last ones had, which is still in the caches
                arrays = empty_columns(plan.header, plan.dtype, min(size, count - start))
                failed = None
                try:
                    self._fill(start, arrays, failures)
                except _Failed as error:
                    failed, arrays = error, {name: values[: error.row] for name, values in arrays.items()}
                arrays["checksum"] = checksums(arrays)
                if writing is not None:
                    writing.result()
                writing = writer.submit(target.write, first + start, arrays) if len(arrays["seed"]) else None
                if failed is not None:
                    if writing is not None:
                        writing.result()
                    raise failed
            if writing is not None:
                writing.result()

    def _fill(self, start: int, arrays: dict[str, np.ndarray], failures: list[str]) -> None:
        """Make neighbouring samples, the first of which is number ``start`` of the job.

        Raises:
            _Failed: one failed, and none shall be skipped.
        """
        plan = self.plan
        for row in range(len(arrays["seed"])):
            index = plan.header.first + self.positions[start + row]
            arrays["seed"][row] = seed = sample_seed(plan.seed, index)
            try:
                self._make(seed, {name: values[row] for name, values in arrays.items() if values.ndim > 1}, arrays, row)
            except Exception as error:  # whatever a recipe stumbles over, the user needs to know on which sample
                if not plan.skip:
                    failure = WorkError(self._where(index, seed, error))
                    failure.__cause__ = error
                    raise _Failed(row, failure) from error
                failures.append(f"sample {index} (seed {seed}): {error}")
                for name in (*plan.header.names, "solver_residual"):
                    arrays[name][row] = np.nan

    def _make(self, seed: int, rows: dict[str, np.ndarray], arrays: dict[str, np.ndarray], row: int) -> None:
        """One sample into its row."""
        plan, grid = self.plan, self.plan.header.grid
        sample = plan.recipe.sample(np.random.default_rng(seed), grid)
        _check_invariants(plan.recipe, sample, grid)
        with np.errstate(over="ignore"):  # what does not fit is refused below
            for name, values in rows.items():
                values[...] = sample.fields[name]
        for name, values in rows.items():
            if not np.isfinite(values).all():
                raise WorkError(f"the field {name!r} has values that are not finite in {plan.dtype.name}")
        arrays["solver_residual"][row] = sample.residual

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


def _check_invariants(recipe: Recipe, sample: Sample, grid: Grid) -> None:
    """Refuse a sample that does not keep to what its equation promises."""
    if not np.isfinite(sample.residual):
        raise WorkError(f"the solver's residual is {sample.residual}")
    equation = recipe.equation
    if equation.invariants:
        times = recipe.times
        fields = sample.fields if times is None else {**sample.fields, "time": times}
        for invariant in equation.invariants:
            invariant.check(equation, fields, grid)
