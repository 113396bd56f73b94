"""Stiff equations through scipy: backward differentiation formulas of variable order and step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from opforge.errors import InputError, WorkError
from opforge.solvers.stepping.stepper import Stepper


class BDF(Stepper):
    """u_t = F(u) of one-dimensional states, by scipy's BDF: its own steps and orders, from 1 to 5, within each ``dt``.

    Numpy alone. The Jacobian is a band, found by differences.

    Args:
        tendency: F, of a state (samples, components, n).
        dt: the time of a step that is given back, greater than 0.
        rtol, atol: bounds of the local error.
        band: how many neighbours on either side a rate depends on.

    Raises:
        InputError: a time step or a tolerance that is not positive.
        WorkError: scipy's solver fails.

    Example:
        >>> step = BDF(lambda u: -1000.0 * u, dt=1.0, rtol=1e-6, atol=1e-9)
        >>> bool(abs(step(np.ones((1, 1, 4)))).max() < 1e-6)
        True

    Source:
        Shampine and Reichelt, "The MATLAB ODE suite", whose variable order method scipy's follows.
    """

    def __init__(
        self, tendency: Callable[[Any], Any], dt: float, *, rtol: float = 1e-6, atol: float = 1e-9, band: int = 1
    ):
        if not 0 < dt < np.inf or not 0 < rtol < 1 or not atol > 0:
            raise InputError(f"dt, rtol and atol must be greater than 0, got {dt!r}, {rtol!r} and {atol!r}")
        self.tendency, self.dt = tendency, float(dt)
        self.rtol, self.atol, self.band = rtol, atol, band

    def advance(self, inner: Any) -> Any:
        return np.concatenate([self._one(inner[i : i + 1]) for i in range(len(inner))])

    def _one(self, state: np.ndarray) -> np.ndarray:
        import scipy.sparse
        from scipy.integrate import solve_ivp

        size = state.size
        shifts: Any = list(range(-self.band, self.band + 1))
        pattern = scipy.sparse.diags_array([np.ones(size - abs(i)) for i in shifts], offsets=shifts)
        found = solve_ivp(
            lambda t, y: self.tendency(y.reshape(state.shape)).ravel(),
            (0.0, self.dt),
            state.ravel().astype(np.float64),
            method="BDF",
            rtol=self.rtol,
            atol=self.atol,
            jac_sparsity=pattern,
        )
        if not found.success:
            raise WorkError(f"scipy's BDF failed: {found.message}")
        return found.y[:, -1].reshape(state.shape)
