"""``opforge generate``: making data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import opforge
from opforge.cli.console import Report, text
from opforge.cli.files import free
from opforge.cli.options import Force, Settings
from opforge.cli.settings import parsed
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
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the same command was interrupted or killed.")
    ] = False,
    force: Force = False,
) -> None:
    """Generate a dataset as a netCDF-4 file.

    The inputs are random, the outputs solve the equation to a stated tolerance. --set gives a parameter of the
    recipe, such as --set coefficient=lognormal or --set ndim=3. Until all samples are there they are in FILE.partial;
    if the command is interrupted or killed, the same command with --resume goes on after the last whole one.
    """
    from opforge.datasets.recipe import make_recipe

    report: Report = context.obj
    free(out, force=force or resume)
    parameters = parsed(settings or [])
    make_recipe(recipe, parameters)  # refuses names that are generate's own, such as samples
    data = opforge.generate(
        recipe,
        samples,
        _shape(resolution),
        seed=seed,
        out=out,
        workers=workers,
        overwrite=force,
        resume=resume,
        progress=report.progress,
        dtype=dtype,
        **parameters,
    )
    report.say(f"wrote {out}: {len(data)} samples on {text(data.grid.shape)} points")
    report.detail("\n".join(f"  {name}: {value}" for name, value in data.provenance.items()))


def _shape(words: str) -> int | tuple[int, ...]:
    """Points per axis as they are written on the command line.

    Raises:
        InputError: anything but whole numbers.

    Example:
        >>> _shape("64"), _shape("48x40")
        (64, (48, 40))
    """
    try:
        sizes = tuple(int(word) for word in words.lower().split("x"))
    except ValueError as error:
        raise InputError(f"--resolution expects a whole number or one per axis such as 48x40, got {words!r}") from error
    return sizes[0] if len(sizes) == 1 else sizes


COMMANDS = (("generate", generate, "opforge generate darcy -n 1000 --resolution 64 --seed 0 -o darcy.nc"),)
