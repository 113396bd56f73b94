"""Burgers' equation with small viscosity: shocks by finite volumes."""

from __future__ import annotations

from typing import Any

import numpy as np

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes._arrays import along, difference, maximum, minimum, where
from opforge.pdes._godunov import GHOSTS, faces, fastest, padded
from opforge.pdes.burgers import Burgers
from opforge.solvers.stepping.runge_kutta import SSPRK3
from opforge.solvers.stepping.stepper import Stepper


class BurgersFV(Stepper):
    """u_t + (u²/2)_x = ν u_xx in one dimension: Godunov's flux of limited slopes, central viscosity, SSP-RK3.

    Of order 2 in smooth waves, and shocks of a cell or two whatever the viscosity, none included. Points of the grid
    are taken for the centres of cells.

    Args:
        equation: `Burgers` with one axis.
        grid: periodic points.
        dt: the time step, greater than 0.

    Raises:
        InputError: two axes, a time step that is not positive; when it is given a state: a time step beyond the limit.

    Example:
        >>> grid = Grid((64,), points="periodic")
        >>> u = np.sin(2 * np.pi * grid.coordinates()[0])[None, None]
        >>> bool(abs(BurgersFV(Burgers(viscosity=0.0), grid, 0.01)(u).mean()) < 1e-15)
        True
    """

    limited = True

    def __init__(self, equation: Burgers, grid: Grid, dt: float):
        if equation.ndim != 1:
            raise InputError(f"equation must have one axis for finite volumes, got ndim={equation.ndim}; use ETDRK4")
        if not 0 < dt < np.inf:
            raise InputError(f"dt must be a time greater than 0, got {dt!r}")
        equation.check_grid(grid)
        self.equation, self.grid, self.dt = equation, grid, float(dt)
        self._step = SSPRK3(self._rate, dt)

    def prepare(self, state: Any) -> Any:
        self.equation.check_state(state, self.grid)
        (h,) = self.grid.spacing
        speed = fastest(lambda axis: abs(state) + 2 * self.equation.viscosity / h, self.grid.spacing)
        if self.dt * speed > 1:
            raise InputError(
                f"dt must be at most {1 / speed:.4g}, the time in which the fastest wave crosses a cell, "
                f"got {self.dt:.4g}; take more steps"
            )
        return state

    def advance(self, inner: Any) -> Any:
        return self._step.advance(inner)

    def _rate(self, u: Any) -> Any:
        (h,), nu = self.grid.spacing, self.equation.viscosity
        wide = padded(u, -1, "periodic")
        left, right = faces(wide, -1)
        near = along(wide, -1, GHOSTS - 1, 1 - GHOSTS)
        # Godunov: the least flux between left and right where u rises, the greatest where it falls
        rising = maximum(left, 0.0) ** 2 + minimum(right, 0.0) ** 2
        falling = maximum(maximum(left, 0.0) ** 2, minimum(right, 0.0) ** 2)
        flux = where(left <= right, rising, falling) / 2
        return -difference(flux - nu * difference(near, -1) / h, -1) / h
