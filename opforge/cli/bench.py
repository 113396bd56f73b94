"""``opforge bench``: the core against its peers on this machine, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opforge.cli.console import Report
from opforge.cli.files import free_folder, free_json, made_folder
from opforge.cli.options import Force, Json
from opforge.errors import UnknownNameError

if TYPE_CHECKING:
    from opforge.benchmarks.core import Results

Row = Mapping[str, Any]

BENCHMARKS = ("core",)
QUICK_SECONDS = 1.0


def bench(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="core", help="What to measure; there is one benchmark: core.")],
    quick: Annotated[bool, typer.Option("--quick", help="A few cases in a minute, without memory.")] = False,
    only: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Some of spectral,fft_conv,fno,transforms.", show_default="all"),
    ] = None,
    threads: Annotated[int, typer.Option(help="Threads of all contestants.")] = 2,
    seconds: Annotated[
        float | None, typer.Option(help="Time for each case and pass.", show_default="4, quick 1")
    ] = None,
    backends: Annotated[bool, typer.Option("--backends", help="Time every back end of spectral_conv, too.")] = False,
    untuned: Annotated[
        bool, typer.Option("--untuned", help="Without the process settings that this command makes for itself.")
    ] = False,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Folder to write.")] = Path("bench-core"),
    json: Json = None,
    force: Force = False,
) -> None:
    """Measure the core against its peers, side by side.

    spectral_conv and a whole FNO training step against neuraloperator's and plain torch.fft, long convolutions against
    padded torch.fft, full transforms against scipy.fft and torch.fft. Answers are compared first; then the contestants
    take turns in one process. Prints ratios, above 1 where opforge is faster, and writes them with quartiles, peak
    memory and a picture to a folder. A full run takes about a quarter of an hour; neuraloperator comes with
    pip install 'opforge[bench]'.
    """
    from opforge.benchmarks.core import Settings, run
    from opforge.benchmarks.worker import FAMILIES

    report: Report = context.obj
    if what not in BENCHMARKS:
        raise UnknownNameError("benchmark", what, BENCHMARKS)
    families = tuple(FAMILIES) if only is None else tuple(dict.fromkeys(only.replace(" ", "").split(",")))
    if seconds is None:
        seconds = QUICK_SECONDS if quick else Settings.seconds
    settings = Settings(families, threads, seconds, quick, backends, not untuned)
    free_json(json, force=force)
    made_folder(free_folder(out, force=force))
    results = run(settings, out, report.say)
    if json != "-":
        show(results, report)
    report.json(json, results.to_dict())
    report.say(f"wrote {', '.join(str(path) for path in results.save(out))}")


def show(results: Results, report: Report) -> None:
    """Print a table for every group of cases, the peaks of memory, and what was to be reached."""
    from opforge.benchmarks.reach import judge

    for place, rows in _grouped(results.rows).items():
        report.table(*_wide(rows, _time), title=f"{place}: milliseconds (times opforge's)")
        for line in _notes(rows):
            report.say(line)
    for place, rows in _grouped(results.memory).items():
        report.table(*_wide(rows, _peak), title=f"{place}: peak memory in MB (times opforge's)")
    lines = judge(results.rows, results.memory)
    if lines:
        part = ", a part of the cases" if results.settings.quick else ""
        columns = ("family", "group", "what", "cases", "reached", "goal", "verdict")
        report.table(columns, [[line[c] for c in columns] for line in lines], title=f"what is to be reached{part}")


def _grouped(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Family, group and pass in words -> their rows: what shares a table."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(f"{row['family']}, {row['group']}, {row['pass']}", []).append(row)
    return found


def _wide(rows: Sequence[Row], cell: Callable[[Row, Row], str]) -> tuple[list[str], list[list[Any]]]:
    """A line for each case, a column for each contestant."""
    names = list(dict.fromkeys(row["contestant"] for row in rows))
    cases: dict[str, dict[str, Row]] = {}
    for row in rows:
        cases.setdefault(row["case"], {})[row["contestant"]] = row
    table = [[case, *(cell(of[n], of["opforge"]) if n in of else None for n in names)] for case, of in cases.items()]
    return ["case", *(name.removeprefix("opforge, ") for name in names)], table


def _time(row: Row, own: Row) -> str:
    if row is own:
        return f"{_short(row['median_ms'])} {row['backend']}".rstrip()
    return f"{_short(row['median_ms'])} ({row['ratio']:.2f})"


def _peak(row: Row, own: Row) -> str:
    peak = row["allocated_mb"]
    return _short(peak) + ("" if row is own else f" ({peak / own['allocated_mb']:.2f})")


def _short(value: float) -> str:
    """Three significant digits, and all those before the point.

    Example:
        >>> _short(1234.5), _short(12.345), _short(0.12345)
        ('1234', '12.3', '0.123')
    """
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _notes(rows: Sequence[Row]) -> list[str]:
    """What is to be known of contestants, each note once, with the cases where it is not of all."""
    cases = {row["case"] for row in rows}
    of: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["note"]:
            of.setdefault((row["contestant"], row["note"]), []).append(row["case"])
    where = {key: "" if set(at) == cases else f" ({'; '.join(at)})" for key, at in of.items()}
    return [f"{who}{where[who, note]}: {note}" for who, note in of]


COMMANDS = (("bench", bench, "opforge bench core --quick"),)
