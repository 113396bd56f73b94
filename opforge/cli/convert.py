"""``opforge convert``: a dataset in the layout of another program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opforge.cli.console import Report, text
from opforge.cli.data import DataFile, Inputs, Names, Outputs, PointsOfGrid, Rename, existing_data, opened
from opforge.cli.files import free
from opforge.cli.options import Force
from opforge.errors import UnknownNameError

# The layouts that a dataset can be written in.
LAYOUTS = ("the-well",)


def convert(
    context: typer.Context,
    data: DataFile,
    to: Annotated[str, typer.Option("--to", metavar="LAYOUT", help=f"Layout to write: {', '.join(LAYOUTS)}.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="File to write.")],
    stats: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of means and deviations to write, by which The Well's loader normalises.",
            show_default="stats.yaml in the folder of --out",
        ),
    ] = None,
    force: Force = False,
    inputs: Inputs = None,
    outputs: Outputs = None,
    points: PointsOfGrid = None,
    rename: Rename = None,
) -> None:
    """Write a dataset in another layout.

    the-well: an HDF5 file (.h5 or .hdf5) in single precision as The Well's loader reads it, and stats.yaml, by which it
    normalises. A few samples at a time are in memory. Both files are whole or not there at all.
    """
    from opforge.datasets.formats.well_writer import write_the_well

    report: Report = context.obj
    if to not in LAYOUTS:
        raise UnknownNameError("layout", to, LAYOUTS)
    stats = out.with_name("stats.yaml") if stats is None else stats
    existing_data(data)
    names = Names(inputs, outputs, points, rename)
    free(out, force=force, reads=data)
    free(stats, force=force, what="file of statistics", reads=data)
    dataset = opened(data, names)
    write_the_well(dataset, out, stats=stats, overwrite=force, progress=report.progress)
    report.say(f"wrote {out} and {stats}: {dataset.samples} samples on {text(dataset.grid.shape)} points")


COMMANDS = (("convert", convert, "opforge convert darcy.nc --to the-well -o darcy.hdf5"),)
