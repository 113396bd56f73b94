"""Data that the commands are given: files of any layout, sets of them, and what their names stand for."""

from __future__ import annotations

from collections.abc import Sequence
from glob import has_magic
from os.path import isfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

import opforge
from opforge.cli.files import existing
from opforge.datasets.files.whole import partial_of
from opforge.errors import InputError

if TYPE_CHECKING:
    from opforge.datasets import OperatorDataset

DataFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="Data of any layout that opforge reads: a file, a folder of shards, a pattern in quotes."
    ),
]
_PANEL = "Names in files of other programs"
Inputs = Annotated[
    str | None,
    typer.Option("--inputs", metavar="NAME,...", help="Fields that an operator is given.", rich_help_panel=_PANEL),
]
Outputs = Annotated[
    str | None,
    typer.Option("--outputs", metavar="NAME,...", help="Fields that it shall find.", rich_help_panel=_PANEL),
]
PointsOfGrid = Annotated[
    str | None,
    typer.Option(
        "--points", metavar="KIND", help="Where coordinates lie: cells, nodes, periodic.", rich_help_panel=_PANEL
    ),
]
Rename = Annotated[
    list[str] | None,
    typer.Option(
        "--rename",
        metavar="NAME=MEANING",
        help="What a dimension or variable stands for, such as lon=x; may be repeated.",
        rich_help_panel=_PANEL,
    ),
]


class Names(NamedTuple):
    """What the options above say, as they were given."""

    inputs: str | None = None
    outputs: str | None = None
    points: str | None = None
    rename: Sequence[str] | None = None

    def arguments(self) -> dict[str, Any]:
        """Arguments of `opforge.open_dataset`.

        Raises:
            InputError: an option that cannot be read.

        Example:
            >>> Names("a,b", rename=["lon=x"]).arguments()
            {'inputs': ('a', 'b'), 'rename': {'lon': 'x'}}
        """
        found: dict[str, Any] = {}
        for option in ("inputs", "outputs"):
            given = getattr(self, option)
            if given is not None:
                names = tuple(name.strip() for name in given.split(","))
                if not all(names) or len(set(names)) < len(names):
                    raise InputError(f"--{option} must be different names with commas between them, got {given!r}")
                found[option] = names
        if self.points is not None:
            if self.points not in ("cells", "nodes", "periodic"):
                raise InputError(f"--points must be one of cells, nodes, periodic, got {self.points!r}")
            found["points"] = self.points
        meanings: dict[str, str] = {}
        for pair in self.rename or ():
            name, equals, meaning = (part.strip() for part in pair.partition("="))
            if not (name and equals and meaning):
                raise InputError(f"--rename must be NAME=MEANING, got {pair!r}; write for example --rename lon=x")
            if name in meanings:
                raise InputError(f"--rename gives {name!r} two meanings, {meanings[name]!r} and {meaning!r}; give one")
            meanings[name] = meaning
        return found | ({"rename": meanings} if meanings else {})


def existing_data(path: Path, *, what: str = "data file") -> Path:
    """Return ``path``, which must exist, unless it is a pattern or is being generated, of which opening it tells.

    Raises:
        InputError: nothing is there.
    """
    return path if has_magic(str(path)) or isfile(partial_of(path)) else existing(path, what=what)


def opened(path: Path, names: Names | None = None, **given: Any) -> OperatorDataset:
    """The dataset that a path of the command line stands for.

    Args:
        path: a file, a folder of shards, a pattern.
        names: what the file's names stand for.
        given: further arguments of `opforge.open_dataset`, instead of those in ``names``.

    Raises:
        InputError: nothing is there, an option that cannot be read, what `opforge.open_dataset` refuses.
    """
    arguments = ({} if names is None else names.arguments()) | given
    return opforge.open_dataset(existing_data(path), **arguments)
