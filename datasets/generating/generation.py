"""Generating datasets: a recipe, many processes, one file."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from opforge import __version__
from opforge.core import Grid
from opforge.datasets.arguments import whole_number
from opforge.datasets.files.columns import bytes_per_sample
from opforge.datasets.files.header import Header, constants
from opforge.datasets.files.layout import failure_room
from opforge.datasets.generating.arguments import (
    checked_dtype,
    checked_level,
    checked_path,
    checked_shard,
    checked_workers,
    total_memory,
)
from opforge.datasets.generating.pace import Pace
from opforge.datasets.generating.parallel import run
from opforge.datasets.generating.progress import progress_bar
from opforge.datasets.generating.sampling import Plan
from opforge.datasets.recipe import Recipe, make_recipe
from opforge.errors import InputError, WorkError

if TYPE_CHECKING:
    from opforge.datasets.files.writer import Sink
    from opforge.datasets.reading.dataset import OperatorDataset


def generate(
    name: str,
    samples: int,
    resolution: int | tuple[int, ...],
    seed: int = 0,
    out: str | os.PathLike | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    *,
    overwrite: bool = False,
    resume: bool = False,
    shard: tuple[int, int] | None = None,
    on_error: Literal["stop", "skip"] = "stop",
    compression: int | None = None,
    progress: bool = False,
    dtype: str = "float32",
    **parameters: Any,
) -> OperatorDataset:
    """Generate a dataset by a recipe.

    Sample i depends on ``(seed, i)`` and the recipe's parameters alone: any number of workers gives the same numbers,
    and more samples begin with the same ones. The seed of a sample is kept with it. Every sample is checked: the
    solver's residual, that all values are finite, and the invariants that the equation declares.

    Args:
        name: the recipe; `opforge.datasets.registry` has them all.
        samples: how many, over all shards.
        resolution: points per axis, one number for all or one for each; at least 4.
        seed: from 0 to 2⁶³ − 1.
        out: the netCDF-4 file to write; it appears when all samples are done. In memory only unless given.
        workers: processes; 1 works in this one. One for every core unless given, or 1 where the work is small.
        executor: any ``concurrent.futures.Executor`` that does the work instead, such as Dask's. It does not say how
            many jobs it does at once: ``workers`` does, this machine's cores unless given. It gets three times as many.
        overwrite: whether ``out`` may exist: it is replaced when all samples are done. Without ``resume``, samples that
            an interrupted run left are thrown away.
        resume: go on where a run with the same arguments was interrupted or killed: what it finished is in
            ``<out>.partial``. It starts from nothing where there is nothing, and does nothing where all is done.
        shard: (i, n) makes the i-th of n parts alone, i from 1 to n; `merge` joins them, `open_dataset` opens a set.
        on_error: ``"stop"`` ends at the first sample that fails; ``"skip"`` records it in the file and goes on.
        compression: level 1 to 9 of zlib for the fields in the file, without loss; not compressed unless given.
        progress: whether to show a bar with the time left on stderr.
        dtype: ``"float32"`` or ``"float64"``, of the fields that are kept; samples are solved in float64.
        parameters: the recipe's, such as ``ndim`` or ``coefficient``.

    Returns:
        The dataset, a torch ``Dataset``, without the samples that were skipped.

    Raises:
        InputError: an unknown recipe or parameter, a value out of range, a resolution that does not fit the memory, an
            output that exists or cannot be written, a disk that ran full, ``resume`` with samples of another dataset.
        WorkError: a sample that could not be made, with its index, seed and parameters; with ``"skip"``, all of them.

    Example:
        >>> dataset = generate("darcy", 4, 16, seed=1)
        >>> x, y = dataset[0]
        >>> x.shape, y.shape, dataset.inputs, dataset.outputs
        (torch.Size([1, 16, 16]), torch.Size([1, 16, 16]), ('a',), ('u',))
    """
    path = None if out is None else checked_path("out", out)
    recipe = make_recipe(name, parameters)
    grid = recipe.grid(resolution)
    samples, seed = whole_number("samples", samples, 1), whole_number("seed", seed, 0)
    kind, level = checked_dtype(dtype), checked_level(compression)
    if on_error not in ("stop", "skip"):
        raise InputError(f"on_error must be 'stop' or 'skip', got {on_error!r}")
    header = make_header(recipe, grid, samples, seed)
    if shard is not None:
        first, stop = checked_shard(shard, samples)
        header = header.shard(first, stop - first)
    at_once = checked_workers(recipe, grid, header.samples, workers, executor)
    recipe.check(grid)
    if out is None and (resume or level is not None or shard is not None):
        given = "resume" if resume else "shard" if shard is not None else "compression"
        raise InputError(f"{given} needs out, the file to write")

    def fill(sink: Sink) -> None:
        plan = Plan(recipe, header, seed, kind, on_error == "skip", None if executor is not None else sink.target)
        title = f"{name} {'x'.join(map(str, grid.shape))}" if progress else None
        _fill(sink, Pace(plan, sink.missing, at_once, bytes_per_sample(header, kind)), at_once, executor, title)

    if path is None:
        return _to_memory(fill, header, kind)
    return _to_file(fill, header, kind, path, level, overwrite=overwrite, resume=resume)


def _to_memory(fill: Callable[[Sink], None], header: Header, dtype: np.dtype) -> OperatorDataset:
    from opforge.datasets.files.writer import Arrays

    needed = header.samples * bytes_per_sample(header, dtype)
    if needed > total_memory():
        raise InputError(
            f"samples={header.samples} need {needed / 1e9:.1f} GB of memory, this machine has "
            f"{total_memory() / 1e9:.1f} GB; give out=, the file to write"
        )
    arrays = Arrays(header, dtype)
    fill(arrays)
    from opforge.datasets.reading.dataset import (
        OperatorDataset,  # imports torch: afterwards, the workers need the cores
    )

    return OperatorDataset.from_arrays(arrays)


def _to_file(
    fill: Callable[[Sink], None],
    header: Header,
    dtype: np.dtype,
    path: Path,
    level: int | None,
    *,
    overwrite: bool,
    resume: bool,
) -> OperatorDataset:
    from opforge.datasets.files.outputs import check_output, is_done
    from opforge.datasets.files.writer import FileWriter

    if not (resume and is_done(path, header, dtype, level, overwrite=overwrite)):
        check_output(path, overwrite=overwrite)
        with FileWriter(path, header, dtype, compression=level, resume=resume, overwrite=overwrite) as writer:
            fill(writer)
    # imports torch: afterwards, the workers need the cores
    from opforge.datasets.formats.opening import open_dataset, open_with_failures

    return open_with_failures(path) if header.total else open_dataset(path)


def _fill(sink: Sink, pace: Pace, workers: int, executor: Executor | None, title: str | None) -> None:
    """Take all results; whatever ends this early, an interrupt too, also ends the processes that make them."""
    failures, first = 0, ""
    done = sink.header.samples - len(sink.missing)
    results = run(pace.jobs(), workers, executor)
    with closing(results), progress_bar(title, sink.header.samples, done) as advance:
        for made in results:
            pace.learn(made)
            if made.arrays is None:
                sink.wrote(made.start, made.count, len(made.failures))
            else:
                sink.put(made.start, made.arrays)
            if made.failures:
                failures, first = failures + len(made.failures), first or made.failures[0]
                sink.fail(made.failures)
            advance(made.count)
    if failures:
        _tell(failures, first, sink.header)


def _tell(failures: int, first: str, header: Header) -> None:
    """Warn of samples that were skipped.

    Raises:
        WorkError: there is no other sample. A shard without one is still needed to join the others.
    """
    if failures == header.samples and not header.total:
        raise WorkError(f"all {failures} samples failed; {first}")
    room, _ = failure_room(header.samples)
    why = "why" if failures <= room else f"why the first {room} did"
    warnings.warn(
        f"{failures} of {header.samples} samples failed and were left out, the file tells which and {why}; the first: "
        f"{first}",
        stacklevel=2,
    )


def make_header(recipe: Recipe, grid: Grid, samples: int, seed: int) -> Header:
    """What a generated dataset says about itself."""
    times, drawn = recipe.times, tuple(known.name for known in recipe.drawn)
    parameters = constants(recipe.equation.parameters(), drawn)
    equation = type(recipe.equation).from_parameters(parameters)  # as a file gives it back
    provenance = {
        "recipe": recipe.name,
        "recipe_parameters": recipe.parameters(),
        "equation": equation.name,
        "equation_parameters": parameters,
        "seed": seed,
        "solver": recipe.solver,
        "tolerance": recipe.tolerance,
        "opforge_version": __version__,
        "samples": samples,
    }
    provenance = json.loads(json.dumps(provenance))  # as a file gives it back: lists, no tuples
    frames = () if times is None else tuple(float(t) for t in times)
    return Header(
        recipe.inputs,
        recipe.outputs,
        grid,
        samples,
        equation,
        provenance,
        frames,
        recipe.evolving,
        {
            known.name: {"long_name": known.long_name, "units": known.units}
            for known in (*recipe.drawn, *recipe.described)
        },
        drawn=drawn,
    )
