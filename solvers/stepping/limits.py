"""Time steps that are too long, refused before the start."""

from __future__ import annotations

import math
from typing import Any

from opforge.errors import InputError


class StepTooLong(InputError):
    """A time step beyond a limit.

    Args:
        limit: the longest time step that there may be.
        why: what makes it so, in words that follow "at most …, ".
        dt: the time step.

    Attributes:
        limit, why: as given.

    Example:
        >>> raise StepTooLong(0.012345678, "where leapfrog is stable on this grid", 0.5)
        Traceback (most recent call last):
        ...
        opforge.solvers.stepping.limits.StepTooLong: dt must be at most 0.0123456, where leapfrog is stable on this \
grid, got 0.5; take more steps or a coarser grid
    """

    def __init__(self, limit: float, why: str, dt: float):
        self.limit, self.why = limit, why
        super().__init__(f"dt must be at most {below(limit)}, {why}, got {dt:.6g}; take more steps or a coarser grid")

    def __reduce__(self) -> Any:  # workers send it home
        return type(self), (self.limit, self.why, 0.0), {"args": self.args}


def below(limit: float) -> str:
    """A number in 6 digits, rounded down: what a limit says is within it.

    Example:
        >>> below(0.0123456789), below(2.0), below(1234567.0)
        ('0.0123456', '2', '1.23456e+06')
    """
    if not 0 < limit < math.inf:
        return f"{limit:.6g}"
    unit = 10.0 ** (math.floor(math.log10(limit)) - 5)
    text = f"{limit:.6g}"
    return text if float(text) <= limit else f"{float(text) - unit:.6g}"
