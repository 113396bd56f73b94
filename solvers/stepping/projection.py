"""Incompressible flow: SSP-RK3 of rates without divergence, with fast or preconditioned pressure solves."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from opforge.core import Grid
from opforge.errors import InputError, WorkError
from opforge.pdes import _staggered as staggered
from opforge.pdes._arrays import like, stack, unstack
from opforge.pdes.incompressible_flow import IncompressibleFlow
from opforge.pdes.poisson import Poisson
from opforge.solvers.stepping.runge_kutta import SSPRK3
from opforge.solvers.stepping.stepper import Stepper

if TYPE_CHECKING:
    import scipy.sparse

# Of the pressure systems that are iterated on.
_RTOL, _MOST = 1e-9, 200


def pressure_system(solid: np.ndarray, grid: Grid) -> scipy.sparse.csr_matrix:
    """The matrix of −Δ with nothing through walls and obstacles: symmetric, positive definite; rows in C order.

    The pressure floats in every region of fluid: one of its cells has more on its diagonal, which changes the constant
    alone. Obstacles have a diagonal entry.

    Args:
        solid: which cells are, an array of the grid's shape.
        grid: cells of a closed box.

    Raises:
        InputError: no cell of fluid.

    Example:
        >>> A = pressure_system(np.zeros((4, 4)), Grid((4, 4)))
        >>> A.shape, bool(abs(A - A.T).max() == 0)
        ((16, 16), True)
    """
    return Poisson(grid.ndim, "neumann").operator({"solid": np.asarray(solid, dtype=np.float64)}, grid)


class PressureSolver:
    """Potentials of divergences around obstacles: conjugate gradients, the matrix and its preconditioner made once.

    Args:
        solid: which cells are, an array of the grid's shape.
        grid: cells of a closed box.
        preconditioner: a ``LinearOperator`` or matrix M ≈ A⁻¹, symmetric positive definite; algebraic multigrid unless
            given.
        on_system: called with every right-hand side b and solution x, for whoever learns from them.

    Raises:
        InputError: no cell of fluid.
    """

    def __init__(
        self,
        solid: np.ndarray,
        grid: Grid,
        preconditioner: Any = None,
        on_system: Callable[[np.ndarray, np.ndarray], None] | None = None,
    ):
        import pyamg

        self.matrix = pressure_system(solid, grid)
        self._grid, self._fluid = grid, (np.asarray(solid) < 0.5)
        self._on_system = on_system
        if preconditioner is None:
            preconditioner = pyamg.ruge_stuben_solver(self.matrix, max_coarse=200).aspreconditioner(cycle="V")
        self._preconditioner = preconditioner

    def __call__(self, source: np.ndarray) -> np.ndarray:
        """φ with Δφ = source, (..., *space).

        Raises:
            WorkError: no convergence.
        """
        import scipy.sparse.linalg

        found = np.zeros_like(source)
        for index in np.ndindex(*source.shape[: -self._grid.ndim]):
            b = np.where(self._fluid, -source[index], 0.0).ravel()
            if not np.any(b):
                continue
            x, info = scipy.sparse.linalg.cg(self.matrix, b, rtol=_RTOL, maxiter=_MOST, M=self._preconditioner)
            if info:
                raise WorkError(f"the pressure did not converge to {_RTOL:.0e} within {_MOST} iterations")
            if self._on_system is not None:
                self._on_system(b, x)
            found[index] = x.reshape(self._grid.shape)
        return found


class ProjectionStepper(Stepper):
    """SSP-RK3 of the part of the rates that has no divergence; states (samples, components, *space).

    Between walls the pressure is solved by fast transforms, exactly, for numpy and torch with gradients; around
    obstacles by conjugate gradients, for numpy. A step needs dt (Σ |u|/Δx + 4ν/Δx²) <= 1: what is longer is refused
    before the start; where the flow grows faster on the way, a step is taken in as many parts as it needs.

    Args:
        equation: what is solved.
        grid: cells.
        dt: the time step, greater than 0.
        solid: obstacles, a truth value for every cell; in closed boxes.
        preconditioner, on_system: see `PressureSolver`.

    Raises:
        InputError: a time step that is not positive, obstacles in boxes that are not closed; when it is given a state:
            a time step beyond the limit.

    Example:
        >>> step = ProjectionStepper(IncompressibleFlow(lid=1.0), Grid((16, 16)), dt=0.01)
        >>> step(np.zeros((1, 2, 16, 16))).shape
        (1, 2, 16, 16)
    """

    def __init__(
        self,
        equation: IncompressibleFlow,
        grid: Grid,
        dt: float,
        *,
        solid: np.ndarray | None = None,
        preconditioner: Any = None,
        on_system: Callable[[np.ndarray, np.ndarray], None] | None = None,
    ):
        if not 0 < dt < np.inf:
            raise InputError(f"dt must be a time greater than 0, got {dt!r}")
        equation.check_grid(grid)
        self.equation, self.grid, self.dt = equation, grid, float(dt)
        self._solve: PressureSolver | None = None
        self._open: np.ndarray | None = None
        if solid is not None and np.any(solid):
            if any(equation.box.periodic):
                raise InputError(f"obstacles need a closed box, got boundary={equation.boundary!r}; take 'walls'")
            self._solve = PressureSolver(solid, grid, preconditioner, on_system)
            self._open = open_faces(np.asarray(solid) > 0.5)

    def prepare(self, state: Any) -> Any:
        self.equation.check_state(state, self.grid)
        speed = self.equation.courant(state, self.grid)
        if self.dt * speed > 1:
            raise InputError(
                f"dt must be at most {1 / speed:.4g}, for the flow and the viscosity on this grid, got {self.dt:.4g}; "
                "take more steps"
            )
        return self._without_divergence(state)

    def advance(self, inner: Any) -> Any:
        speed = self.equation.courant(inner, self.grid)
        parts = max(1, math.ceil(self.dt * speed)) if math.isfinite(speed) else 1
        step = SSPRK3(self._rate, self.dt / parts)
        for _ in range(parts):
            inner = step.advance(inner)
        return inner if self._solve is None else self._without_divergence(inner)

    def _rate(self, state: Any) -> Any:
        fluid = None if self._open is None else like(state, self._open)
        return self.equation.tendency(state, self.grid, self._solve, fluid)

    def _without_divergence(self, state: Any) -> Any:
        ndim, box = self.grid.ndim, self.equation.box
        parts = unstack(state, ndim)
        velocity = parts[:ndim]
        if self._open is not None:
            velocity = [u * open_ for u, open_ in zip(velocity, self._open, strict=True)]
        velocity, _ = staggered.projected(velocity, self.grid, box, self._solve)
        if self._open is not None:
            velocity = [u * open_ for u, open_ in zip(velocity, self._open, strict=True)]
        return stack([*velocity, *parts[ndim:]], -ndim - 1)


def open_faces(solid: np.ndarray) -> np.ndarray:
    """1 on upper faces (ndim, *space) between two cells of fluid, 0 elsewhere and on walls.

    Example:
        >>> open_faces(np.array([[False, True, False]])).astype(int).tolist()
        [[[0, 0, 0]], [[0, 0, 0]]]
    """
    found = np.zeros((solid.ndim, *solid.shape))
    for axis in range(solid.ndim):
        fluid, target = np.moveaxis(~solid, axis, 0), np.moveaxis(found[axis], axis, 0)
        target[:-1] = fluid[:-1] & fluid[1:]
    return found
