"""``opforge train``: a model on a data file, into a run folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

import opforge
from opforge.cli.console import Report
from opforge.cli.data import DataFile, Inputs, Names, Outputs, PointsOfGrid, Rename, existing_data, opened
from opforge.cli.files import free_folder, free_json
from opforge.cli.options import Device, Force, Json, Settings, refuse_missing
from opforge.cli.settings import checked, literal, parsed
from opforge.errors import InputError, UnknownNameError


def train(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name of the model; `opforge list models` shows them.")],
    data: DataFile,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Run folder to write.")],
    epochs: Annotated[int, typer.Option(help="Passes through the data.")] = 50,
    settings: Settings = None,
    windows: Annotated[
        str | None,
        typer.Option(
            metavar="GIVEN:WANTED",
            help="Train step by step in time: so many frames in, the next ones out.",
            show_default="first frame in, last out",
        ),
    ] = None,
    validation: Annotated[
        str, typer.Option(metavar="PART|FILE", help="Last part of the data to hold out, or a data file; 0 for none.")
    ] = "0.1",
    batch_size: Annotated[int, typer.Option(help="Samples per step.")] = 20,
    learning_rate: Annotated[float, typer.Option(help="Largest learning rate of the run.")] = 4e-3,
    loss: Annotated[str, typer.Option(help="Relative error to minimise: l2 or h1.")] = "l2",
    schedule: Annotated[str, typer.Option(help="How the learning rate goes: onecycle or cosine.")] = "onecycle",
    symmetries: Annotated[
        bool, typer.Option(help="Vary the samples by the equation's symmetries (reflections, ...).")
    ] = True,
    seed: Annotated[int, typer.Option(help="Of initial weights, order of samples, symmetries.")] = 0,
    device: Device = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in FOLDER after its last epoch.")
    ] = False,
    force: Force = False,
    json: Json = None,
    inputs: Inputs = None,
    outputs: Outputs = None,
    points: PointsOfGrid = None,
    rename: Rename = None,
) -> None:
    """Train a model on a data file.

    Checkpoint, history and validation errors go to a run folder.
    --set gives a setting of the model, such as --set width=32 or --set modes=12 (highest kept mode per axis).
    An interrupted run goes on with the same command and --resume.
    """
    report: Report = context.obj
    existing_data(data)
    names = Names(inputs, outputs, points, rename)
    refuse_missing(device)
    free_json(json, force=force, reads=data)
    if not resume:
        free_folder(out, force=force, what="run folder")
    options = parsed(settings or [])
    parts = split(opened(data, names), validation, names)
    if windows is not None:
        parts = step_by_step(parts, windows)
    built = build(model, parts[0], options, seed=seed)
    report.detail(f"{model} with {count(built):,} parameters: {built.config}")
    started = time.perf_counter()
    try:
        run = opforge.fit(
            built,
            parts[0],
            epochs,
            loss=make_loss(loss),
            optimiser=make_optimiser(learning_rate, schedule),
            batch_size=batch_size,
            validation=parts[1],
            symmetries="auto" if symmetries else None,
            out=out,
            resume=resume,
            overwrite=force,
            seed=seed,
            device=device,
            progress=report.progress,
        )
    except KeyboardInterrupt:
        report.say(f"stopped; the same command with --resume goes on after the last finished epoch in {out}")
        raise
    last = run.history[-1]
    result = {
        "run": str(out),
        "epochs": last["epoch"],
        "train_loss": last["train_loss"],
        "validation": None if run.validation is None else run.validation.to_dict(),
        "seconds": round(time.perf_counter() - started, 2),
    }
    report.say(f"wrote {out}: {model} with {count(built):,} parameters, trained in {result['seconds']:.0f} s")
    if json != "-":
        errors = result["validation"] or {}
        report.table(
            ("run", "epochs", "training loss", "validation relative L2", "H1"),
            [(str(out), result["epochs"], result["train_loss"], errors.get("relative_l2"), errors.get("h1"))],
        )
    report.json(json, result)


def split(data: Any, validation: str, names: Names | None = None) -> tuple[Any, Any]:
    """Training and validation data: the last part of ``data`` held out, or another file; None for no validation.

    Raises:
        InputError: a part that is not in [0, 1), a file that does not exist.
    """
    part = literal(validation)
    if isinstance(part, str):
        return data, opened(existing_data(Path(part), what="validation file"), names)
    if not isinstance(part, (int, float)) or not 0 <= part < 1:
        raise InputError(f"--validation expects a part of the data in [0, 1) or a data file, got {validation!r}")
    held_out = round(part * len(data))
    if held_out == 0:
        return data, None
    if held_out == len(data):
        raise InputError(
            f"--validation {validation} of {len(data)} samples leaves none to train on; use a smaller part"
        )
    return data.split(len(data) - held_out, held_out)


def step_by_step(parts: tuple[Any, Any], windows: str) -> tuple[Any, Any]:
    """Training and validation data as pairs of runs of frames.

    Raises:
        InputError: anything but two whole numbers, data that do not evolve or have too few frames.
    """
    given, colon, wanted = windows.partition(":")
    if not (colon and given.strip().isdecimal() and wanted.strip().isdecimal()):
        raise InputError(f"--windows expects GIVEN:WANTED, such as 2:1 for two frames in and one out, got {windows!r}")
    training, validation = parts
    training = training.windows(int(given), int(wanted))
    return training, None if validation is None else validation.paired_as(training.pairing)


def build(name: str, data: Any, settings: dict[str, Any], *, seed: int) -> Any:
    """The model ``name`` for ``data``, its initial weights drawn from ``seed``.

    Raises:
        UnknownNameError: no such model, no such setting.
        InputError: a setting out of range.
    """
    import torch

    from opforge.models import registry

    models = registry()
    if name not in models:
        raise UnknownNameError("model", name, models)
    kind = models[name]
    given = ("dataset", "in_channels", "out_channels", "points")  # the data say these
    checked(settings, kind.for_data, kind, kind=f"setting of {name}", taken=given)
    torch.manual_seed(seed)
    try:
        return kind.for_data(data, **settings)
    except TypeError as error:
        raise InputError(f"the settings {settings} do not fit model {name!r}: {error}") from error
    except (MemoryError, RuntimeError) as error:  # torch has no error of its own for memory that a CPU lacks
        raise InputError(f"model {name!r} with the settings {settings} does not fit into memory; lower them") from error


def make_loss(name: str) -> Any:
    """The loss called ``name`` on the command line."""
    from opforge.training import losses

    known = losses()
    if name not in known:
        raise UnknownNameError("loss", name, known)
    return known[name]()


def make_optimiser(learning_rate: float, schedule: str) -> Any:
    """The optimiser with this learning rate and the schedule called ``schedule`` on the command line."""
    from opforge.training import Cosine, OneCycle, Optimiser

    known = {"cosine": Cosine, "onecycle": OneCycle}
    if schedule not in known:
        raise UnknownNameError("schedule", schedule, known)
    return Optimiser(learning_rate=learning_rate, schedule=known[schedule]())


def count(model: Any) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


COMMANDS = (
    (
        "train",
        train,
        "opforge train fno darcy.nc --epochs 50 --set width=32 --set modes=12 -o runs/darcy",
    ),
)
