"""Files of weights and what is said of them: a reader sees the old content or the new one and never a part."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor, nn

from opforge.errors import InputError, no_room


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file through a ``.partial`` neighbour that takes its place when it is complete and on the disk.

    Raises:
        InputError: the folder cannot be made or written to, or the disk is full; the text gives the system's reason.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        if partial.parent.is_dir():
            partial.unlink(missing_ok=True)
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> InputError:
    if no_room(error):
        return InputError(
            f"writing {path} failed ({error.strerror}); the file before it is intact, make room and resume"
        )
    return InputError(f"out: cannot write {path} ({error.strerror}); make room or give a folder that can be written to")


def append_line(path: Path, text: str) -> None:
    """Add a line to a text file and hand it to the system at once, so that it can be followed and survives a crash."""
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise _cannot_write(path, error) from error


def json_bytes(values: Any, *, what: str) -> bytes:
    """Plain values as the content of a JSON file; ``what`` names them in the InputError if they are not plain."""
    try:
        return json.dumps(values, indent=2, ensure_ascii=False).encode() + b"\n"
    except TypeError as error:
        raise InputError(f"{what}: expected plain JSON values ({error}); use numbers, text, lists, dicts") from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors, see `write_bytes`; tensors that share memory are written one by one."""
    copies = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    write_bytes(path, safetensors.torch.save(copies, dict(metadata or {})))


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        InputError: the file is not JSON or not an object; the text gives the place.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged or unreadable ({error}); copy it again or train again") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} is damaged: expected a JSON object, got {type(values).__name__}; copy it again")
    return values


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors and the metadata of a safetensors file.

    Raises:
        InputError: the file is missing, cut off or not safetensors.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is cut off or damaged ({reason}); copy it again or train again") from error


def fill(model: nn.Module, tensors: Mapping[str, Tensor], *, what: str) -> None:
    """Put tensors into a model in place, after checking every name and shape; takes over their precision.

    Raises:
        InputError: names or shapes that differ; the text starts with ``what`` and gives the first difference.
    """
    own = model.state_dict()
    for name in sorted(own.keys() | tensors.keys()):
        expected = tuple(own[name].shape) if name in own else "nothing"
        got = tuple(tensors[name].shape) if name in tensors else "nothing"
        if expected != got:
            raise InputError(f"{what}: expected {name} {expected}, got {got}; use the model that it was trained with")
    dtypes = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    if len(dtypes) == 1:
        model.to(dtypes.pop())
    model.load_state_dict(dict(tensors))
