"""Diffusion with a variable coefficient, by Crank and Nicolson."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from opforge.core import Grid
from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError
from opforge.pdes._arrays import detached
from opforge.pdes._finite_volumes import Boundary, assemble, check_cells, checked_boundary
from opforge.pdes._numbers import time_step
from opforge.solvers.stepping._timed import Timed, start_of
from opforge.solvers.stepping.stepper import Stepper


class CrankNicolson(Stepper):
    """u_t = ∇·(a∇u) + f for one sample's coefficient: (I + dt A/2) u' = (I − dt A/2) u + dt f, of order 2.

    A is the matrix of finite volumes on cell centres; M = I + dt A/2 is factorised once, on the CPU in float64. Of a
    source that changes with time f is that in the middle of the step. States are numpy's or tensors on any device, and
    come back in their own precision; between the steps of a run they stay in float64.

    Gradients flow to tensors that ask for them: the state, the source, and the coefficient. Backwards, a step is
    u' = 2 M⁻¹ (u + dt f/2) − u, whose M⁻¹ is its own transpose: one more solution with the same factors.

    Args:
        grid: cell centres.
        a: the coefficient, an array or a tensor of the grid's shape, > 0. Who changes a tensor needs a new stepper.
        dt: the time step.
        boundary: ``"neumann"``, ``"dirichlet"`` or ``"periodic"``.
        source: f, an array or a tensor of the grid's shape, or a function of time that gives such; none unless given.
        start: the time of states that steps are begun from; what a function of time is given is counted from there.

    Raises:
        InputError: a coefficient that is not positive or of another shape, a time step that is not positive. Steps: a
            state that is complex or does not fit the grid, an array where gradients are asked for, a coefficient that
            was changed.

    Example:
        >>> from opforge.solvers import repeat
        >>> grid = Grid((8,))
        >>> step = CrankNicolson(grid, np.ones(8), 0.01)
        >>> u = np.arange(8.0)[None, None]
        >>> bool(abs(step(u).mean() - u.mean()) < 1e-14)  # nothing flows out
        True
        >>> heated = CrankNicolson(grid, np.ones(8), 0.5, source=lambda t: np.full(8, t))
        >>> float((repeat(heated, 4)(u).mean() - u.mean()).round(12))  # ∫ t dt from 0 to 2
        2.0

    Source:
        Crank and Nicolson, "A practical method for numerical evaluation of solutions of partial differential equations
        of the heat-conduction type".
    """

    def __init__(
        self,
        grid: Grid,
        a: Any,
        dt: float,
        boundary: Boundary = "neumann",
        *,
        source: Any | Callable[[float], Any] | None = None,
        start: float = 0.0,
    ):
        import scipy.sparse
        import scipy.sparse.linalg

        checked_boundary(boundary)
        check_cells(grid)
        values = _coefficient(a, grid)
        dt = time_step(dt)
        self.grid, self.dt, self.boundary = grid, dt, boundary
        self._half = (dt / 2) * assemble(values, grid.spacing, boundary)
        whole = scipy.sparse.eye_array(grid.size, format="csr") + self._half
        self._solve = scipy.sparse.linalg.splu(whole.tocsc(), permc_spec="COLAMD").solve
        self._a, self._version = (a, a._version) if _asks_for_gradients(a) else (None, 0)
        self.source, self.start = source, start_of(start)
        self.source_at(self.start)

    def prepare(self, state: Any) -> _Timed:
        if tuple(state.shape[-self.grid.ndim :]) != self.grid.shape:
            shape = ", ".join(map(str, self.grid.shape))
            raise InputError(f"state must be an array (..., {shape}), got shape {tuple(state.shape)}")
        if is_torch(state):
            import torch

            if state.is_complex():
                raise InputError(f"state must be real, got {state.dtype}; step its real and imaginary parts")
            kind = state.dtype if state.is_floating_point() else torch.float64
            return _Timed(state.to("cpu", torch.float64), 0, kind, state.device)
        if np.iscomplexobj(state):
            raise InputError(f"state must be real, got {state.dtype}; step its real and imaginary parts")
        kind = state.dtype if np.issubdtype(state.dtype, np.floating) else np.dtype(np.float64)
        return _Timed(np.asarray(state, dtype=np.float64), 0, kind)

    def advance(self, inner: _Timed) -> _Timed:
        f = None
        if self.source is not None:
            f = self._checked_source(self.start + (inner.steps + 0.5) * self.dt)
        if is_torch(inner.state):
            return inner.after(self._differentiable(inner.state, f))
        if asking := [name for name, x in (("a", self._a), ("source", f)) if _asks_for_gradients(x)]:
            name = asking[0]
            raise InputError(
                f"state must be a tensor for gradients to flow to {name}, got a numpy array; take "
                f"torch.from_numpy(state), or {name}.detach() where no gradients are wanted"
            )
        u = inner.state.reshape(-1, self.grid.size).T
        right = u - self._half @ u
        if f is not None:
            right += self.dt * np.asarray(detached(f), dtype=np.float64).reshape(-1, 1)
        return inner.after(self._solve(np.ascontiguousarray(right)).T.reshape(inner.state.shape))

    def finish(self, inner: _Timed) -> Any:
        if is_torch(inner.state):
            return inner.state.to(inner.device, inner.kind)
        return inner.state.astype(inner.kind, copy=False)

    def source_at(self, time: float) -> np.ndarray:
        """f at a time, an array of the grid's shape."""
        return np.asarray(detached(self._checked_source(time)), dtype=np.float64)

    def _checked_source(self, time: float) -> Any:
        found = np.zeros(self.grid.shape) if self.source is None else self.source
        found = found(time) if callable(found) else found
        values = np.asarray(detached(found), dtype=np.float64)
        if values.shape != self.grid.shape or not np.all(np.isfinite(values)):
            raise InputError(
                f"source must be finite and of the grid's shape {self.grid.shape}, "
                f"got shape {values.shape} at time {time:g}"
            )
        return found

    def _differentiable(self, u: Any, f: Any) -> Any:
        """A step of a tensor (..., *space) in float64 on the CPU."""
        import torch

        from opforge.solvers.stepping._implicit_half_step import ImplicitHalfStep

        a = self._a
        if a is not None:
            if a._version != self._version:
                raise InputError("a was changed after the stepper had factorised its matrix; make a new stepper")
            a = a.to("cpu", torch.float64)
        middle = u if f is None else u + self.dt / 2 * torch.as_tensor(f).to("cpu", torch.float64)
        return 2 * ImplicitHalfStep.apply(middle, a, self) - u

    def solve(self, right: np.ndarray) -> np.ndarray:
        """M⁻¹ of float64 arrays (..., *space)."""
        columns = np.ascontiguousarray(right.reshape(-1, self.grid.size).T)
        return np.ascontiguousarray(self._solve(columns).T).reshape(right.shape)


@dataclass(frozen=True)
class _Timed(Timed):
    """A state in float64, and what it is given back as."""

    kind: Any
    device: Any = None


def _coefficient(a: Any, grid: Grid) -> np.ndarray:
    """The values of a coefficient.

    Raises:
        InputError: one that is not positive or of another shape.
    """
    values = np.asarray(detached(a), dtype=np.float64)
    if values.shape != grid.shape:
        raise InputError(f"a must be of the grid's shape {grid.shape}, got shape {values.shape}")
    if not np.all(np.isfinite(values)):
        raise InputError(f"a must be finite, got {np.count_nonzero(~np.isfinite(values))} values that are not")
    if not np.all(values > 0):
        where = ", ".join(str(int(i)) for i in np.unravel_index(values.argmin(), values.shape))
        raise InputError(
            f"a must be greater than 0 everywhere, its smallest value is {values.min():.6g} at [{where}]; raise it, as "
            "by a.clip(1e-6), or take the exponential of a field"
        )
    return values


def _asks_for_gradients(x: Any) -> bool:
    if not is_torch(x):
        return False
    import torch

    return x.requires_grad and torch.is_grad_enabled()
