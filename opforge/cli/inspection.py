"""``opforge inspect``: what a data file or a run folder holds."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import opforge
from opforge.cli.console import Report, text
from opforge.cli.files import existing, free_json
from opforge.cli.options import Force, Json
from opforge.cli.train import count
from opforge.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

CHUNK = 64  # samples read at a time


def inspect(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE|RUN", help="A data file, or a folder of `opforge train`.")],
    json: Json = None,
    force: Force = False,
) -> None:
    """Show what a data file or a run folder holds.

    For a file: dimensions, grid, variables with units and range, residuals of the solutions, where the numbers come
    from. For a run: model, number of parameters, what it was trained on, how the training went.
    """
    report: Report = context.obj
    existing(path, what="file or run folder")
    free_json(json, force=force)
    found = of_run(path) if path.is_dir() else of_file(path)
    if json != "-":
        (show_run if path.is_dir() else show_file)(found, report)
    report.json(json, found)


def of_file(path: Path) -> dict[str, Any]:
    """What a data file holds, as plain values.

    Raises:
        InputError: a file that is damaged or no dataset, values that are not finite.
    """
    data = opforge.open_dataset(path)
    content = data.to_xarray()
    residual = content["solver_residual"].values if "solver_residual" in content else None
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "dimensions": {str(name): size for name, size in content.sizes.items()},
        "grid": data.grid.to_dict() if data.grid is not None else None,
        "inputs": list(data.inputs),
        "outputs": list(data.outputs),
        "variables": variables(data, content),
        "solver_residual": None if residual is None else {"mean": float(residual.mean()), "max": float(residual.max())},
        "provenance": dict(data.provenance),
    }


def variables(data: Any, content: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Name in words, units, number format and range of every variable, read a few samples at a time."""
    import torch

    exact = data.astype(torch.float64)
    names = (*data.inputs, *data.outputs)
    low, high, total = torch.tensor(torch.inf), torch.tensor(-torch.inf), torch.tensor(0.0)
    for start in range(0, len(data), CHUNK):
        fields = torch.cat(exact.batch(range(start, min(start + CHUNK, len(data)))), dim=1)
        flat = fields.transpose(0, 1).flatten(1)  # a row for every variable
        low, high = torch.minimum(low, flat.amin(1)), torch.maximum(high, flat.amax(1))
        total = total + flat.sum(1)
    return {
        name: {
            "long_name": content[name].attrs.get("long_name"),
            "units": content[name].attrs.get("units"),
            "dtype": str(content[name].dtype),
            "min": float(low[i]),
            "mean": float(total[i]) / content[name].size,
            "max": float(high[i]),
        }
        for i, name in enumerate(names)
    }


def show_file(found: dict[str, Any], report: Report) -> None:
    """Print what `of_file` found."""
    roles = {name: "input" for name in found["inputs"]} | {name: "output" for name in found["outputs"]}
    rows = [
        (name, roles[name], v["long_name"], v["units"], v["dtype"], v["min"], v["mean"], v["max"])
        for name, v in found["variables"].items()
    ]
    report.table(
        ("variable", "role", "long name", "units", "format", "min", "mean", "max"),
        rows,
        title=f"{found['file']}, {found['bytes'] / 1e6:.1f} MB",
    )
    facts = [("dimensions", ", ".join(f"{name} {size}" for name, size in found["dimensions"].items()))]
    if found["grid"] is not None:
        grid = found["grid"]
        box = " x ".join(map(text, grid["lengths"]))
        facts.append(("grid", f"{text(grid['shape'])} {grid['points']}, box {box}"))
    if found["solver_residual"] is not None:
        residual = found["solver_residual"]
        facts.append(("solver residual", f"mean {residual['mean']:.2g}, max {residual['max']:.2g} (relative)"))
    facts += [(name.replace("_", " "), shown(value)) for name, value in found["provenance"].items()]
    report.table(("property", "value"), facts)


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


COMMANDS = (("inspect", inspect, "opforge inspect darcy.nc"),)
