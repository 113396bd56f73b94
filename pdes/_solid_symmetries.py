"""Mirror images of elastic solids on staggered grids: what moves with the places, and what changes its sign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opforge.core import Grid
from opforge.pdes._arrays import along, concatenate, flip
from opforge.pdes._solid import halves, shear_name
from opforge.pdes.symmetry import Transposition, with_signs


def transposition(i: int, j: int, ndim: int) -> Transposition:
    """Two axes change places, and the components along them; the curl of a velocity turns round.

    Example:
        >>> transposition(0, 1, 3).swapped
        (('u', 'v'), ('sxx', 'syy'), ('fx', 'fy'), ('sxz', 'syz'))
    """
    x, y = "xyz"[i], "xyz"[j]
    others = (k for k in range(ndim) if k not in (i, j))
    shear = ((shear_name(i, k), shear_name(j, k)) for k in others)
    swapped = (("uvw"[i], "uvw"[j]), (f"s{x}{x}", f"s{y}{y}"), (f"f{x}", f"f{y}"), *shear)
    return Transposition(i, j, swapped=swapped, odd=("curl",))


@dataclass(frozen=True)
class StaggeredReflection:
    """The mirror image along an axis of a staggered grid: places change sides, components across them their sign.

    Args:
        axis: axis of space, 0 for x.
        periodic: whether the box is.

    Example:
        >>> import numpy as np
        >>> fields = {"u": np.array([1.0, 2.0, 0.0]), "sxx": np.array([1.0, 2.0, 3.0])}
        >>> moved = StaggeredReflection(0)(fields, 1)
        >>> moved["u"].tolist(), moved["sxx"].tolist()
        ([-2.0, -1.0, 0.0], [3.0, 2.0, 1.0])
    """

    axis: int
    periodic: bool = False

    @property
    def name(self) -> str:
        return f"reflection {'xyz'[self.axis]}"

    def applies_to(self, grid: Grid) -> bool:
        return self.axis < grid.ndim and grid.points == ("periodic" if self.periodic else "nodes")

    def __call__(self, fields: Mapping[str, Any], ndim: int) -> dict[str, Any]:
        axis, moved, odd = self.axis - ndim, {}, []
        for name, values in fields.items():
            base = name.partition("[")[0]
            shifted = self.axis in halves(base)
            odd += [base] if shifted else []
            if self.periodic and not shifted:  # the first point stays where it is
                moved[name] = concatenate(
                    [along(values, axis, None, 1), flip(along(values, axis, 1, None), axis)], axis
                )
            elif self.periodic or not shifted:
                moved[name] = flip(values, axis)
            else:  # the last place is beyond the wall
                inside = flip(along(values, axis, None, -1), axis)
                moved[name] = concatenate([inside, -along(values, axis, -1, None)], axis)
        return with_signs(moved, tuple(odd))
