"""``opforge generate``: making data."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

import opforge
from opforge.cli.console import Report, text
from opforge.cli.files import free
from opforge.cli.options import Force, Settings
from opforge.cli.settings import parsed
from opforge.datasets.files.whole import samples_left
from opforge.errors import InputError


def generate(
    context: typer.Context,
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="Name of the recipe; `opforge list recipes` shows them.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="File to write (netCDF-4).")],
    samples: Annotated[int, typer.Option("-n", "--samples", help="Number of samples.")] = 1000,
    resolution: Annotated[str, typer.Option(metavar="N|NxM", help="Points per axis, such as 64 or 48x40.")] = "64",
    seed: Annotated[int, typer.Option(help="Sample i depends on the recipe and on (seed, i) alone.")] = 0,
    settings: Settings = None,
    workers: Annotated[int | None, typer.Option(help="Processes.", show_default="all cores; 1 for little work")] = None,
    dtype: Annotated[str, typer.Option(help="Number format of the fields: float32 or float64.")] = "float32",
    compress: Annotated[
        int | None,
        typer.Option(
            metavar="LEVEL", help="Compress the fields without loss: 1 (fast) to 9 (small).", show_default="not"
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N", help="Make the I-th of N parts only; `opforge merge` joins them.", show_default="all"
        ),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Let a Dask cluster do the work: its scheduler, such as tcp://host:8786."),
    ] = None,
    on_error: Annotated[
        str, typer.Option(metavar="stop|skip", help="At a sample that fails: stop, or record it in the file and go on.")
    ] = "stop",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the same command was interrupted or killed.")
    ] = False,
    force: Force = False,
) -> None:
    """Generate a dataset as a netCDF-4 file.

    The inputs are random, the outputs solve the equation to a stated tolerance. --set gives a parameter of the
    recipe, such as --set coefficient=lognormal or --set ndim=3. Until all samples are there they are in FILE.partial;
    if the command is interrupted or killed, the same command with --resume makes those that are missing.

    --set draw=viscosity:0.001:0.01 draws a parameter of the equation for every sample and keeps it with the sample. Its
    logarithm is uniform; of velocities, wavenumbers and thresholds the number itself.

    On a cluster: let each task of a job array make one --shard into a file of its own, or start a Dask cluster that
    has opforge and give its scheduler with --dask. The numbers are the same, whoever makes them.
    """
    from opforge.datasets.recipe import make_recipe

    report: Report = context.obj
    free(out, force=force or resume)
    with samples_left(out):
        was = out.stat() if out.exists() else None
        parameters = parsed(settings or [])
        make_recipe(recipe, parameters)  # refuses names that are generate's own, such as samples
        if dask is not None and workers is not None:
            raise InputError("--workers are processes of this machine and --dask has its own; give one of them")
        with _workers(dask, workers) as (executor, count):
            data = opforge.generate(
                recipe,
                samples,
                shape_of(resolution),
                seed=seed,
                out=out,
                workers=count,
                executor=executor,
                overwrite=force,
                resume=resume,
                shard=None if shard is None else _shard(shard),
                on_error=on_error,
                compression=compress,
                progress=report.progress,
                dtype=dtype,
                **parameters,
            )
    frames = "" if data.times is None else f" and {len(data.times)} frames"
    untouched = was is not None and (was.st_ino, was.st_mtime_ns) == (out.stat().st_ino, out.stat().st_mtime_ns)
    what = f"{out} is complete already" if untouched else f"wrote {out}"
    report.say(f"{what}: {data.samples} samples on {text(data.grid.shape)} points{frames}")
    report.detail("\n".join(f"  {name}: {value}" for name, value in data.provenance.items()))


def shape_of(words: str) -> int | tuple[int, ...]:
    """Points per axis as they are written on the command line.

    Raises:
        InputError: anything but whole numbers.

    Example:
        >>> shape_of("64"), shape_of("48x40")
        (64, (48, 40))
    """
    try:
        sizes = tuple(int(word) for word in words.lower().split("x"))
    except ValueError as error:
        raise InputError(f"--resolution expects a whole number or one per axis such as 48x40, got {words!r}") from error
    return sizes[0] if len(sizes) == 1 else sizes


@contextmanager
def _workers(dask: str | None, workers: int | None) -> Iterator[tuple[Executor | None, int | None]]:
    """Who does the work, and how many jobs at once: a Dask cluster, or processes of this machine."""
    if dask is None:
        yield None, workers
        return
    from opforge.datasets.generating.dask_cluster import dask_executor

    with dask_executor(dask) as found:
        yield found


def _shard(words: str) -> tuple[int, int]:
    """A shard as it is written on the command line.

    Raises:
        InputError: anything but two whole numbers.

    Example:
        >>> _shard("3/8")
        (3, 8)
    """
    number, slash, count = words.partition("/")
    if not (slash and number.strip().isdecimal() and count.strip().isdecimal()):
        raise InputError(f"--shard expects I/N, such as 3/8 for the third of eight parts, got {words!r}")
    return int(number), int(count)


def merge(
    context: typer.Context,
    shards: Annotated[list[Path], typer.Argument(metavar="SHARD...", help="Files that `generate --shard` wrote.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="File to write (netCDF-4).")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the same command was interrupted or killed.")
    ] = False,
    force: Force = False,
) -> None:
    """Join the shards of a dataset into one file.

    The file is the one that generating all samples at once would have written, byte by byte. The shards are given in
    any order, or as the folder that holds them; every sample is compared with its checksum.
    """
    from opforge.datasets import merge as join

    report: Report = context.obj
    free(out, force=force or resume)
    with samples_left(out):
        data = join(
            shards[0] if len(shards) == 1 else shards, out, overwrite=force, resume=resume, progress=report.progress
        )
    report.say(f"wrote {out}: {data.samples} samples on {text(data.grid.shape)} points")


COMMANDS = (
    ("generate", generate, "opforge generate darcy -n 1000 --resolution 64 --seed 0 -o darcy.nc"),
    ("merge", merge, "opforge merge darcy-1.nc darcy-2.nc darcy-3.nc -o darcy.nc"),
)
