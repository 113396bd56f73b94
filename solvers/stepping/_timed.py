"""States that know how many steps were taken to them: what steppers with a source in time work on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Self

from opforge.errors import InputError


@dataclass(frozen=True)
class Timed:
    """A state, and how many steps were taken to it."""

    state: Any
    steps: int

    def after(self, state: Any) -> Self:
        """The next one."""
        return replace(self, state=state, steps=self.steps + 1)


def start_of(time: float) -> float:
    """The time that steps are counted from.

    Raises:
        InputError: one that is not finite.
    """
    if not math.isfinite(time):
        raise InputError(f"start must be a finite time, got {time!r}")
    return float(time)
