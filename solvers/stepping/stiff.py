"""Stiff equations through scipy: backward differentiation formulas of variable order and step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError, WorkError
from opforge.pdes._numbers import time_step
from opforge.solvers.stepping.stepper import Stepper


class BDF(Stepper):
    """u_t = F(u) of one-dimensional states, by scipy's BDF: its own steps and orders, from 1 to 5, within each ``dt``.

    The Jacobian is a band, found by differences. States are numpy's or tensors on any device: scipy works on the CPU
    in float64, F is given float64 of the state's kind on its device, and the result has the state's precision.

    Gradients do not flow: steps and orders change with the state, and Newton's iterations end where they are good
    enough, so that the derivative of what was computed is not that of the solution. Steppers that are differentiable
    are the others, such as `IMEXRK` for stiff linear parts.

    Args:
        tendency: F, of a state (samples, components, n).
        dt: the time of a step that is given back, greater than 0.
        rtol, atol: bounds of the local error.
        band: how many neighbours on either side a rate depends on.

    Raises:
        InputError: a time step or a tolerance that is not positive; a state, or rates, that ask for gradients.
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
        if not 0 < rtol < 1 or not atol > 0:
            raise InputError(f"rtol and atol must be greater than 0, rtol less than 1, got {rtol!r} and {atol!r}")
        self.tendency, self.dt = tendency, time_step(dt)
        self.rtol, self.atol, self.band = rtol, atol, band

    def advance(self, inner: Any) -> Any:
        if is_torch(inner):
            return self._of_tensors(inner)
        found = np.concatenate([self._one(inner[i : i + 1], self.tendency) for i in range(len(inner))])
        return found.astype(inner.dtype, copy=False) if np.issubdtype(inner.dtype, np.floating) else found

    def _of_tensors(self, state: Any) -> Any:
        import torch

        _refuse_gradients(state, "state", "pass state.detach()")

        def tendency(values: np.ndarray) -> np.ndarray:
            rates = self.tendency(torch.from_numpy(values).to(state.device))
            _refuse_gradients(rates, "tendency", "detach what it is made of, or call the stepper in torch.no_grad()")
            return rates.detach().cpu().numpy()

        arrays = state.detach().to("cpu", torch.float64).numpy()
        found = np.concatenate([self._one(arrays[i : i + 1], tendency) for i in range(len(arrays))])
        return torch.from_numpy(found).to(state.device, state.dtype if state.is_floating_point() else torch.float64)

    def _one(self, state: np.ndarray, tendency: Callable[[Any], Any]) -> np.ndarray:
        import scipy.sparse
        from scipy.integrate import solve_ivp

        size = state.size
        shifts: Any = list(range(-self.band, self.band + 1))
        pattern = scipy.sparse.diags_array([np.ones(size - abs(i)) for i in shifts], offsets=shifts)
        found = solve_ivp(
            lambda t, y: tendency(y.reshape(state.shape)).ravel(),
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


def _refuse_gradients(x: Any, name: str, remedy: str) -> None:
    """
    Raises:
        InputError: a tensor that asks for gradients.
    """
    import torch

    if x.requires_grad and torch.is_grad_enabled():
        raise InputError(
            f"{name} must not ask for gradients, for BDF is not differentiable, got requires_grad=True; {remedy}, or "
            "take a stepper that is, such as IMEXRK or SSPRK3"
        )
