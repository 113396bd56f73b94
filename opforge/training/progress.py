"""The bar on standard error that a training shows."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """Steps done, the current training error, the last validation error, and the time left.

    Args:
        epochs, steps: epochs of the run and steps per epoch.
        done: epochs that an earlier part of the run has finished.
        show: False keeps silent.

    Example:
        >>> with Bar(epochs=2, steps=10, done=0, show=False) as bar:
        ...     bar.at(epoch=1, step=5, train=0.1)
    """

    def __init__(self, *, epochs: int, steps: int, done: int, show: bool) -> None:
        self._epochs, self._steps = epochs, steps
        self._validation = ""
        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}/" + str(epochs)),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("train {task.fields[train]}{task.fields[validation]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=Console(stderr=True),
            disable=not show,
        )
        self._task = self._progress.add_task(
            "fit", total=epochs * steps, completed=done * steps, epoch=done + 1, train="…", validation=""
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def at(self, *, epoch: int, step: int, train: float) -> None:
        """``step`` steps of this epoch (from 1) are done, with this mean loss."""
        completed = (epoch - 1) * self._steps + step
        self._progress.update(
            self._task, completed=completed, epoch=epoch, train=f"{train:.4g}", validation=self._validation
        )

    def validated(self, loss: float | None) -> None:
        """The validation loss after an epoch, shown from then on; None without validation data."""
        if loss is None:
            return
        self._validation = f"  validation {loss:.4g}"
        self._progress.update(self._task, validation=self._validation)
