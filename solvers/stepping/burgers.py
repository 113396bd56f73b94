"""Burgers' equation with small viscosity: shocks by finite volumes."""

from __future__ import annotations

from typing import Any

from opforge.core import Grid
from opforge.pdes._arrays import along, difference, maximum, minimum, unstack, where
from opforge.pdes._godunov import GHOSTS, faces, fastest, padded
from opforge.pdes._numbers import time_step
from opforge.pdes.burgers import Burgers
from opforge.solvers.stepping.limits import StepTooLong
from opforge.solvers.stepping.runge_kutta import SSPRK3
from opforge.solvers.stepping.stepper import Stepper


class BurgersFV(Stepper):
    """u_t + (u·∇)u = ν Δu: Godunov's fluctuations of limited slopes, central viscosity, SSP-RK3.

    In two dimensions the equation is not a conservation law. What it makes of a shock is decided by the viscosity,
    which is the same for both velocities: across a planar wave each is a linear function of the other, whatever ν. With
    the straight line between two states the products u ∂q/∂x have a meaning at jumps too, and the Riemann problem along
    an axis is solved exactly: a shock moves with the mean of the velocities normal to it. In one dimension this is
    Godunov's scheme, and the mean of u is kept.

    Of order 2 in smooth waves, and shocks of a cell or two whatever the viscosity, none included. Points of the grid
    are taken for the centres of cells.

    Args:
        equation: `Burgers`.
        grid: periodic points.
        dt: the time step, greater than 0.

    Raises:
        InputError: a time step that is not positive; when it is given a state: a time step beyond the limit.

    Example:
        >>> import numpy as np
        >>> grid = Grid((64,), points="periodic")
        >>> u = np.sin(2 * np.pi * grid.coordinates()[0])[None, None]
        >>> bool(abs(BurgersFV(Burgers(viscosity=0.0), grid, 0.01)(u).mean()) < 1e-15)
        True

    Source:
        Dal Maso, LeFloch and Murat, "Definition and weak stability of nonconservative products"; Parés, "Numerical
        methods for nonconservative hyperbolic systems: a theoretical framework", for schemes in fluctuations.
    """

    limited = True

    def __init__(self, equation: Burgers, grid: Grid, dt: float):
        dt = time_step(dt)
        equation.check_grid(grid)
        self.equation, self.grid, self.dt = equation, grid, dt
        self._step = SSPRK3(self.rate, dt)

    def prepare(self, state: Any) -> Any:
        self.equation.check_state(state, self.grid)
        h, nu = self.grid.spacing, self.equation.viscosity
        velocity = unstack(state, self.grid.ndim)
        speed = fastest(lambda axis: abs(velocity[axis]) + 2 * nu / h[axis], h)
        if self.dt * speed > 1:
            raise StepTooLong(1 / speed, "the time in which the fastest wave crosses a cell", self.dt)
        return state

    def advance(self, inner: Any) -> Any:
        return self._step.advance(inner)

    def rate(self, state: Any) -> Any:
        """How fast velocities (samples, ndim, *space) change: what a method of your own may add a force to."""
        ndim, total = self.grid.ndim, 0.0
        for number, h in enumerate(self.grid.spacing):
            axis = number - ndim
            wide = padded(state, axis, "periodic")
            left, right = faces(wide, axis)
            # the velocity along the axis, with a component that goes with all of them
            normal = (..., slice(number, number + 1), *(slice(None),) * ndim)
            back, ahead = godunov_speeds(left[normal], right[normal])
            jump = right - left
            leaving, coming = along(back * jump, axis, 1, None), along(ahead * jump, axis, None, -1)
            low, high = along(right, axis, None, -1), along(left, axis, 1, None)  # both ends of a cell
            inside = (low[normal] + high[normal]) / 2 * (high - low)
            total = total - (coming + inside + leaving) / h
            if self.equation.viscosity:
                near = along(wide, axis, GHOSTS - 1, 1 - GHOSTS)
                total = total + self.equation.viscosity / h**2 * difference(difference(near, axis), axis)
        return total


def godunov_speeds(left: Any, right: Any) -> tuple[Any, Any]:
    """What part of a jump moves back, and what part ahead, each times its speed, of u_t + u u_x = 0.

    The mean velocity, all of it on one side; between a negative ``left`` and a positive ``right`` there is a fan, which
    opens to both sides.

    Example:
        >>> import numpy as np
        >>> [x.tolist() for x in godunov_speeds(np.array([3.0, -1.0]), np.array([1.0, 3.0]))]
        [[0.0, -0.125], [2.0, 1.125]]
    """
    mean = (left + right) / 2
    fan = (left < 0) & (right > 0)
    width = 2 * where(fan, right - left, 1 + 0 * mean)
    back = where(fan, -left * left / width, minimum(mean, 0.0))
    return back, where(fan, right * right / width, maximum(mean, 0.0))
