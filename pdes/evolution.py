"""Equations that say how fast a state changes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from opforge.core import Grid
from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError
from opforge.pdes._arrays import along, check_array, stack
from opforge.pdes._own_parameters import with_own_parameters
from opforge.pdes.equation import Equation


class EvolutionEquation(Equation):
    """An equation u_t = F(u) on a grid.

    A *state* is an array (..., components, *space), numpy or torch, with the ``unknowns`` as components, in that order.

    Example:
        >>> from opforge.pdes import KuramotoSivashinsky
        >>> issubclass(KuramotoSivashinsky, EvolutionEquation), KuramotoSivashinsky.unknowns
        (True, ('u',))
    """

    evolves: ClassVar[bool] = True

    @abstractmethod
    def tendency(self, state: Any, grid: Grid) -> Any:
        """F(u): how fast the discretised equation changes a state (..., components, *space), an array like it.

        Raises:
            InputError: a state or a grid that do not fit.
        """

    @with_own_parameters
    def residual(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """What the trapezoidal rule leaves over from each frame to the next: u₁ − u₀ − Δt (F(u₀) + F(u₁))/2.

        For a solution of the equation it is O(Δt³) in the time between frames, besides the error of the grid.

        Args:
            fields: the unknowns, arrays (..., frames, *space), and ``"time"``, the frames' times (frames,), at least 2.
            grid: the points.

        Returns:
            An array (..., [components,] frames − 1, *space); differentiable in torch.

        Raises:
            InputError: a missing field, shapes that do not fit the grid or each other.
        """
        return self.trapezoidal(fields, grid, lambda states: self.tendency(states, grid))

    def trapezoidal(self, fields: Mapping[str, Any], grid: Grid, tendency: Callable[[Any], Any]) -> Any:
        """`residual` with another tendency of states (..., frames, components, *space)."""
        states, times = self.trajectory(fields, grid)
        rates = tendency(states)
        axis = -grid.ndim - 2  # of frames
        steps = self.time_steps(times, states, grid)
        change = along(states, axis, 1, None) - along(states, axis, None, -1)
        return self.as_residual(change - steps * (along(rates, axis, 1, None) + along(rates, axis, None, -1)) / 2, grid)

    def residual_scale(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """The Euclidean norm of the unknowns over the points and all frames but the first: an array (...)."""
        states, _ = self.trajectory(fields, grid)
        later = along(states, -grid.ndim - 2, 1, None)
        return (later * later).sum(tuple(range(-grid.ndim - 2, 0))) ** 0.5

    def trajectory(self, fields: Mapping[str, Any], grid: Grid) -> tuple[Any, np.ndarray]:
        """The states (..., frames, components, *space) of fields (..., frames, *space), and the times (frames,).

        Raises:
            InputError: a missing field, shapes that do not fit the grid or each other.
        """
        self.check_grid(grid)
        self.check(fields, grid, *self.unknowns, "time")
        states = stack([fields[name] for name in self.unknowns], -grid.ndim - 1)
        times = fields["time"]
        times = np.asarray(times.detach().cpu() if is_torch(times) else times, dtype=np.float64)
        if times.shape != tuple(states.shape[: -grid.ndim - 1])[-1:] or times.size < 2:
            raise InputError(
                "field 'time' must hold the time of every frame of the unknowns (..., frames, *space), of at least 2, "
                f"got shape {times.shape} for {self.unknowns[0]!r} of shape {tuple(fields[self.unknowns[0]].shape)}"
            )
        return states, times

    def time_steps(self, times: np.ndarray, states: Any, grid: Grid) -> Any:
        """Times between frames, to multiply arrays (..., frames − 1, components, *space) with, of the states' kind."""
        steps = np.diff(times).reshape(-1, *(1,) * (grid.ndim + 1))
        if is_torch(states):
            import torch

            return torch.as_tensor(steps, dtype=states.dtype, device=states.device)
        return steps.astype(states.dtype)

    def as_residual(self, left: Any, grid: Grid) -> Any:
        """(..., frames − 1, components, *space) in the order of axes that residuals have."""
        if len(self.unknowns) == 1:
            return left.squeeze(-grid.ndim - 1)
        return left.swapaxes(-grid.ndim - 1, -grid.ndim - 2)

    def check_grid(self, grid: Grid) -> None:
        """Refuse a grid with another number of axes or other points.

        Raises:
            InputError: such a grid.
        """
        if grid.ndim != self.ndim:
            raise InputError(f"grid must have {self.ndim} axes for {self}, got shape {grid.shape}")
        if grid.points != self.points:
            raise InputError(
                f"grid must have points={self.points!r} for the equation {self.name!r}, got {grid.points!r}"
            )

    def check_state(self, state: Any, grid: Grid) -> None:
        """Refuse a state that is not (..., components, *space).

        Raises:
            InputError: such a state, or a grid that does not fit.
        """
        self.check_grid(grid)
        check_array("state", state)
        expected = (len(self.unknowns), *grid.shape)
        if tuple(state.shape[-grid.ndim - 1 :]) != expected:
            raise InputError(
                f"state must be an array (..., {', '.join(map(str, expected))}) with {', '.join(self.unknowns)} on "
                f"{'x'.join(map(str, grid.shape))} points, got shape {tuple(state.shape)}"
            )
