"""Options of `fit` that travel together: the optimiser, and how its learning rate goes over the run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from opforge.errors import InputError

#: A schedule: progress of the run, 0 at its first step and 1 at its last -> factor on the learning rate.
Schedule = Callable[[float], float]


def _cosine(start: float, end: float, t: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * t))


def _check_fraction(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise InputError(f"{name}: expected a value in [0, 1), got {value}")


@dataclass(frozen=True)
class OneCycle:
    """Up from ``start`` to 1 during the first ``warmup`` part of the run, then down to ``end``, both as half cosines.

    Args:
        warmup: part of the run that climbs, in [0, 1).
        start: factor on the learning rate at the first step, in [0, 1).
        end: factor at the last step, in [0, 1).

    Example:
        >>> schedule = OneCycle()
        >>> [round(schedule(t), 3) for t in (0.0, 0.15, 0.3, 0.65, 1.0)]
        [0.04, 0.52, 1.0, 0.5, 0.0]

    Source: Smith & Topin, "Super-Convergence", 2018; half cosines instead of their straight lines.
    """

    warmup: float = 0.3
    start: float = 0.04
    end: float = 1e-5

    def __post_init__(self) -> None:
        for name in ("warmup", "start", "end"):
            _check_fraction(name, getattr(self, name))

    def __call__(self, progress: float) -> float:
        if progress < self.warmup:
            return _cosine(self.start, 1.0, progress / self.warmup)
        return _cosine(1.0, self.end, (progress - self.warmup) / (1.0 - self.warmup))


@dataclass(frozen=True)
class Cosine:
    """A half cosine from 1 down to ``end`` over the whole run.

    Args:
        end: factor on the learning rate at the last step, in [0, 1).

    Example:
        >>> [round(Cosine()(t), 3) for t in (0.0, 0.5, 1.0)]
        [1.0, 0.5, 0.0]

    Source: Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, without restarts.
    """

    end: float = 0.0

    def __post_init__(self) -> None:
        _check_fraction("end", self.end)

    def __call__(self, progress: float) -> float:
        return _cosine(1.0, self.end, progress)


@dataclass(frozen=True)
class Optimiser:
    """AdamW, and everything that decides the size of its steps.

    Args:
        learning_rate: largest learning rate of the run, > 0.
        weight_decay: decoupled decay of the weights, >= 0.
        betas: decay of the running means of the gradient and of its square, each in [0, 1).
        clip: gradients longer than this (all parameters together) are scaled down to it; None leaves them alone.
        schedule: progress of the run in [0, 1] -> factor on the learning rate, asked before every step.
        ema: decay per step of an exponential moving average of the weights, in (0, 1). The averaged weights are the
            ones that are validated, saved and returned. None: no average.

    Raises:
        InputError: a value outside its range.

    Example:
        >>> Optimiser(learning_rate=1e-3, schedule=Cosine()).rate(step=0, steps=100)
        0.001

    Source: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2.
    """

    learning_rate: float = 4e-3
    weight_decay: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float | None = 1.0
    schedule: Schedule = OneCycle()
    ema: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate: expected a value > 0, got {self.learning_rate}")
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"weight_decay: expected a value >= 0, got {self.weight_decay}")
        for beta in self.betas:
            _check_fraction("betas", beta)
        if self.clip is not None and not self.clip > 0:
            raise InputError(f"clip: expected a value > 0 or None, got {self.clip}")
        if self.ema is not None and not 0 < self.ema < 1:
            raise InputError(f"ema: expected a decay between 0 and 1 or None, got {self.ema}")
        if not callable(self.schedule):
            raise InputError(
                f"schedule: expected OneCycle(), Cosine() or a function of progress, got {self.schedule!r}"
            )

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, the first being 0, in a run of so many steps."""
        return self.learning_rate * self.schedule(step / max(1, steps - 1))


def plain(option: Any) -> Any:
    """An option as plain JSON values: a dataclass by its name and fields, a function by its name.

    Example:
        >>> plain(Cosine(end=0.1))
        {'name': 'Cosine', 'end': 0.1}
    """
    if is_dataclass(option) and not isinstance(option, type):
        return {"name": type(option).__name__} | {f.name: plain(getattr(option, f.name)) for f in fields(option)}
    if isinstance(option, float) and not math.isfinite(option):
        return str(option)  # JSON has no infinity
    if option is None or isinstance(option, (bool, int, float, str)):
        return option
    if isinstance(option, (tuple, list)):
        return [plain(value) for value in option]
    return getattr(option, "__qualname__", None) or type(option).__qualname__
