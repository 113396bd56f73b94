"""What the commands print, and where: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opforge.datasets.files.whole import written_whole


@dataclass(frozen=True)
class Report:
    """How much a command says.

    Args:
        verbose: details too.
        quiet: results only, as tab-separated lines, for scripts.
    """

    verbose: bool = False
    quiet: bool = False

    @property
    def progress(self) -> bool:
        """Whether progress bars are wanted."""
        return not self.quiet

    def say(self, text: str) -> None:
        """Say what is going on (stderr), unless quiet."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def detail(self, text: str) -> None:
        """Say what only somebody looking closely wants to know (stderr)."""
        if self.verbose and not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def result(self, text: str) -> None:
        """Print a result (stdout), always."""
        print(text)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str = "") -> None:
        """Print a table (stdout): aligned for people, tab-separated with a header line when quiet."""
        cells = [[text(value) for value in row] for row in rows]
        if self.quiet:
            print("\n".join("\t".join(row) for row in [list(columns), *cells]))
            return
        from rich import box
        from rich.console import Console
        from rich.table import Table

        table = Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
        for number, column in enumerate(columns):
            numeric = number > 0 and all(
                isinstance(row[number], (int, float)) for row in rows if row[number] is not None
            )
            table.add_column(column, justify="right" if numeric else "left", overflow="fold")
        for row in cells:
            table.add_row(*row)
        # A pipe has no width: leave long lines whole there instead of folding them at 80 characters.
        console = Console(width=None if sys.stdout.isatty() else 200, markup=False, highlight=False)
        console.print(table)

    def json(self, target: str | None, values: Mapping[str, Any]) -> None:
        """Write ``values`` as JSON to the file ``target``, or to stdout for ``-``; nothing for None."""
        if target is None:
            return
        content = json.dumps(values, indent=2) + "\n"
        if target == "-":
            print(content, end="")
            return
        with written_whole(Path(target)) as partial:
            partial.write_text(content, encoding="utf-8")


def text(value: Any) -> str:
    """A value as a table shows it: four significant digits for floats, a dash for nothing.

    Example:
        >>> text(0.0123456), text(1000), text(None), text([64, 64]), text(["a", "b"])
        ('0.01235', '1000', '-', '64 x 64', 'a, b')
    """
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        sizes = all(type(item) is int for item in value)
        return (" x " if sizes else ", ").join(text(item) for item in value)
    return str(value)


def shown(value: Any) -> str:
    """Plain values on one line: ``name=value`` pairs for a mapping, ``Name(...)`` for one that has a ``name``.

    Example:
        >>> shown({"width": 32, "modes": [12, 12], "schedule": {"name": "OneCycle", "end": 1e-05}})
        'width=32, modes=12 x 12, schedule=OneCycle(end=1e-05)'
    """
    if not isinstance(value, dict):
        return text(value)
    pairs = ", ".join(f"{name}={shown(item)}" for name, item in value.items() if name != "name")
    return f"{value['name']}({pairs})" if "name" in value else pairs
