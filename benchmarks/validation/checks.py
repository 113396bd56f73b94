"""What a validation is made of: measured numbers, each with its bounds; tables of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module

from opforge.pdes import registry


@dataclass(frozen=True)
class Check:
    """A number that was measured, and what it must lie between.

    Args:
        what: the number's meaning in a few words, with the resolution.
        value: as measured.
        low, high: bounds on both sides; ``-inf`` only for a measure of rounding.
        source: where the expected value comes from: a closed form, a paper, another discretisation.
    """

    what: str
    value: float
    low: float
    high: float
    source: str

    @property
    def holds(self) -> bool:
        return self.low <= self.value <= self.high


def checks_of(equation: str) -> Iterator[Check]:
    """All checks of an equation, one after the other."""
    return import_module(f"opforge.benchmarks.validation.{equation}").checks()


def validated() -> list[str]:
    """The equations that have a validation: all."""
    return sorted(registry())


def observed_order(errors: Sequence[float], refinement: float = 2.0) -> float:
    """The order of accuracy that errors on ever finer grids or with ever smaller steps show, from the last two.

    Example:
        >>> observed_order([1.0, 0.25, 0.0625])
        2.0
    """
    return math.log(errors[-2] / errors[-1]) / math.log(refinement)


def errors_of(measure: Callable[[int], float], sizes: Sequence[int]) -> list[float]:
    """The errors for every size."""
    return [measure(size) for size in sizes]
