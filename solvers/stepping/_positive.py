"""Euler steps of finite volumes that keep densities, pressures and depths positive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from opforge.pdes._arrays import detached, like, numbers
from opforge.pdes._godunov import Walls, around

# How often cells are marked in which a step would leave what is physical, before all of the sample are.
_MARKED = 3


def positive_euler(
    inner: Any,
    dt: float,
    rate: Callable[[Any], Any],
    *,
    physical: Callable[[Any], Any],
    ndim: int,
    boundary: Walls,
) -> tuple[Any, np.ndarray]:
    """inner + dt · rate, of order 1 in space around cells that would not be physical.

    Slopes are dropped in those cells and their neighbours, and the step is taken again: fluxes are the same for both
    sides of a face still, so that nothing is lost. Without slopes the schemes are positive for steps of half the limit.

    Args:
        inner: conserved quantities (samples, components, *space).
        dt: the time step.
        rate: of ``keep``, numbers (samples, *space), 0 in cells without slopes and 1 elsewhere, or None for slopes
            everywhere; how fast ``inner`` changes.
        physical: of conserved quantities; the cells (samples, *space) that are.
        ndim: axes of space.
        boundary: that decides which cells are neighbours.

    Returns:
        What the step gives, and whether samples (samples,) are not physical even so.

    Source:
        Einfeldt, Munz, Roe and Sjögreen, "On Godunov-type methods near low densities"; Clain, Diot and Loubère, "A
        high-order finite volume method for systems of conservation laws: multi-dimensional optimal order detection",
        for marking cells after the step.
    """
    found, keep = inner + dt * rate(None), None
    good = physical(found)
    for attempt in range(_MARKED + 1):
        if bool(good.all()):
            break
        marked = around(numbers(~good, inner), ndim, boundary)
        if attempt == _MARKED:
            whole = samples_that_fail(good).reshape(-1, *(1,) * ndim)
            marked = marked + like(inner, whole.astype(float)) * (1 - marked)
        keep = 1 - marked if keep is None else keep * (1 - marked)
        found = inner + dt * rate(keep)
        good = physical(found)
    return found, samples_that_fail(good)


def samples_that_fail(good: Any) -> np.ndarray:
    """Whether samples have a cell that is not good, (samples,), of (samples, *space)."""
    values = detached(good)
    return ~values.reshape(len(values), -1).all(1)
