"""What a training leaves in its run folder: the checkpoint, the log, and the state to resume from."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opforge.errors import InputError
from opforge.models.files import append_line, json_bytes, write_bytes
from opforge.training.checkpoint import CHECKPOINT, DESCRIPTION, WEIGHTS, describe_model, has_checkpoint, save
from opforge.training.loop import Trainer
from opforge.training.metrics import Metrics
from opforge.training.operator import Operator
from opforge.training.state import STATE, load_state, save_state

HISTORY = "history.jsonl"
METRICS = "metrics.json"


def claim(out: str | Path | None, *, resume: bool, overwrite: bool) -> Path | None:
    """The run folder, after checking that nothing in it would be lost unasked.

    Raises:
        InputError: a file in its place, a run that is in it already, options that contradict each other.
    """
    if resume and (out is None or overwrite):
        raise InputError(
            "resume: expected a run folder in out and overwrite=False; leave resume out to start a new run"
        )
    if out is None:
        return None
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"out: expected a folder, {folder} is a file; give another name")
    if not (resume or overwrite) and (has_checkpoint(folder) or (folder / STATE).exists()):
        raise InputError(
            f"out: {folder} holds a run already; give another folder, resume=True to go on with it, or overwrite=True"
        )
    return folder


@dataclass(frozen=True)
class Record:
    """Writes a run into its folder, epoch by epoch; does nothing without a folder."""

    folder: Path | None
    trainer: Trainer
    operator: Operator

    def begin(self, *, resume: bool) -> list[dict[str, Any]]:
        """Start a run, or go back to the last finished epoch of one; returns the history until then."""
        if self.folder is None:
            return []
        if resume:
            history = load_state(self.folder, self.trainer.weights, self._setup())
            if history:  # the process may have been stopped between the state and the rest
                save(self.operator, self.folder, overwrite=True)
                write_bytes(self.folder / HISTORY, "".join(json.dumps(line) + "\n" for line in history).encode())
            return history
        self._make_room(self.folder)
        for old in (CHECKPOINT + "/" + DESCRIPTION, CHECKPOINT + "/" + WEIGHTS, HISTORY, METRICS):
            (self.folder / old).unlink(missing_ok=True)
        save_state(self.folder, self.trainer.weights, history=[], setup=self._setup())
        return []

    def write(self, history: list[dict[str, Any]]) -> None:
        """Write what the last epoch of the history reached. The state comes first: what follows can be made from it."""
        if self.folder is None:
            return
        save_state(self.folder, self.trainer.weights, history=history, setup=self._setup())
        save(self.operator, self.folder, overwrite=True)
        append_line(self.folder / HISTORY, json.dumps(history[-1]))

    def finish(self, history: list[dict[str, Any]], validation: Metrics | None) -> None:
        """Keep what the finished run reached on its held-out samples; times are in the log."""
        if self.folder is None:
            return
        errors = None if validation is None else {k: v for k, v in validation.to_dict().items() if k != "seconds"}
        result = {
            "epochs": history[-1]["epoch"],
            "train_loss": history[-1]["train_loss"],
            "validation": errors,
        }
        write_bytes(self.folder / METRICS, json_bytes(result, what=METRICS))

    def withdraw(self) -> None:
        """Remove what `begin` wrote for a run that failed in its first epoch: there is nothing to go on with."""
        if self.folder is not None:
            (self.folder / STATE).unlink(missing_ok=True)
            _remove_empty(self.folder)

    def _setup(self) -> dict[str, Any]:
        """Options, model and data: a resumed run must have the same ones."""
        # Six digits: another machine sums in another order.
        statistics = {
            k: [float(f"{v:.6g}") for v in values] for k, values in self.operator.normaliser.to_dict().items()
        }
        return self.trainer.describe() | {
            "model": describe_model(self.trainer.weights.model),
            "data": {"resolution": list(self.trainer.train.space), "statistics": statistics},
        }

    def _make_room(self, folder: Path) -> None:
        """Make the folder, and refuse a disk that the run will not fit on before any time is spent."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"out: cannot make {folder} ({error.strerror}); give another folder") from error
        weights = sum(tensor.nbytes for tensor in self.trainer.weights.tensors().values())
        # The weights, AdamW's two moments, the checkpoint; and the new version of a file beside the old one.
        needed, free = 8 * weights, shutil.disk_usage(folder).free
        if needed > free:
            _remove_empty(folder)
            raise InputError(
                f"out: expected {needed / 2**20:.0f} MiB of free space for {folder}, got {free / 2**20:.0f} MiB; "
                "make room or give a folder on another disk"
            )


def _remove_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()
