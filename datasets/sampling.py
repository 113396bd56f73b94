"""What a worker process does: samples by their index. Imports nothing heavy, for workers start with it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from opforge.core import Grid
from opforge.datasets.recipe import Recipe, Sample
from opforge.errors import WorkError


def sample_seed(seed: int, index: int) -> int:
    """The seed of sample ``index``: it depends on ``(seed, index)`` alone.

    Example:
        >>> sample_seed(0, 3) == sample_seed(0, 3) != sample_seed(0, 4)
        True
    """
    return int(np.random.SeedSequence(seed, spawn_key=(index,)).generate_state(1, np.uint64)[0])


# What a job hands back: samples and their seeds.
Made = tuple[list[Sample], np.ndarray]


@dataclass(frozen=True)
class Job:
    """A run of neighbouring samples.

    Args:
        recipe: how a sample is made.
        grid: where.
        seed: the dataset's seed.
        indices: which samples.
        dtype: type of the fields that are handed back.
    """

    recipe: Recipe
    grid: Grid
    seed: int
    indices: range
    dtype: np.dtype

    def __call__(self) -> Made:
        """The samples and their seeds.

        Raises:
            WorkError: a sample failed; the text says which.
        """
        seeds = [sample_seed(self.seed, index) for index in self.indices]
        samples = [self._make(index, seed) for index, seed in zip(self.indices, seeds, strict=True)]
        return samples, np.array(seeds, dtype=np.uint64)

    def _make(self, index: int, seed: int) -> Sample:
        try:
            sample = self.recipe.sample(np.random.default_rng(seed), self.grid)
            return self._rounded(sample)
        except Exception as error:  # whatever a recipe stumbles over, the user needs to know on which sample
            raise WorkError(
                f"sample {index} (seed {seed}) of the recipe {self.recipe.name!r} at resolution "
                f"{'x'.join(map(str, self.grid.shape))} with {self.recipe.parameters()} failed: {error}"
            ) from error

    def _rounded(self, sample: Sample) -> Sample:
        with np.errstate(over="ignore"):  # what does not fit is refused below
            fields = {name: values.astype(self.dtype) for name, values in sample.fields.items()}
        for name, values in fields.items():
            if not np.isfinite(values).all():
                raise WorkError(f"the field {name!r} has values that are not finite in {self.dtype.name}")
        return Sample(fields, sample.residual)


def jobs(recipe: Recipe, grid: Grid, seed: int, indices: range, dtype: np.dtype, chunk: int) -> Iterator[Job]:
    """Jobs of at most ``chunk`` samples that make the samples ``indices``, in order."""
    for start in range(0, len(indices), chunk):
        yield Job(recipe, grid, seed, indices[start : start + chunk], dtype)


def cost(grid: Grid) -> int:
    """What a sample costs, in points: a solver's steps in Python take as long as two thousand points."""
    return grid.size + 2**11


def chunk_size(grid: Grid, samples: int, workers: int) -> int:
    """Samples in one job: a tenth of a second's work, and a few jobs for each worker."""
    return max(1, min(2**16 // cost(grid), math.ceil(samples / (4 * workers))))
