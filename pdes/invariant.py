"""What every solution of an equation keeps to: conserved quantities, bounds, signs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from opforge.core import Grid
from opforge.errors import WorkError


@dataclass(frozen=True)
class Invariant:
    """A property of all solutions, measured by how far fields are from it.

    Args:
        name: one or two words, such as ``"mass"`` or ``"maximum principle"``.
        statement: what holds, as a formula or a short sentence.
        violation: of the equation, fields (…, [frames], *space) as numpy arrays and their grid; how far they are from
            it, relative to their size, 0 for exact solutions: an array (…).
        tolerance: the largest violation by double precision fields that is taken for rounding or for the solver's
            tolerance.

    Example:
        >>> from opforge.pdes import Darcy
        >>> [invariant.name for invariant in Darcy().invariants]
        ['maximum principle']
    """

    name: str
    statement: str
    violation: Callable[[Any, Mapping[str, np.ndarray], Grid], np.ndarray]
    tolerance: float

    def check(self, equation: Any, fields: Mapping[str, np.ndarray], grid: Grid) -> None:
        """Refuse fields of one sample that do not keep to it.

        Raises:
            WorkError: they do not; the text says by how much.
        """
        found = float(self.violation(equation, fields, grid))
        if not found <= self.tolerance:  # NaN too
            raise WorkError(
                f"the {self.name} ({self.statement}) is violated by {found:.3g}, the tolerance is {self.tolerance:.3g}"
            )
