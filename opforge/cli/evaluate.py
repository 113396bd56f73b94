"""``opforge evaluate``: how good a trained operator is on a data file."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

import opforge
from opforge.cli.console import Report
from opforge.cli.data import DataFile, Inputs, Names, Outputs, PointsOfGrid, Rename, existing_data, opened
from opforge.cli.files import free_json
from opforge.cli.options import BatchSize, Device, Force, Json, Run
from opforge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opforge.core import Grid
    from opforge.training import Metrics, Operator

# Samples that are generated anew to compare two resolutions: enough for two digits of the mean, made in seconds.
MOST_AGAIN = 200

COLUMNS = ("data", "resolution", "samples", "relative L2", "H1", "max error", "residual", "data's residual")


def evaluate(
    context: typer.Context,
    run: Run,
    data: DataFile,
    device: Device = "auto",
    batch_size: BatchSize = 32,
    json: Json = None,
    force: Force = False,
    inputs: Inputs = None,
    outputs: Outputs = None,
    points: PointsOfGrid = None,
    rename: Rename = None,
) -> None:
    """Measure a trained operator on a data file of any resolution.

    The table shows the run's own validation samples, the file's samples, where their resolution is not the training's
    also the same random functions generated anew at the training's, and the simplest guess there is, the mean of the
    file's outputs, as a yardstick. relative L2 and H1: mean over samples of the error's
    norm over the truth's. max error: largest error at any point, in the output's unit. residual: mean over samples of
    what the prediction leaves over in the discretised equation, with the parameters of each sample, relative to the
    source term; of fields that evolve, in the time steps from the last frame given through those predicted, relative to
    these frames. data's residual: the same of the data themselves, below which a residual means nothing. A dash: no
    equation, or frames so far apart in time, as a run's first and last one often are, that the data themselves leave
    more than half over.
    """
    report: Report = context.obj
    existing_data(data)
    names = Names(inputs, outputs, points, rename)
    free_json(json, force=force, reads=data)
    from opforge import training

    operator = opforge.load(run, device=device)
    whole = opened(data, names)
    samples = as_trained(operator, whole, run, data)
    metrics = training.evaluate(operator, samples, batch_size=batch_size)
    baseline = mean_output_metrics(samples, batch_size=batch_size)
    recorded = recorded_metrics(run)
    if recorded is None:
        report.say(f"note: {run} has no validation errors on record: it was trained without validation data")
    seen = seen_in_training(operator.provenance, samples.provenance)
    if seen:
        report.say(f"note: {data} holds functions that {run} was trained on (same recipe and seed): not a test")
    rows = [(f"{data.name}: operator", metrics), (f"{data.name}: its mean output", baseline)]
    again = same_functions(whole, operator.grid, progress=report.progress)
    own_grid = None
    if again is not None:
        own_grid = training.evaluate(operator, as_trained(operator, again, run, data), batch_size=batch_size)
    if own_grid is not None:
        rows.insert(0, (f"{data.name}: operator, at the training's resolution", own_grid))
    if recorded is not None:
        rows.insert(0, ("validation part: operator", recorded))
    if metrics.residual_note is not None:
        report.say(f"note: there is no residual: {metrics.residual_note}")
    if json != "-":
        report.table(COLUMNS, table_rows(rows), title=f"{run} on {data}")
    report.json(
        json,
        {
            "run": str(run),
            "data": str(data),
            "metrics": metrics.to_dict(),
            "training_resolution": None if own_grid is None else own_grid.to_dict(),
            "validation": recorded,
            "mean_output": baseline.to_dict(),
            "seen_in_training": seen,
        },
    )


def table_rows(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> list[tuple[Any, ...]]:
    """Rows of `COLUMNS` from (name, metrics) pairs."""
    names = ("resolution", "samples", "relative_l2", "h1", "max_error", "residual")
    # runs of earlier versions have no residual of their data on record
    return [(name, *(of[column] for column in names), of.get("data_residual")) for name, of in rows]


def as_trained(operator: Operator, data: Any, run: Path, file: Path) -> Any:
    """The data in the pairs of frames that the operator was trained on, if their fields evolve.

    Raises:
        InputError: other fields, another number of axes, frames that do not meet the training's interval.
    """
    pairing = operator.provenance.get("pairing")
    if pairing is not None:
        try:
            data = data.paired_as(pairing)
        except InputError as error:
            raise InputError(f"{run} was trained step by step in time, {file} does not serve: {error}") from error
    check_fit(operator, data, run, file)
    return data


def check_fit(operator: Operator, data: Any, run: Path, file: Path) -> None:
    """Refuse data with other fields or another number of axes than the operator was trained on.

    Raises:
        InputError: the text names both.
    """
    for side in ("inputs", "outputs"):
        expected, found = tuple(getattr(operator, side)), tuple(getattr(data, side))
        if expected != found:
            raise InputError(
                f"{run} was trained for {len(expected)} {side} ({', '.join(expected)}), "
                f"{file} has {len(found)} ({', '.join(found)}); use a file of the kind that it was trained on"
            )
    if operator.ndim is not None and operator.ndim != data.grid.ndim:
        raise InputError(
            f"{run} was trained in {operator.ndim}-D, {file} is {data.grid.ndim}-D; "
            "use a file of the kind that it was trained on"
        )


def same_functions(samples: Any, grid: Grid | None, *, progress: bool) -> Any:
    """The random functions of a generated dataset on another grid of as many axes, at most `MOST_AGAIN` of them.

    Returns:
        None where that is the dataset's own grid, or where no recipe says how to make them.
    """
    made = samples.provenance
    if grid is None or grid.shape == samples.grid.shape or "recipe" not in made or made["samples"] != len(samples):
        return None
    count = min(len(samples), MOST_AGAIN)
    return opforge.generate(
        made["recipe"], count, grid.shape, made["seed"], progress=progress, **made["recipe_parameters"]
    )


def seen_in_training(trained_on: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    """Whether two generated datasets hold the same functions, on whichever grids: one recipe and one seed.

    Example:
        >>> seen_in_training({"recipe": "darcy", "seed": 0}, {"recipe": "darcy", "seed": 1})
        False
    """
    kind = ("recipe", "recipe_parameters", "seed")
    return "recipe" in data and all(trained_on.get(name) == data.get(name) for name in kind)


def mean_output_metrics(data: Any, *, batch_size: int) -> Metrics:
    """The errors of answering every input with the mean of the data's own outputs."""
    from opforge import training

    total: Any = 0.0
    for start in range(0, len(data), batch_size):
        _, outputs = data.batch(range(start, min(start + batch_size, len(data))))
        total = total + outputs.double().sum(0)
    mean = total / len(data)
    return training.evaluate(lambda inputs: mean.expand(len(inputs), *mean.shape), data, batch_size=batch_size)


def recorded_metrics(run: Path) -> dict[str, Any] | None:
    """The validation errors that `opforge train` kept in the run folder; None if there are none.

    Raises:
        InputError: the file is damaged.
    """
    from opforge.training.record import METRICS

    path = run / METRICS
    if not path.is_file():
        return None
    try:
        validation = json_format.loads(path.read_text(encoding="utf-8"))["validation"]
        if validation is not None:
            table_rows([("validation", validation)])  # all numbers are there
        return validation
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); delete it or train again") from error


COMMANDS = (("evaluate", evaluate, "opforge evaluate runs/darcy darcy128.nc --json metrics.json"),)
