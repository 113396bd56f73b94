"""Options that several commands have, so that they read and behave the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `opforge train` wrote.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A setting by its name in Python; may be repeated."),
]
Device = Annotated[str, typer.Option(help="auto (a GPU where there is one), cpu, cuda, cuda:1, ...")]
BatchSize = Annotated[int, typer.Option(help="Samples at a time.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
Json = Annotated[str | None, typer.Option("--json", metavar="FILE", help="Write it as JSON too; - for stdout.")]


def refuse_missing(device: str) -> None:
    """Refuse a device that is not there before anything is read or written.

    Raises:
        InputError: no such device.
    """
    from opforge.training.checkpoint import pick_device

    pick_device(device)
