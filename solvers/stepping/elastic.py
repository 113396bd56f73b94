"""Elastic waves: leapfrog on a staggered grid, in any medium."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import _solid as solids
from opforge.pdes._arrays import stack, unstack
from opforge.pdes._numbers import time_step
from opforge.pdes.elastic import Elastic
from opforge.solvers.stepping.limits import StepTooLong
from opforge.solvers.stepping.stepper import Stepper


class ElasticLeapfrog(Stepper):
    """Leapfrog for velocities and stresses: v + dt/2 A σ, then σ + dt B v, then v + dt/2 A σ; of order 2.

    Velocities and stresses of a state (samples, components, *space) are of the same time; in between the velocities are
    half a step ahead. The mean of ½ρ|v|² + ½σ:ε − dt²/8 ρ|v_t|² is kept to rounding. In the first state what is beyond
    walls or held at 0 by them is set to 0.

    Args:
        equation: what is solved.
        grid: nodes or, in a periodic box, periodic points.
        dt: the time step, at most `Elastic.longest_step`.
        media: ``"rho"``, ``"cp"`` and ``"cs"`` of every sample and point, (samples or 1, *space), instead of the
            equation's; likewise a force, ``"fx"``, ``"fy"``, ``"fz"``.

    Raises:
        InputError: a time step that is not positive or not stable, fields that no medium has; when it is given a state:
            another number of samples than the media have.

    Example:
        >>> import numpy as np
        >>> step = ElasticLeapfrog(Elastic(), Grid((33, 33), points="nodes"), dt=0.02)
        >>> step(np.ones((1, 5, 33, 33))).shape
        (1, 5, 33, 33)
    """

    def __init__(self, equation: Elastic, grid: Grid, dt: float, media: Mapping[str, Any] | None = None):
        self.media = media = dict(media or {})
        equation.check_grid(grid)
        equation.check_media(media, grid)
        for name, values in media.items():
            if values.ndim != grid.ndim + 1:
                raise InputError(f"{name} must be an array (samples or 1, *space), got shape {tuple(values.shape)}")
        dt = time_step(dt)
        limit = equation.longest_step(grid, media)
        if dt > limit * (1 + 1e-12):
            raise StepTooLong(limit, "where leapfrog is stable on this grid", dt)
        self.equation, self.grid, self.dt = equation, grid, dt
        self._places, self._solid = equation.places(grid), equation.solid(grid, media)

    def prepare(self, state: Any) -> list[Any]:
        for name, values in self.media.items():
            if len(values) not in (1, len(state)):
                raise InputError(
                    f"{name} must be a field for each of {len(state)} samples or one for all, got {len(values)}"
                )
        return unstack(self.equation.admissible(state, self.grid), self.grid.ndim)

    def advance(self, inner: list[Any]) -> list[Any]:
        return self.advance_by(inner, 1)

    def advance_by(self, inner: list[Any], steps: int) -> list[Any]:
        """Several steps; the halves of two that meet are one."""
        if not steps:
            return inner
        velocity, stresses, solid = inner[: self.grid.ndim], inner[self.grid.ndim :], self._solid.like(inner[0])
        whole = solid.over(self.dt)
        half = solid.over(self.dt / 2)
        velocity = _sums(velocity, solids.velocity_rates(stresses, half, self._places))
        for step in range(steps):
            stresses = _sums(stresses, solids.stress_rates(velocity, whole, self._places))
            kick = half if step == steps - 1 else whole
            velocity = _sums(velocity, solids.velocity_rates(stresses, kick, self._places))
        return [*velocity, *stresses]

    def finish(self, inner: list[Any]) -> Any:
        return stack(inner, -self.grid.ndim - 1)


def _sums(values: Sequence[Any], changes: Sequence[Any]) -> list[Any]:
    return [value + change for value, change in zip(values, changes, strict=True)]
