"""``opforge tune``: measuring beforehand which back end is the fastest on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opforge.cli.console import Report
from opforge.cli.files import free_json
from opforge.cli.options import Device, Force, Json, Settings
from opforge.cli.settings import parsed
from opforge.errors import InputError, WorkError

if TYPE_CHECKING:
    from opforge.core.choice.decision import Question

# Seconds of timed calls per case: longer than what a first call spends, for the choice lasts.
THOROUGH, QUICK = 1.0, 0.15

COLUMNS = ("op", "calls", "back end", "forward + backward")


def tune(
    context: typer.Context,
    ops: Annotated[list[str] | None, typer.Argument(metavar="[OP]", help="All operations unless given.")] = None,
    shape: Annotated[
        str | None, typer.Option(metavar="N|NxM", help="Points per axis, instead of the usual grids.")
    ] = None,
    settings: Settings = None,
    device: Device = "auto",
    quick: Annotated[bool, typer.Option("--quick", help="Measure each case for a shorter time.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Show what is remembered; measure nothing.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Forget what is remembered; measure nothing.")] = False,
    json: Json = None,
    force: Force = False,
) -> None:
    """Measure which back end is fastest on this machine, and remember it.

    Without this command, an operation's first call of a size measures, where the cost model is unsure. --shape and
    --set give the size and the options of your own calls, such as --shape 96x96 --set 'modes=(16, 16)' --set batch=8
    --set channels=48 --set dtype=float64.
    """
    from opforge.core import plan_cache
    from opforge.core.choice.operations import OPERATIONS, known_op

    report: Report = context.obj
    chosen = [known_op(op) for op in dict.fromkeys(ops or sorted(OPERATIONS))]
    free_json(json, force=force)
    measuring = quick or shape is not None or settings or device != "auto"
    if (show or clear) and (measuring or (show and clear) or (clear and json is not None)):
        raise InputError("--show and --clear measure nothing; give one of them, with operations or --show with --json")
    if clear:
        forget(ops, chosen, report)
        return
    if show:
        entries = [entry for entry in plan_cache.entries() if entry.op in chosen]
        found = [_row(entry.op, entry.key, entry.backend, entry.medians, "measured earlier") for entry in entries]
    else:
        found = measure(_questions(chosen, shape, parsed(settings or []), device, report), quick, report)
    if json != "-":
        rows = [
            (row["op"], row["calls"], row["backend"], medians_text(row["medians_ms"]) or row["why"]) for row in found
        ]
        report.table(COLUMNS, rows, title=f"remembered in {plan_cache.path}")
    report.json(json, _as_json(found))


def forget(ops: Sequence[str] | None, chosen: Sequence[str], report: Report) -> None:
    """Forget what is remembered of ``chosen``; everything, for every machine, where no ``ops`` were given."""
    from opforge.core import plan_cache

    if not ops:
        plan_cache.clear()
    else:
        for op in chosen:
            plan_cache.forget(op)
    report.say(f"forgotten: {', '.join(chosen) if ops else 'everything'} in {plan_cache.path}")


def measure(questions: Sequence[Question], quick: bool, report: Report) -> list[dict[str, Any]]:
    """Measure every question, with a progress bar, and remember the fastest.

    Raises:
        InputError: ``OPFORGE_TUNE=off``.
        WorkError: cases that could not be measured, after all others have been.
    """
    from rich import progress
    from rich.console import Console

    from opforge.core.choice.decision import contest, tuning

    if tuning() == "off":
        raise InputError("OPFORGE_TUNE is off, so that nothing would be remembered; unset it to tune")
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("left"),
    )
    found, failed = [], []
    with progress.Progress(*columns, console=Console(stderr=True), disable=not report.progress) as bar:
        task = bar.add_task("tune", total=len(questions))
        for question in questions:
            bar.update(task, description=question.op)
            try:
                decision = contest(question, budget=QUICK if quick else THOROUGH)
                found.append(_row(question.op, question.key, decision.backend, decision.medians, decision.why))
            except Exception as error:  # a lack of memory, a broken package: the other cases may well succeed
                failed.append(f"{question.op} ({question.key}): {type(error).__name__}: {error}")
            bar.advance(task)
    if failed:
        raise WorkError(f"{len(failed)} of {len(questions)} cases could not be measured: {'; '.join(failed)}")
    return found


def medians_text(medians: Mapping[str, float]) -> str:
    """Medians in milliseconds, the shortest first.

    Example:
        >>> medians_text({"torch": 3.4567, "gemm": 1.9})
        'gemm 1.9 ms, torch 3.457 ms'
    """
    return ", ".join(f"{name} {medians[name]:.4g} ms" for name in sorted(medians, key=lambda name: medians[name]))


def _questions(
    ops: Sequence[str], shape: str | None, settings: Mapping[str, Any], device: str, report: Report
) -> list[Question]:
    """One question for each kind of call; those that the operation refuses on a grid of the user's are named."""
    from opforge.core.choice.operations import question_of, usual_cases
    from opforge.training.checkpoint import pick_device

    options = {"device": str(pick_device(device)), **settings}
    if isinstance(options.get("dtype"), str):
        options["dtype"] = _dtype(options["dtype"])
    grid = None if shape is None else sizes(shape)
    questions: dict[tuple[str, str], Question] = {}
    refused: list[InputError] = []
    for op in ops:
        for case in usual_cases(op):
            if grid is not None and len(grid) != len(case.shape):
                continue
            try:
                question = question_of(op, grid or case.shape, **{**case.options, **options})
            except InputError as error:
                refused.append(error)
                continue
            questions.setdefault((op, question.key), question)
    if refused and (grid is None or not questions):
        raise refused[0]
    if not questions:
        raise InputError(f"--shape must have as many axes as calls of {', '.join(ops)} have, got {shape}")
    for text in dict.fromkeys(map(str, refused)):
        report.say(f"left out: {text}")
    return list(questions.values())


def _dtype(name: str) -> Any:
    import torch

    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise InputError(f"dtype must be a number format of torch such as float32 or float64, got {name!r}")
    return found


def sizes(words: str, option: str = "--shape") -> tuple[int, ...]:
    """Points per axis as they are written on the command line, as the value of ``option``.

    Raises:
        InputError: anything but whole numbers from 1.

    Example:
        >>> sizes("64"), sizes("48x40")
        ((64,), (48, 40))
    """
    parts = words.lower().split("x")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise InputError(f"{option} expects a whole number or one per axis such as 48x40, got {words!r}")
    return tuple(map(int, parts))


def _row(op: str, key: str, backend: str, medians: Mapping[str, float], why: str) -> dict[str, Any]:
    return {"op": op, "calls": key, "backend": backend, "why": why, "medians_ms": dict(medians)}


def _as_json(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    from opforge.core import plan_cache
    from opforge.core.choice.machine import description

    return {"file": str(plan_cache.path), "machine": description(), "choices": list(found)}


COMMANDS = (("tune", tune, "opforge tune spectral_conv --quick"),)
