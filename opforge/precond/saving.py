"""Weights of learned preconditioners as safetensors beside JSON: reading them runs no code from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from opforge.errors import InputError, UnknownNameError
from opforge.models.files import fill, json_bytes, read_json, read_tensors, write_bytes, write_tensors

PRETRAINED = Path(__file__).parent / "pretrained"


def pretrained() -> list[str]:
    """Names of the preconditioners that opforge ships."""
    return sorted(path.stem for path in PRETRAINED.glob("*.json"))


def load(name_or_path: str | Path) -> Any:
    """A learned preconditioner: one that opforge ships, by its name, or files that ``save(path)`` wrote.

    Args:
        name_or_path: such as ``"multigrid_2d"``; or a path without an ending, or with one of the two.

    Returns:
        What ``on(A)`` makes M of: of every cg where it is a `LearnedMultigrid`, whose ``aspreconditioner(A)`` is a
        ``LinearOperator`` for scipy's; of `opforge.solvers.dcdm` and ``fcg`` where it is `ConjugateDirections`.

    Raises:
        UnknownNameError: no such name and no such files.
        InputError: files that are damaged or of another kind.

    Example:
        >>> load("multigrid_2d")
        LearnedMultigrid(2-D, 102 numbers, dirichlet, neumann, periodic)
    """
    path = _stem(Path(name_or_path))
    if not _about(path).is_file():
        if str(name_or_path) not in pretrained():
            raise UnknownNameError("preconditioner", str(name_or_path), pretrained())
        path = PRETRAINED / str(name_or_path)
    about = read_json(_about(path))
    if about.get("kind") == "multigrid":
        from opforge.precond.multigrid import LearnedMultigrid

        return LearnedMultigrid.from_files(path, about)
    if about.get("kind") == "directions":
        from opforge.precond.dcdm import ConjugateDirections

        return ConjugateDirections.from_files(path, about)
    raise InputError(f"{path}.json must say a kind that is known, multigrid or directions, got {about.get('kind')!r}")


def files_of(name_or_path: str | Path, *, new: bool = False) -> tuple[Path, Path]:
    """The two files of a preconditioner: weights and JSON; of one that opforge ships, by its name, unless ``new``."""
    path = _stem(Path(name_or_path))
    if not new and not _about(path).is_file() and str(name_or_path) in pretrained():
        path = PRETRAINED / str(name_or_path)
    return _weights(path), _about(path)


def save_weights(net: nn.Module, path: str | Path, about: dict[str, Any]) -> Path:
    """Write a network's weights and what is to be known of them; a reader sees the old file or the new one.

    Raises:
        InputError: the folder cannot be written to, values that are not plain.
    """
    path = _stem(Path(path))
    text = json_bytes(about, what="about")
    write_tensors(_weights(path), net.state_dict())
    write_bytes(_about(path), text)
    return path


def load_weights(net: nn.Module, path: Path) -> None:
    """Put the weights of a file into a network.

    Raises:
        InputError: no such file, one that is damaged, of another network, or with numbers that are not finite.
    """
    file = _weights(path)
    tensors, _ = read_tensors(file)
    for name, values in tensors.items():
        if not bool(values.isfinite().all()):
            raise InputError(f"{file} is damaged: {name} has numbers that are not finite; copy it again")
    fill(net, tensors, what=f"{file} does not fit its JSON")


def _about(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _weights(path: Path) -> Path:
    return path.with_name(path.name + ".safetensors")


def _stem(path: Path) -> Path:
    return path.with_suffix("") if path.suffix in (".json", ".safetensors") else path
