"""Weights of learned preconditioners as safetensors beside JSON: reading them runs no code from them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import nn

from opforge.errors import InputError, UnknownNameError

PRETRAINED = Path(__file__).parent / "pretrained"


def pretrained() -> list[str]:
    """Names of the preconditioners that opforge ships."""
    return sorted(path.stem for path in PRETRAINED.glob("*.json"))


def load(name_or_path: str | Path) -> Any:
    """A learned preconditioner: one that opforge ships, by its name, or files that ``save(path)`` wrote.

    Args:
        name_or_path: such as ``"multigrid_2d"``; or a path without an ending, or with one of the two.

    Returns:
        A `LearnedMultigrid`, whose ``learned(A)`` is a `opforge.solvers.Preconditioner` and ``aspreconditioner(A)`` a
        ``LinearOperator`` for scipy's cg; or `ConjugateDirections`, whose ``on(A)`` is M of `opforge.solvers.dcdm`.

    Raises:
        UnknownNameError: no such name and no such files.
        InputError: files that are damaged or of another kind.

    Example:
        >>> load("multigrid_2d")
        LearnedMultigrid(2-D, 102 numbers, dirichlet, neumann, periodic)
    """
    path = _stem(Path(name_or_path))
    if not path.with_name(path.name + ".json").is_file():
        if str(name_or_path) not in pretrained():
            raise UnknownNameError("preconditioner", str(name_or_path), pretrained())
        path = PRETRAINED / str(name_or_path)
    about = read_about(path)
    if about.get("kind") == "multigrid":
        from opforge.precond.multigrid import LearnedMultigrid

        return LearnedMultigrid.from_files(path, about)
    if about.get("kind") == "directions":
        from opforge.precond.dcdm import ConjugateDirections

        return ConjugateDirections.from_files(path, about)
    raise InputError(f"{path}.json must say a kind that is known, multigrid or directions, got {about.get('kind')!r}")


def save_weights(net: nn.Module, path: str | Path, about: dict[str, Any]) -> Path:
    """Write a network's weights and what is to be known of them; a reader sees the old file or the new one.

    Raises:
        InputError: the folder cannot be written to, values that are not plain.
    """
    path = _stem(Path(path))
    try:
        text = json.dumps(about, indent=2) + "\n"
    except TypeError as error:
        raise InputError(f"about must have plain values, numbers, text, lists ({error})") from error
    tensors = {name: x.detach().to("cpu", copy=True).contiguous() for name, x in net.state_dict().items()}
    _replace(path.with_name(path.name + ".safetensors"), safetensors.torch.save(tensors))
    _replace(path.with_name(path.name + ".json"), text.encode())
    return path


def read_about(path: Path) -> dict[str, Any]:
    """What stands beside the weights.

    Raises:
        InputError: no such file, or not a JSON object.
    """
    try:
        about = json.loads(path.with_name(path.name + ".json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}.json is missing or damaged ({error}); copy it again") from error
    if not isinstance(about, dict):
        raise InputError(
            f"{path}.json is damaged: it must hold a JSON object, got {type(about).__name__}; copy it again"
        )
    return about


def load_weights(net: nn.Module, path: Path) -> None:
    """Put the weights of a file into a network.

    Raises:
        InputError: no such file, one that is damaged, of another network, or with numbers that are not finite.
    """
    file = path.with_name(path.name + ".safetensors")
    try:
        tensors = safetensors.torch.load_file(file)
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(f"{file} is missing or damaged ({' '.join(str(error).split())}); copy it again") from error
    own = net.state_dict()
    for name in sorted(own.keys() | tensors.keys()):
        expected = tuple(own[name].shape) if name in own else "nothing"
        got = tuple(tensors[name].shape) if name in tensors else "nothing"
        if expected != got:
            raise InputError(f"{file} does not fit its JSON: expected {name} {expected}, got {got}; copy both again")
        if not bool(tensors[name].isfinite().all()):
            raise InputError(f"{file} is damaged: {name} has numbers that are not finite; copy it again")
    net.load_state_dict(tensors)


def _stem(path: Path) -> Path:
    return path.with_suffix("") if path.suffix in (".json", ".safetensors") else path


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"path must be one that can be written to, {path} cannot ({error.strerror})") from error
