"""``opforge plot``: pictures of a data file or of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import opforge
from opforge.cli.console import Report
from opforge.cli.data import Inputs, Names, Outputs, PointsOfGrid, Rename, existing_data, opened
from opforge.cli.evaluate import as_trained
from opforge.cli.files import check_suffix, free, save
from opforge.cli.inspection import is_run, read_history
from opforge.cli.options import Device, Force
from opforge.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from opforge.training import Operator


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
    inputs: Inputs = None,
    outputs: Outputs = None,
    points: PointsOfGrid = None,
    rename: Rename = None,
) -> None:
    """Draw a sample, a learning curve, or a prediction.

    A data file (or a folder of shards, or a pattern) gives the fields of one sample, several frames of those that
    evolve; a run folder its learning curve; a run folder with --data the input, truth, prediction and error of one
    sample of that file.
    """
    report: Report = context.obj
    existing_data(path, what="file or run folder")
    names = Names(inputs, outputs, points, rename)
    run = is_run(path)
    if not run and data is not None:
        raise InputError(f"--data goes with a run folder, {str(path)!r} holds data; leave --data out")
    if worst and data is None:
        raise InputError("--worst needs --data FILE and a run folder, to have errors to compare")
    if out is not None:
        free(out, force=force, what="picture", reads=path if data is None else data)
        check_suffix(out)
    if not run:
        figure, default = sample_figure(path, index, names), _default_name(path, index)
    elif data is None:
        figure, default = history_figure(path), f"{path.resolve().name}-history.png"
    else:
        existing_data(data)
        figure, index = prediction_figure(path, data, None if worst else index, names, device=device)
        default = f"{path.resolve().name}-{data.stem}-{index}.png"
    out = out if out is not None else free(Path(default), force=force, what="picture")
    save(figure, out)
    report.say(f"wrote {out}")


def sample_figure(path: Path, index: int, names: Names | None = None) -> Figure:
    """All fields of one sample of a dataset, several frames of those that evolve."""
    data = opened(path, names)
    _check_index(index, data.samples)
    return data.plot(index)


def _check_index(index: int, samples: int) -> None:
    if not 0 <= index < samples:
        raise InputError(f"--index must lie in 0 .. {samples - 1}, got {index}")


def _default_name(path: Path, index: int) -> str:
    """The picture's name for a sample of a file, a folder or a pattern."""
    return f"{path.resolve().stem.translate(str.maketrans('', '', '*?[]')).rstrip('-_.') or 'sample'}-{index}.png"


def history_figure(run: Path) -> Figure:
    """A run's learning curve."""
    from opforge.plotting import plot_history
    from opforge.training.checkpoint import find_checkpoint

    find_checkpoint(run)
    history = read_history(run)
    if not history:
        raise InputError(f"{run} has no history.jsonl to draw; train with `opforge train` or fit(..., out=...)")
    return plot_history(history, title=str(run))


def prediction_figure(
    run: Path, file: Path, index: int | None, names: Names | None = None, *, device: str = "auto"
) -> tuple[Figure, int]:
    """Input, truth, prediction and error of a sample, and its index; None takes the sample with the largest error."""
    operator, data = opforge.load(run, device=device), opened(file, names)
    data = as_trained(operator, data, run, file)
    if index is None:
        from opforge.training import evaluate

        index = int(evaluate(operator, data).per_sample["relative_l2"].argmax())
        return draw_prediction(operator, data, index, title=f"{file.name}, sample {index}, the worst"), index
    return draw_prediction(operator, data, index, title=f"{file.name}, sample {index}"), index


def draw_prediction(operator: Operator, data: Any, index: int, *, title: str) -> Figure:
    """Input, truth, prediction and error of one sample."""
    from opforge.datasets.quality.picture import labels
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
    _check_index(index, len(data))
    x, y = data[index]
    return dict(zip(data.inputs, x, strict=True)), dict(zip(data.outputs, y, strict=True))


COMMANDS = (("plot", plot, "opforge plot runs/darcy --data darcy128.nc --worst -o worst.png"),)
