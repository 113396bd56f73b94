"""How good an operator is: errors against the truth, and the equation's residual of what it predicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from opforge.errors import InputError
from opforge.training.norms import RelativeH1, RelativeLp
from opforge.training.operator import Operator
from opforge.training.residuals import EquationResidual
from opforge.training.samples import Samples


@dataclass(frozen=True, eq=False)
class Metrics(Mapping[str, Any]):
    """Errors of an operator on a dataset; also a mapping from the names of its numbers to their values.

    Attributes:
        relative_l2: mean over samples of ‖û − u‖ / ‖u‖ in L².
        h1: the same in H¹.
        max_error: largest |û − u| over all samples, channels and points, in the output's units.
        residual: mean over samples of ‖residual‖ / residual_scale of the predicted fields; where fields evolve, of the
            steps from the last frame given through those predicted. None where `residual_note` says why.
        data_residual: the same of the data's own outputs: the solver's tolerance and the rounding of the file; of
            fields that evolve also what the residual leaves over of the time between frames. None without an equation.
        residual_note: why there is no residual: no equation, or frames so far apart that the data themselves leave
            more than half of the fields over, or predictions that are no states of the equation; else None.
        samples: number of samples.
        resolution: points per axis.
        seconds: time that the operator took.
        per_sample: ``relative_l2``, ``h1``, ``max_error``, and ``residual`` and ``data_residual`` (if there are such),
            of each sample, float64.
    """

    relative_l2: float
    h1: float
    max_error: float
    residual: float | None
    data_residual: float | None
    residual_note: str | None
    samples: int
    resolution: tuple[int, ...]
    seconds: float
    per_sample: Mapping[str, np.ndarray] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the arrays per sample."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self.items()}

    def __getitem__(self, name: str) -> Any:
        if name not in set(self):
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return (f.name for f in fields(self) if f.name != "per_sample")

    def __len__(self) -> int:
        return len(fields(self)) - 1


def evaluate(operator: Operator | Callable[[Tensor], Tensor], data: Any, *, batch_size: int = 32) -> Metrics:
    """Measure an operator on a dataset, in float64.

    Args:
        operator: physical inputs (batch, in_channels, *space) -> physical outputs (batch, out_channels, *space), torch.
        data: torch dataset of (x, y) at any resolution. Its ``grid`` decides the norms (cell centres of the unit box
            without one); its ``equation`` and ``grid`` give the residual, with the parameters that samples have of
            their own (``drawn``), and where fields evolve its ``times`` and ``pairing``.
        batch_size: samples at a time, >= 1.

    Raises:
        InputError: an operator for other channels or axes, fewer than 3 points on an axis.

    Example:
        >>> from torch.utils.data import TensorDataset
        >>> truth = torch.ones(4, 1, 8)
        >>> metrics = evaluate(lambda a: 1.5 * a, TensorDataset(truth, truth))
        >>> metrics.relative_l2, metrics.max_error, metrics.resolution
        (0.5, 0.5, (8,))
    """
    if batch_size < 1:
        raise InputError(f"batch_size: expected at least 1, got {batch_size}")
    samples = Samples.of(data)
    equation = EquationResidual.of(samples)
    arrays, seconds = _per_sample(operator, samples, equation, batch_size)
    own = float(arrays["data_residual"].mean()) if "data_residual" in arrays else None
    note = equation if isinstance(equation, str) else equation.says_nothing(arrays["residual"], arrays["data_residual"])
    if note is not None:
        arrays.pop("residual", None)
    return Metrics(
        relative_l2=float(arrays["relative_l2"].mean()),
        h1=float(arrays["h1"].mean()),
        max_error=float(arrays["max_error"].max()),
        residual=float(arrays["residual"].mean()) if note is None else None,
        data_residual=own,
        residual_note=note,
        samples=len(samples),
        resolution=samples.space,
        seconds=seconds,
        per_sample=arrays,
    )


def check_measurable(samples: Samples) -> None:
    """Refuse fields that `evaluate` has no norms for, before any time is spent on them.

    Raises:
        InputError: fewer than 3 points on an axis.
    """
    _, truth = samples.batch([0])
    RelativeH1(samples.grid).per_sample(truth, truth)


def _per_sample(
    operator: Operator | Callable[[Tensor], Tensor], samples: Samples, equation: EquationResidual | str, batch_size: int
) -> tuple[dict[str, np.ndarray], float]:
    """Each metric of each sample, float64 (samples,), and the seconds that the operator took."""
    seconds = 0.0
    rows: dict[str, list[Tensor]] = {}
    batches = torch.arange(len(samples)).split(batch_size)
    for positions, (x, y) in zip(batches, samples.batches(batches), strict=True):
        start = time.perf_counter()
        with torch.no_grad():
            prediction = operator(x).to(y.device)
        seconds += time.perf_counter() - start
        given, prediction, truth = x.double(), prediction.double(), y.double()
        errors = {
            "relative_l2": RelativeLp(2, samples.grid).per_sample(prediction, truth),
            "h1": RelativeH1(samples.grid).per_sample(prediction, truth),
            "max_error": (prediction - truth).abs().flatten(1).amax(1),
        }
        if isinstance(equation, EquationResidual):
            with torch.no_grad():
                left = equation(given, prediction, truth, samples.drawn(positions, y.device))
            errors |= dict(zip(("residual", "data_residual"), left, strict=True))
        for name, values in errors.items():
            rows.setdefault(name, []).append(values.cpu())
    return {name: torch.cat(parts).numpy() for name, parts in rows.items()}, seconds
