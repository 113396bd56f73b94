"""Weights of networks of conjugate directions as safetensors, with what the network is as JSON beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors.torch

from opforge.precond.dcdm import ConjugateDirections


def save_directions(net: ConjugateDirections, path: str | Path, **about: Any) -> None:
    """Write ``path`` with the ending .safetensors, and .json, which also holds ``about``."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()}
    safetensors.torch.save_file(tensors, path.with_suffix(".safetensors"))
    text = json.dumps({"network": net.describe(), **about}, indent=2)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")


def load_directions(path: str | Path) -> ConjugateDirections:
    path = Path(path)
    description = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    net = ConjugateDirections(**description["network"])
    net.load_state_dict(safetensors.torch.load_file(path.with_suffix(".safetensors")))
    return net
