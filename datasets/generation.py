"""Generating datasets: a recipe, many processes, one file."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from opforge import __version__
from opforge.core import Grid
from opforge.datasets.header import Header
from opforge.datasets.parallel import available_cpus, run
from opforge.datasets.recipe import Recipe, make_recipe
from opforge.datasets.sampling import Made, chunk_size, cost, jobs
from opforge.errors import InputError

if TYPE_CHECKING:
    from opforge.datasets.file import Sink
    from opforge.datasets.reader import OperatorDataset

# What gives all samples from one on.
Source = Callable[[int], Generator[Made]]

# Below this cost, starting processes takes longer than they save.
_WORTH_PROCESSES = 2**20

# Assumed where the system does not tell its memory.
_USUAL_MEMORY = 16 * 2**30


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
    progress: bool = False,
    dtype: str = "float32",
    **parameters: Any,
) -> OperatorDataset:
    """Generate a dataset by a recipe.

    Sample i depends on ``(seed, i)`` and the recipe's parameters alone: any number of workers gives the same numbers,
    and more samples begin with the same ones. The seed of a sample is kept with it.

    Args:
        name: the recipe; `opforge.datasets.registry` has them all.
        samples: how many.
        resolution: points per axis, one number for all or one for each; at least 4.
        seed: from 0 to 2⁶³ − 1.
        out: the netCDF-4 file to write; it appears when all samples are done. In memory only unless given.
        workers: processes; 1 works in this one. One for every core unless given, or 1 where the work is small.
        executor: any ``concurrent.futures.Executor`` that does the work instead, such as Dask's.
        overwrite: whether ``out`` may exist, and whether samples that an interrupted run left may be thrown away.
        resume: go on where a run with the same arguments was interrupted or killed: what it finished is in
            ``<out>.partial``. It starts from nothing where there is nothing, and does nothing where all is done.
        progress: whether to show a bar with the time left on stderr.
        dtype: ``"float32"`` or ``"float64"``, of the fields that are kept; samples are solved in float64.
        parameters: the recipe's, such as ``ndim`` or ``coefficient``.

    Returns:
        The dataset, a torch ``Dataset``.

    Raises:
        InputError: an unknown recipe or parameter, a value out of range, a resolution that does not fit the memory, an
            output that exists or cannot be written, a disk that ran full, ``resume`` with samples of another dataset.
        WorkError: a sample that could not be made, with its index and seed.

    Example:
        >>> dataset = generate("darcy", 4, 16, seed=1)
        >>> x, y = dataset[0]
        >>> x.shape, y.shape, dataset.inputs, dataset.outputs
        (torch.Size([1, 16, 16]), torch.Size([1, 16, 16]), ('a',), ('u',))
    """
    recipe = make_recipe(name, parameters)
    grid = recipe.grid(resolution)
    samples, seed = _integer("samples", samples, 1), _integer("seed", seed, 0)
    kind = _dtype(dtype)
    workers = _workers(recipe, grid, samples, workers, executor)
    recipe.check(grid)
    header = _header(recipe, grid, samples, seed)

    def made(start: int) -> Generator[Made]:
        """Everything from sample ``start`` on."""
        chunk = chunk_size(grid, samples - start, workers)
        return run(jobs(recipe, grid, seed, range(start, samples), kind, chunk), workers, executor)

    if resume and overwrite:
        raise InputError("resume keeps what an earlier run made and overwrite throws it away; give one of them")
    title = f"{name} {'x'.join(map(str, grid.shape))}" if progress else None
    if out is None:
        if resume:
            raise InputError("resume needs out, the file whose generation was interrupted")
        return _to_memory(made, header, kind, title)
    return _to_file(made, header, kind, title, Path(out), overwrite=overwrite, resume=resume)


def _to_memory(made: Source, header: Header, dtype: np.dtype, title: str | None) -> OperatorDataset:
    from opforge.datasets.file import Arrays

    needed = header.samples * header.grid.size * len(header.names) * dtype.itemsize
    if needed > total_memory():
        raise InputError(
            f"samples={header.samples} need {needed / 1e9:.1f} GB of memory, this machine has "
            f"{total_memory() / 1e9:.1f} GB; give out=, the file to write"
        )
    arrays = Arrays(header, dtype)
    _fill(arrays, made(0), title)
    from opforge.datasets.reader import OperatorDataset  # imports torch: afterwards, for the workers need the cores

    return OperatorDataset.from_arrays(arrays)


def _to_file(
    made: Source, header: Header, dtype: np.dtype, title: str | None, path: Path, *, overwrite: bool, resume: bool
) -> OperatorDataset:
    from opforge.datasets.file import FileWriter, check_output, is_done

    if not (resume and is_done(path, header)):
        check_output(path, overwrite=overwrite)
        with FileWriter(path, header, dtype, resume=resume, overwrite=overwrite) as writer:
            _fill(writer, made(writer.count), title)
    from opforge.datasets.reader import open_dataset  # imports torch: afterwards, for the workers need the cores

    return open_dataset(path)


def _fill(sink: Sink, results: Generator[Made], title: str | None) -> None:
    """Take all results; whatever ends this early, an interrupt too, also ends the processes that make them."""
    with closing(results), _progress(title, sink.header.samples, sink.count) as advance:
        for samples, seeds in results:
            sink.append(samples, seeds)
            advance(len(samples))


def _header(recipe: Recipe, grid: Grid, samples: int, seed: int) -> Header:
    equation = recipe.equation
    provenance = {
        "recipe": recipe.name,
        "recipe_parameters": recipe.parameters(),
        "equation": equation.name,
        "equation_parameters": equation.parameters(),
        "seed": seed,
        "solver": recipe.solver,
        "tolerance": recipe.tolerance,
        "opforge_version": __version__,
        "samples": samples,
    }
    return Header(recipe.inputs, recipe.outputs, grid, samples, equation, provenance)


def _integer(name: str, value: Any, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError as error:
        raise InputError(f"{name} must be an integer, got {value!r}") from error
    if not least <= number < 2**63:
        raise InputError(f"{name} must lie between {least} and 2**63 - 1, got {value!r}")
    return number


def _dtype(name: str) -> np.dtype:
    if name not in ("float32", "float64"):
        raise InputError(f"dtype must be 'float32' or 'float64', got {name!r}")
    return np.dtype(name)


def _workers(recipe: Recipe, grid: Grid, samples: int, workers: int | None, executor: Executor | None) -> int:
    """How many processes to use; refuses what they could not hold in memory."""
    wanted = 1 if workers is None else _integer("workers", workers, 1)
    needed, memory = recipe.bytes_per_point * grid.size, total_memory()
    if needed > memory:
        raise InputError(
            f"resolution {'x'.join(map(str, grid.shape))} is {grid.size:.3g} points, which take about "
            f"{needed / 1e9:,.0f} GB of memory, this machine has {memory / 1e9:,.0f} GB; lower the resolution"
        )
    if executor is None and needed * wanted > memory:
        raise InputError(
            f"workers must be at most {memory // needed} at this resolution (each takes about {needed / 1e9:.1f} GB of "
            f"memory, this machine has {memory / 1e9:.1f} GB), got {wanted}"
        )
    if workers is not None:
        return min(wanted, samples)
    if executor is None and samples * cost(grid) < _WORTH_PROCESSES:
        return 1
    return min(available_cpus(), samples, memory // needed)


def total_memory() -> int:
    """Bytes of memory of this machine."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not a POSIX system
        return _USUAL_MEMORY


@contextmanager
def _progress(title: str | None, samples: int, done: int) -> Iterator[Callable[[int], None]]:
    """A function that moves the bar on; no bar without a title."""
    if title is None:
        yield lambda count: None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=samples, completed=done)
        yield lambda count: bar.advance(task, count)
