"""Diffusion with a constant coefficient, exact in time; `opforge.solvers.stepping.crank_nicolson` has variable ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes._constants import Constant
from opforge.pdes._eigenmodes import eigenvalues, from_modes, to_modes
from opforge.pdes._finite_volumes import Boundary, check_cells, checked_boundary
from opforge.pdes._numbers import time_step
from opforge.solvers.stepping.stepper import Stepper


class ExactDiffusion(Stepper):
    """u_t = a Δu over a time step, exact for the sum of eigenfunctions that a state is.

    Args:
        grid: cell centres.
        diffusivity: a >= 0; one for all, for each component (components,), or for each sample and component (samples,
            components or 1).
        dt: the time step.
        boundary: ``"neumann"``, ``"dirichlet"`` or ``"periodic"``.

    Raises:
        InputError: numbers out of range, an unknown boundary.

    Example:
        >>> from opforge.pdes import Heat
        >>> grid = Grid((16,))
        >>> u = Heat(1, 0.1).exact(grid, [0.0, 0.3])["u"]
        >>> np.allclose(ExactDiffusion(grid, 0.1, 0.3)(u[:1, None])[0, 0], u[1])
        True
    """

    def __init__(self, grid: Grid, diffusivity: float | np.ndarray, dt: float, boundary: Boundary = "neumann"):
        checked_boundary(boundary)
        check_cells(grid)
        a = np.atleast_1d(np.asarray(diffusivity, dtype=np.float64))
        dt = time_step(dt)
        if not (np.all(a >= 0) and np.all(np.isfinite(a))):
            raise InputError(f"diffusivity must be finite and at least 0, got {diffusivity!r}")
        self.grid, self.dt, self.boundary, self._samples = grid, dt, boundary, len(a) if a.ndim > 1 else 1
        self._decay = Constant(np.exp(-dt * a.reshape(*a.shape, *(1,) * grid.ndim) * eigenvalues(grid, boundary)))

    def prepare(self, state: Any) -> Any:
        if self._samples not in (1, len(state)):
            raise InputError(f"diffusivity must have one value for each of {len(state)} samples, got {self._samples}")
        return state

    def advance(self, inner: Any) -> Any:
        modes = to_modes(inner, self.grid, self.boundary)
        return from_modes(self._decay.like(modes) * modes, self.grid, self.boundary)
