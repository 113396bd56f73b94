"""``opforge plot``: pictures of a data file or of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import opforge
from opforge.cli.console import Report
from opforge.cli.evaluate import check_fit
from opforge.cli.files import existing, free, written_whole
from opforge.cli.inspection import read_history
from opforge.cli.options import Device, Force
from opforge.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from opforge.training import Operator

SUFFIXES = (".png", ".pdf", ".svg")


def plot(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE|RUN", help="A data file, or a folder of `opforge train`.")],
    index: Annotated[int, typer.Option("-i", "--index", help="Sample to draw, from 0.")] = 0,
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With a run: draw its prediction for a sample of this file.")
    ] = None,
    worst: Annotated[bool, typer.Option("--worst", help="With --data: the sample with the largest error.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="PICTURE", help="File to write (.png, .pdf, .svg).", show_default="by name"
        ),
    ] = None,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Draw a sample, a learning curve, or a prediction.

    A data file gives the fields of one sample; a run folder its learning curve; a run folder with --data the input,
    truth, prediction and error of one sample of that file.
    """
    report: Report = context.obj
    existing(path, what="file or run folder")
    if not path.is_dir() and data is not None:
        raise InputError(f"--data goes with a run folder, {str(path)!r} is a file; leave --data out")
    if worst and data is None:
        raise InputError("--worst needs --data FILE and a run folder, to have errors to compare")
    if out is not None:
        free(out, force=force, what="picture")
        check_suffix(out)
    if not path.is_dir():
        figure, default = sample_figure(path, index), f"{path.stem}-{index}.png"
    elif data is None:
        figure, default = history_figure(path), f"{path.resolve().name}-history.png"
    else:
        existing(data, what="data file")
        figure, index = prediction_figure(path, data, None if worst else index, device=device)
        default = f"{path.resolve().name}-{data.stem}-{index}.png"
    out = out if out is not None else free(Path(default), force=force, what="picture")
    save(figure, out)
    report.say(f"wrote {out}")


def check_suffix(path: Path) -> None:
    """Refuse a picture's name whose ending is no known format."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"picture {str(path)!r} must end in one of {', '.join(SUFFIXES)}")


def save(figure: Figure, path: Path) -> None:
    """Write a picture in the format that its name ends in."""
    check_suffix(path)
    with written_whole(path) as partial:
        figure.savefig(partial, format=path.suffix[1:].lower())


def sample_figure(path: Path, index: int) -> Figure:
    """All fields of one sample of a data file."""
    from opforge.plotting import plot_sample

    data = opforge.open_dataset(path)
    fields, truth = sample_fields(data, index)
    return plot_sample(fields | truth, data.grid, labels=labels(data), title=f"{path.name}, sample {index}")


def history_figure(run: Path) -> Figure:
    """A run's learning curve."""
    from opforge.plotting import plot_history
    from opforge.training.checkpoint import find_checkpoint

    find_checkpoint(run)
    history = read_history(run)
    if not history:
        raise InputError(f"{run} has no history.jsonl to draw; train with `opforge train` or fit(..., out=...)")
    return plot_history(history, title=str(run))


def prediction_figure(run: Path, file: Path, index: int | None, *, device: str = "auto") -> tuple[Figure, int]:
    """Input, truth, prediction and error of a sample, and its index; None takes the sample with the largest error."""
    operator, data = opforge.load(run, device=device), opforge.open_dataset(file)
    check_fit(operator, data, run, file)
    if index is None:
        from opforge.training import evaluate

        index = int(evaluate(operator, data).per_sample["relative_l2"].argmax())
        return draw_prediction(operator, data, index, title=f"{file.name}, sample {index}, the worst"), index
    return draw_prediction(operator, data, index, title=f"{file.name}, sample {index}"), index


def draw_prediction(operator: Operator, data: Any, index: int, *, title: str) -> Figure:
    """Input, truth, prediction and error of one sample."""
    from opforge.plotting import plot_prediction

    inputs, truth = sample_fields(data, index)
    x, _ = data[index]
    prediction = dict(zip(data.outputs, operator(x[None])[0], strict=True))
    return plot_prediction(inputs, truth, prediction, grid=data.grid, labels=labels(data), title=title)


def sample_fields(data: Any, index: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs and outputs of one sample by name.

    Raises:
        InputError: no such sample.
    """
    if not 0 <= index < len(data):
        raise InputError(f"--index must lie in 0 .. {len(data) - 1}, got {index}")
    x, y = data[index]
    return dict(zip(data.inputs, x, strict=True)), dict(zip(data.outputs, y, strict=True))


def labels(data: Any) -> dict[str, str]:
    """Name -> name in words, symbol and unit, where the equation is known."""
    fields = data.equation.fields if data.equation is not None else ()
    units = {field.name: "" if field.units in ("1", "") else f" ({field.units})" for field in fields}
    return {field.name: f"{field.long_name} {field.name}{units[field.name]}" for field in fields}


COMMANDS = (("plot", plot, "opforge plot runs/darcy --data darcy128.nc --worst -o worst.png"),)
