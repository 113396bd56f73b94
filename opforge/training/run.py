"""What `fit` gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opforge.training.metrics import Metrics, evaluate
from opforge.training.operator import Operator


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        operator: the trained operator, physical values in and out; with the averaged weights if ``ema`` was on.
        history: one dict per epoch: ``epoch`` (from 1), ``train_loss`` (mean over its steps), ``validation_loss``
            (after it; None without validation data), ``learning_rate`` (at its last step), ``seconds``.
        folder: the run folder, None if nothing was written.
        validation: errors of the finished operator on the held-out samples, None without any.

    Example:
        >>> import torch
        >>> from opforge.training import Optimiser, fit
        >>> a = torch.rand(20, 1, 16)
        >>> options = {"optimiser": Optimiser(learning_rate=0.1), "batch_size": 4, "progress": False}
        >>> run = fit(torch.nn.Conv1d(1, 1, 1), [(x, 2 * x) for x in a], 30, **options)
        >>> len(run.history), run.evaluate([(x, 2 * x) for x in a]).relative_l2 < 0.2
        (30, True)
    """

    operator: Operator
    history: list[dict[str, Any]] = field(repr=False)
    folder: Path | None = None
    validation: Metrics | None = None

    def evaluate(self, data: Any, *, batch_size: int = 32) -> Metrics:
        """Measure the operator on a dataset, see `evaluate`."""
        return evaluate(self.operator, data, batch_size=batch_size)
