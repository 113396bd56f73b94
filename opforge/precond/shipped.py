"""The preconditioners that opforge ships, made anew."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import Any

import torch

from opforge.errors import InputError, UnknownNameError
from opforge.precond import dcdm_training, multigrid_training
from opforge.precond.dcdm import ConjugateDirections
from opforge.precond.multigrid import LearnedMultigrid


def names() -> list[str]:
    """Those that there are."""
    return sorted({*multigrid_training.SHIPPED, *dcdm_training.SHIPPED})


def make_shipped(
    name: str, seed: int = 0, *, progress: bool = False, **changes: Any
) -> LearnedMultigrid | ConjugateDirections:
    """Train one of the preconditioners that opforge ships anew, as it was, or by another schedule.

    Args:
        name: such as ``"multigrid_2d"``.
        seed: of the weights at the start and of everything that is drawn.
        progress: whether a bar is shown on standard error.
        changes: of the schedule, such as ``steps``.

    Returns:
        What `opforge.precond.load` gives; ``about`` says how it was made, ``save(path)`` writes it.

    Raises:
        UnknownNameError: another name, an unknown change.
        InputError: values out of range.
        WorkError: a loss that is not finite.

    Example:
        >>> learned = make_shipped("multigrid_2d", steps=1, families=("contrast 10",), cells=(16, 20))
        >>> learned.about["command"]
        'opforge precond train multigrid_2d --set steps=1 --set families=contrast 10 --set cells=16,20'
    """
    if name not in names():
        raise UnknownNameError("preconditioner", name, names())
    of_multigrid = name in multigrid_training.SHIPPED
    usual = (multigrid_training.SHIPPED[name] if of_multigrid else dcdm_training.SHIPPED[name])[-1]
    known = [field.name for field in fields(usual)]
    for change in changes:
        if change not in known:
            raise UnknownNameError(f"setting of {name}", change, known)
    try:
        schedule: Any = replace(usual, **{key: _plain(value) for key, value in changes.items()})
    except TypeError as error:
        raise InputError(f"the settings {changes} must be numbers, or several of them: {error}") from error
    about = {"name": name, "command": _command(name, seed, changes)}
    if of_multigrid:
        ndim, hidden, _ = multigrid_training.SHIPPED[name]
        learned = multigrid_training.train_multigrid(ndim, schedule, hidden=hidden, seed=seed, progress=progress)
        learned.about = {**about, **learned.about}
        return learned
    arguments, _ = dcdm_training.SHIPPED[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = ConjugateDirections(**arguments)
    record = dcdm_training.train_directions(net, schedule, seed=seed, progress=progress)
    net.about = {**about, "seed": seed, "seconds": round(record.seconds), **asdict(schedule)}
    return net


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _command(name: str, seed: int, changes: dict[str, Any]) -> str:
    words = ["opforge precond train", name, *([f"--seed {seed}"] if seed else [])]
    for key, value in changes.items():
        several = isinstance(value, tuple | list)
        words.append(f"--set {key}={','.join(map(str, value)) if several else value}")
    return " ".join(words)
