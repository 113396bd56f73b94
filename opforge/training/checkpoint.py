"""Checkpoints: what a trained operator is, as safetensors and JSON. Loading one runs no code from it.

A run folder holds ``checkpoint/checkpoint.json`` (model's name and constructor arguments, normaliser, grid, names of
the fields, provenance, versions, options of the training) and ``checkpoint/weights.safetensors``.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import torch
from torch import nn

from opforge import __version__, models
from opforge.core.grid import Grid
from opforge.errors import InputError, UnknownNameError
from opforge.models.files import fill, json_bytes, read_json, read_tensors, write_bytes, write_tensors
from opforge.training.normalisation import Normaliser
from opforge.training.operator import Operator

FORMAT = 1
CHECKPOINT = "checkpoint"
DESCRIPTION = "checkpoint.json"
WEIGHTS = "weights.safetensors"

_KINDS = {"inputs": list, "outputs": list, "provenance": dict, "training": dict}


def has_checkpoint(folder: Path) -> bool:
    return (folder / CHECKPOINT / DESCRIPTION).is_file()


def describe_model(model: nn.Module) -> dict[str, Any]:
    """Name and constructor arguments of a model; one that opforge does not have goes by its class alone."""
    for name, kind in models.registry().items():
        if type(model) is kind:
            return {"name": name, "config": model.config}
    return {"name": f"{type(model).__module__}.{type(model).__qualname__}", "config": None}


def save(operator: Operator, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write an operator's checkpoint into a run folder; a reader never sees a part of it.

    Args:
        operator: what to write.
        folder: run folder, made if it does not exist.
        overwrite: replace a checkpoint that is there.

    Returns:
        The run folder.

    Raises:
        InputError: a checkpoint is there and ``overwrite`` is off; the folder cannot be written to.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> net = nn.Conv1d(1, 1, 3, padding=1)
        >>> operator = Operator(net, Normaliser([0.0], [1.0], [0.0], [1.0]), inputs=["a"], outputs=["u"])
        >>> with TemporaryDirectory() as folder:
        ...     load(save(operator, folder), model=nn.Conv1d(1, 1, 3, padding=1))
        Operator(Conv1d: a -> u)
    """
    folder = Path(folder)
    if has_checkpoint(folder) and not overwrite:
        raise InputError(f"out: {folder} holds a checkpoint already; give another folder, or overwrite=True")
    description = {
        "format": FORMAT,
        "opforge": __version__,
        "torch": torch.__version__,
        "model": describe_model(operator.model),
        "inputs": list(operator.inputs),
        "outputs": list(operator.outputs),
        "grid": operator.grid.to_dict() if operator.grid else None,
        "normaliser": operator.normaliser.to_dict(),
        "provenance": operator.provenance,
        "training": operator.training,
    }
    path = folder / CHECKPOINT / DESCRIPTION
    content = json_bytes(description, what=path.name)
    same = path.is_file() and path.read_bytes() == content
    if not same:
        # Without its description, a checkpoint that is half replaced counts as none.
        path.unlink(missing_ok=True)
    write_tensors(path.with_name(WEIGHTS), operator.model.state_dict())
    if not same:
        write_bytes(path, content)
    return folder


def load(folder: str | Path, *, device: str | torch.device = "cpu", model: nn.Module | None = None) -> Operator:
    """Read a trained operator from its run folder.

    Args:
        folder: run folder (or the ``checkpoint`` folder in it).
        device: where the model shall compute.
        model: the model to fill with the weights; needed only for a class of one's own, not in ``opforge.models``.

    Returns:
        The operator: physical values in and out, numpy, torch or xarray.

    Raises:
        InputError: no such folder, no checkpoint in it, files that are damaged or belong to another model.
        UnknownNameError: a model that this version does not have.

    Example:
        >>> load("runs/nowhere")
        Traceback (most recent call last):
        ...
        opforge.errors.InputError: run folder runs/nowhere does not exist; train one with opforge.fit(..., out=...)
    """
    place = find_checkpoint(Path(folder))
    description = read_json(place / DESCRIPTION)
    if description.get("format") != FORMAT:
        raise InputError(
            f"{place / DESCRIPTION}: expected format {FORMAT}, got {description.get('format')!r}; "
            "use the opforge that wrote it, or train again"
        )
    tensors, _ = read_tensors(place / WEIGHTS)
    try:
        name, config = description["model"]["name"], description["model"]["config"]
        grid = Grid.from_dict(description["grid"]) if description["grid"] else None
        normaliser = Normaliser.from_dict(description["normaliser"])
        known = {key: description[key] for key in ("inputs", "outputs", "provenance", "training")}
        if not all(isinstance(known[key], kind) for key, kind in _KINDS.items()):
            raise TypeError("inputs and outputs must be lists, provenance and training objects")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{place / DESCRIPTION} is damaged ({type(error).__name__}: {error}); copy it again or train again"
        ) from error
    model = _build(name, config, place) if model is None else model
    fill(model, tensors, what=f"{place / WEIGHTS} does not fit model {name!r}")
    return Operator(model.to(pick_device(device)), normaliser, grid=grid, **known)


def find_checkpoint(folder: Path) -> Path:
    """The folder with the two files; an InputError that says what is there instead if there is none."""
    for place in (folder / CHECKPOINT, folder):
        if (place / DESCRIPTION).is_file() and (place / WEIGHTS).is_file():
            return place
    near = _closest_run(folder)
    hint = f"did you mean {near}?" if near else "train one with opforge.fit(..., out=...)"
    if not folder.exists():
        raise InputError(f"run folder {folder} does not exist; {hint}")
    if not folder.is_dir():
        raise InputError(f"run folder {folder} is a file; {hint}")
    found = sorted(entry.name for entry in folder.iterdir())
    shown = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
    raise InputError(f"run folder {folder} has no {CHECKPOINT}/{DESCRIPTION}, it holds {shown or 'nothing'}; {hint}")


def _closest_run(folder: Path) -> Path | None:
    """The run folder inside this one or beside it whose name is closest, None if there is none."""
    places = [place for place in (folder, folder.parent) if place.is_dir()]
    runs = [child for place in places for child in sorted(place.iterdir()) if child.is_dir() and has_checkpoint(child)]
    return max(runs, key=lambda run: SequenceMatcher(None, folder.name, run.name).ratio(), default=None)


def _build(name: str, config: Any, place: Path) -> nn.Module:
    registry = models.registry()
    if name not in registry:
        if "." in name:
            raise InputError(
                f"{place / DESCRIPTION} names model {name!r}, which is not one of opforge's ({', '.join(registry)}); "
                "build it yourself and pass load(folder, model=...)"
            )
        raise UnknownNameError("model", name, registry)
    try:
        with torch.random.fork_rng(
            devices=[]
        ):  # the weights drawn here are replaced: leave the caller's generator alone
            return registry[name](**config)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{place / DESCRIPTION}: model {name!r} cannot be built from its config ({error}); "
            "use the opforge that wrote it, or train again"
        ) from error


def pick_device(device: str | torch.device) -> torch.device:
    """The device of that name; ``"auto"`` is cuda where there is one, else cpu.

    Raises:
        InputError: no such device on this machine.
    """
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return torch.device("cuda" if available else "cpu")
    try:
        picked = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"device: expected 'auto', 'cpu', 'cuda' or 'cuda:1', ..., got {device!r}") from error
    if picked.type == "cuda" and (picked.index or 0) >= available:
        raise InputError(
            f"device: expected one of this machine's ({available} cuda), got {device!r}; use 'auto' or 'cpu'"
        )
    return picked
