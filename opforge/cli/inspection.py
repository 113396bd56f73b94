"""``opforge inspect``: what a dataset or a run folder holds."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated, Any

import typer

import opforge
from opforge.cli.console import Report, shown, text
from opforge.cli.data import Inputs, Names, Outputs, PointsOfGrid, Rename, existing_data
from opforge.cli.data_report import Found, as_values, look_at, show
from opforge.cli.files import check_suffix, free, free_json, save
from opforge.cli.options import Force, Json
from opforge.cli.train import count
from opforge.datasets.files.whole import written_whole
from opforge.errors import InputError


def inspect(
    context: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|RUN",
            help="A data file, a folder of shards, a pattern such as 'darcy-*.nc'; or a folder of `opforge train`.",
        ),
    ],
    verify: Annotated[
        bool, typer.Option("--verify", help="Estimate the data's own error: make samples again, more exactly.")
    ] = False,
    samples: Annotated[
        int | None, typer.Option("-n", "--samples", help="With --verify: how many samples.", show_default="3")
    ] = None,
    card: Annotated[bool, typer.Option("--card", help="Print a data card in Markdown instead of tables.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="With --card: file to write.", show_default="stdout"),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="PICTURE", help="Draw spectra, values and a sample (.png, .pdf, .svg)."),
    ] = None,
    json: Json = None,
    force: Force = False,
    inputs: Inputs = None,
    outputs: Outputs = None,
    points: PointsOfGrid = None,
    rename: Rename = None,
) -> None:
    """Show what a data file or a run folder holds.

    For data: dimensions, grid, fields with units and ranges, where the numbers come from; residuals, samples that
    failed, whether the equation's invariants hold, spectra. Every sample is read, and compared with its checksum.
    Sample i is the one that (seed, i) makes. --verify makes a few samples again from their seeds: as they are, with
    half the time step or a tenth of the tolerance, and on grids twice and four times as fine. For a run: model, number
    of parameters, what it was trained on, how the training went.
    """
    report: Report = context.obj
    existing_data(path, what="file or run folder")
    names = Names(inputs, outputs, points, rename)
    free_json(json, force=force, reads=path)
    if is_run(path):
        _for_data_only(path, verify=verify, samples=samples, card=card, out=out, picture=picture, **names._asdict())
        run = of_run(path)
        if json != "-":
            show_run(run, report)
        report.json(json, run)
        return
    wanted = _samples_to_verify(verify, samples)
    _check_outputs(card, out, picture, json, force=force, reads=path)
    found = look_at(path, names, verified=wanted, progress=report.progress)
    if not found.data.samples:
        _without_samples(found, verify=verify, picture=picture)
    if card and out is None:
        print(found.card, end="")
    elif card and out is not None:
        with written_whole(out) as partial:
            partial.write_text(found.card, encoding="utf-8")
        report.say(f"wrote {out}")
    elif json != "-":
        show(found, report)
    if picture is not None:
        save(found.picture(), picture)
        report.say(f"wrote {picture}")
    if json is not None:
        report.json(json, as_values(found))


def _without_samples(found: Found, **given: Any) -> None:
    """Refuse options that need a sample."""
    for name, value in given.items():
        if value:
            raise InputError(
                f"--{name} needs samples, all {found.summary.failed} of {str(found.place)!r} failed; leave it out to "
                "see why"
            )


def is_run(path: Path) -> bool:
    """Whether a folder is to be looked at as a run: it has a checkpoint, or nothing that could be a shard."""
    if not path.is_dir():
        return False
    from opforge.datasets.formats.sets import ENDINGS
    from opforge.training.checkpoint import has_checkpoint

    return has_checkpoint(path) or not any(entry.suffix in ENDINGS for entry in path.iterdir())


def _for_data_only(path: Path, **given: Any) -> None:
    """Refuse options that say nothing about a run."""
    for name, value in given.items():
        if value is not None and value is not False:
            raise InputError(f"--{name} is for data files, {str(path)!r} is a run folder; leave it out")


def _samples_to_verify(verify: bool, samples: int | None) -> int | None:
    if not verify and samples is not None:
        raise InputError("--samples needs --verify, which makes that many samples again")
    if samples is not None and samples < 1:
        raise InputError(f"--samples must be at least 1, got {samples}")
    return (samples or 3) if verify else None


def _check_outputs(
    card: bool, out: Path | None, picture: Path | None, json: str | None, *, force: bool, reads: Path
) -> None:
    """Refuse, before any work, outputs that cannot be written or that would stand in each other's way."""
    if out is not None and not card:
        raise InputError("--out is the file for --card; add --card, or use --json or --picture")
    if card and out is None and json == "-":
        raise InputError("--card and --json - both write to stdout; give one of them a file")
    if out is not None:
        free(out, force=force, what="data card", reads=reads)
    if picture is not None:
        free(picture, force=force, what="picture", reads=reads)
        check_suffix(picture)


def of_run(path: Path) -> dict[str, Any]:
    """What a run folder holds, as plain values.

    Raises:
        InputError: no checkpoint, or a damaged one.
    """
    from opforge.training.checkpoint import describe_model

    operator = opforge.load(path)
    return {
        "run": str(path),
        "model": describe_model(operator.model),
        "parameters": count(operator.model),
        "inputs": list(operator.inputs),
        "outputs": list(operator.outputs),
        "grid": operator.grid.to_dict() if operator.grid is not None else None,
        "provenance": operator.provenance,
        "training": operator.training,
        "history": read_history(path),
    }


def read_history(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's ``history.jsonl``, one an epoch; none if the file does not exist.

    Raises:
        InputError: a line that is damaged.
    """
    path = run / "history.jsonl"
    if not path.is_file():
        return []
    try:
        history = [json_format.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        for line in history:
            _row(line)
        return history
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); train again") from error


def show_run(found: dict[str, Any], report: Report) -> None:
    """Print what `of_run` found."""
    model = found["model"]
    facts = [
        ("model", model["name"]),
        ("settings", shown(model["config"])),
        ("parameters", f"{found['parameters']:,}"),
        ("maps", f"{', '.join(found['inputs'])} -> {', '.join(found['outputs'])}"),
    ]
    if found["grid"] is not None:
        facts.append(("trained on", f"{text(found['grid']['shape'])} {found['grid']['points']}"))
    facts += [(f"data: {name.replace('_', ' ')}", shown(value)) for name, value in found["provenance"].items()]
    facts += [(f"training: {name.replace('_', ' ')}", shown(value)) for name, value in found["training"].items()]
    report.table(("property", "value"), facts, title=found["run"])
    history = found["history"]
    if history:
        rows = [_row(line) for line in milestones(history)]
        columns = ("epoch", "training loss", "validation loss", "learning rate", "seconds")
        report.table(columns, rows, title=f"history, {sum(line['seconds'] for line in history):.0f} s")


def _row(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line[name] for name in ("epoch", "train_loss", "validation_loss", "learning_rate", "seconds"))


def milestones(history: list[dict[str, Any]], most: int = 8) -> list[dict[str, Any]]:
    """At most ``most`` entries, evenly spread, the first and the last among them.

    Example:
        >>> [line["epoch"] for line in milestones([{"epoch": e} for e in range(1, 51)], most=4)]
        [1, 17, 34, 50]
    """
    if len(history) <= most:
        return history
    return [history[round(i * (len(history) - 1) / (most - 1))] for i in range(most)]


COMMANDS = (("inspect", inspect, "opforge inspect darcy.nc"),)
