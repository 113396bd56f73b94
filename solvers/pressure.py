"""The pressure of incompressible flow around obstacles: its matrix, preconditioners, conjugate gradients."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from opforge.core import Grid
from opforge.errors import InputError, WorkError
from opforge.pdes import _staggered as staggered
from opforge.pdes._arrays import detached
from opforge.pdes._pressure import checked_solid, floating_regions, pressure_matrix, symmetric
from opforge.pdes.incompressible_flow import IncompressibleFlow
from opforge.solvers._floating import RegionMeans
from opforge.solvers._operators import symmetric_operator
from opforge.solvers.krylov.cg import cg
from opforge.solvers.result import ConvergenceWarning, SingularWarning, SolveResult
from opforge.solvers.stencil import Stencil

if TYPE_CHECKING:
    import scipy.sparse
    from scipy.sparse.linalg import LinearOperator

# Iterations at most, and what is rounding beside the means of regions.
_MOST, _NOTHING = 1000, 1e-12

# Of the absolute values of a source, in double and single precision: sums that count as 0.
_COMPATIBLE = {8: 1e-8, 4: 1e-4}

Boundary = Literal["walls", "free slip", "channel", "stream", "periodic"]


def pressure_system(solid: np.ndarray, grid: Grid, boundary: Boundary = "walls") -> scipy.sparse.csr_matrix:
    """The matrix A of −Δ with nothing through walls and obstacles: symmetric, positive definite; rows in C order.

    Obstacles have a diagonal entry alone. In every region of fluid where the pressure floats, one cell has more on its
    diagonal, which changes the constant alone: right-hand sides of a flow have the mean 0 there. Where a stream leaves,
    the pressure is 0 on the faces and nothing floats.

    Args:
        solid: which cells are, an array of the grid's shape.
        grid: cells.
        boundary: see `opforge.pdes.IncompressibleFlow`.

    Raises:
        InputError: no cell of fluid, an unknown boundary, another shape, other values than 0 and 1.

    Example:
        >>> A = pressure_system(np.zeros((4, 4)), Grid((4, 4)))
        >>> A.shape, bool(abs(A - A.T).max() == 0)
        ((16, 16), True)
    """
    return pressure_matrix(solid, grid, _box(grid, boundary))


def pressure_stencil(solid: np.ndarray, grid: Grid, boundary: Boundary = "walls") -> Stencil:
    """The same operator as a function of fields, on which learned preconditioners are bound; nothing holds p anywhere.

    Args:
        solid, grid, boundary: see `pressure_system`.

    Raises:
        InputError: what `pressure_system` refuses.

    Example:
        >>> A = pressure_stencil(np.eye(4), Grid((4, 4)), "stream")
        >>> A.boundary, A.floats
        ((('neumann', 'dirichlet'), ('neumann', 'neumann')), False)
    """
    box = _box(grid, boundary)
    ends = [
        "periodic" if around else ("neumann", "dirichlet" if box.open(axis - grid.ndim) else "neumann")
        for axis, around in enumerate(box.periodic)
    ]
    return Stencil(grid, ends, solid=checked_solid(solid, grid))


def transform_preconditioner(solid: np.ndarray, grid: Grid, boundary: Boundary = "walls") -> LinearOperator:
    """The inverse of −Δ of the whole box, by fast transforms, between restrictions to the fluid: M ≈ A⁻¹.

    Its iterations grow with the surface of the obstacles, hardly with the number of cells: with 3 bodies 21 on 64² and
    20 on 256² cells, with 150 of them 70 on 128², where algebraic multigrid takes 7, 8 and 14 that cost more each
    (`benchmarks/results/pressure.csv`). Nothing has to be set up. Symmetric, positive definite.

    Args:
        solid, grid, boundary: see `pressure_system`.

    Raises:
        InputError: what `pressure_system` refuses.

    Example:
        >>> M = transform_preconditioner(np.zeros((4, 4)), Grid((4, 4)))
        >>> M.matvec(np.ones(16)).shape
        (16,)
    """
    box = _box(grid, boundary)
    fluid = ~checked_solid(solid, grid)
    scale = sum(2 / h**2 for h in grid.spacing)

    def apply(r: np.ndarray) -> np.ndarray:
        r = r.reshape(grid.shape)
        inside = np.where(fluid, r, 0.0)
        z = -staggered.potential(inside, grid, box)
        if box.inflow is None:  # it floats: the mean is what the cell that holds it makes of it
            z = z + inside.mean() * grid.size / scale
        return np.where(fluid, z, r / scale).ravel()

    return symmetric_operator(grid.size, apply)


class PressureSolver:
    """Potentials of divergences around obstacles: conjugate gradients, the matrix and its preconditioner made once.

    Args:
        solid: which cells are, an array of the grid's shape.
        grid: cells.
        preconditioner: M ≈ A⁻¹, symmetric positive definite: a ``LinearOperator``, a matrix, or a function of a
            residual (cells,) that gives such an array; or what ``on(A)`` makes M of for a `Stencil` A, such as
            ``opforge.precond.load("multigrid_2d")``; `transform_preconditioner` unless given.
        on_system: called with every right-hand side b (cells,) and solution x, for whoever learns from them.
        boundary: see `opforge.pdes.IncompressibleFlow`.
        method: of `opforge.solvers`, for preconditioners that are not linear `fcg` or `dcdm`.
        rtol: relative residual to which it iterates.

    Attributes:
        matrix: A of `pressure_system`.
        last: what the method gave last, its iterations and residuals.

    Raises:
        InputError: what `pressure_system` refuses, a preconditioner of another shape.

    Example:
        >>> solid = np.zeros((8, 8))
        >>> solid[3:5, 3:5] = 1
        >>> source = np.zeros((8, 8))
        >>> source[0, 0], source[7, 7] = 1.0, -1.0
        >>> p = PressureSolver(solid, Grid((8, 8)))(source)
        >>> bool(p[0, 0] < 0 < p[7, 7])
        True
    """

    def __init__(
        self,
        solid: np.ndarray,
        grid: Grid,
        preconditioner: Any = None,
        on_system: Callable[[np.ndarray, np.ndarray], None] | None = None,
        boundary: Boundary = "walls",
        *,
        method: Callable[..., SolveResult] = cg,
        rtol: float = 1e-9,
    ):
        self.matrix = pressure_system(solid, grid, boundary)
        self.last: SolveResult | None = None
        self._method, self._rtol = method, rtol
        self._grid, self._fluid, self._boundary = grid, ~checked_solid(solid, grid), boundary
        self._regions = floating_regions(solid, grid, _box(grid, boundary))
        self._on_system = on_system
        self._A: Any = self.matrix
        self._means: RegionMeans | None = None
        if preconditioner is None:
            self._M: Any = transform_preconditioner(solid, grid, boundary)
        elif hasattr(preconditioner, "on"):
            stencil = pressure_stencil(solid, grid, boundary)
            self._M = preconditioner.on(stencil)
            self._A = getattr(self._M, "operator", stencil)
            self._means = None if stencil.floating is None else RegionMeans(stencil.floating, stencil.diagonal)
        else:
            self._M = _checked(preconditioner, self.matrix)

    def __call__(self, source: Any) -> Any:
        """φ with Δφ = source, (..., *space), 0 in obstacles; numpy or torch, with gradients.

        Raises:
            InputError: a source that is not finite, or whose sum is not 0 in a region of fluid that nothing holds.
            WorkError: no convergence.
        """
        self._check(detached(source))
        return symmetric(self._solve, source)

    def solves(self, solid: np.ndarray, grid: Grid, boundary: Boundary) -> bool:
        """Whether it is the solver of these obstacles in this box."""
        same = (grid, boundary) == (self._grid, self._boundary)
        return same and bool(np.array_equal(~checked_solid(solid, grid), self._fluid))

    def of_divergence(self, source: Any) -> Any:
        """The same of the divergence of a flow through open faces, whose sums are rounding: they are not looked at.

        The source may be all rounding too, that of a flow without divergence; one that is not finite gives NaN.

        Example:
            >>> solve = PressureSolver(np.eye(4), Grid((4, 4)))
            >>> bool(np.abs(solve.of_divergence(1e-17 * np.ones((4, 4)))).max() < 1e-15)
            True
        """
        return symmetric(self._solve, source)

    def _check(self, source: np.ndarray) -> None:
        """Refuse a source that no flow through open faces has."""
        if source.shape[-self._grid.ndim :] != self._grid.shape:
            raise InputError(f"source must be an array (..., {self._grid.shape}), got shape {source.shape}")
        if not np.isfinite(source).all():
            raise InputError("source must be finite, got NaN or infinity in it; correct the flow that it comes from")
        rows = source.reshape(-1, self._grid.size)
        part = _COMPATIBLE[source.dtype.itemsize]
        for number in range(1, int(self._regions.max(initial=0)) + 1):
            inside = rows[:, self._regions.ravel() == number].astype(np.float64)
            off, most = np.abs(inside.sum(1)), part * np.abs(inside).sum(1)
            worst = int((off - most).argmax())
            if off[worst] > most[worst]:
                raise InputError(
                    "source must have the sum 0 in every region of fluid that no outflow holds, for nothing leaves it, "
                    f"got {inside[worst].sum():.3g} in a region of {inside.shape[1]} cells, where the tolerance is "
                    f"{most[worst]:.1e}; subtract the region's mean"
                )

    def _solve(self, source: np.ndarray) -> np.ndarray:
        found = np.zeros_like(source)
        for index in np.ndindex(*source.shape[: -self._grid.ndim]):
            b = np.where(self._fluid, -source[index], 0.0).astype(np.float64).ravel()
            if not np.isfinite(b).all():
                found[index] = np.nan
            elif np.any(b):
                found[index] = np.where(self._fluid, self._one(b).reshape(self._grid.shape), 0.0)
        return found

    def _one(self, b: np.ndarray) -> np.ndarray:
        right: Any = b
        if self._A is not self.matrix:
            import torch

            right = torch.from_numpy(b.reshape(self._grid.shape))
            if self._means is not None:  # rounding, or what was looked at before
                right = self._means.taken_out(right[None])[0]
                if float(right.norm()) <= _NOTHING * np.linalg.norm(b):
                    return np.zeros_like(b)
        with warnings.catch_warnings():
            for kind in (ConvergenceWarning, SingularWarning):
                warnings.simplefilter("ignore", kind)
            self.last = result = self._method(self._A, right, rtol=self._rtol, maxiter=_MOST, M=self._M)
        if not result.converged:
            raise WorkError(
                f"the pressure reached a relative residual of {result.residual:.1e} in {result.iterations} iterations, "
                f"the tolerance is {self._rtol:.0e} ({result.reason}); take another preconditioner"
            )
        x = np.asarray(result.x).reshape(b.shape)
        if self._on_system is not None:
            self._on_system(b, x)
        return x


def _checked(preconditioner: Any, matrix: scipy.sparse.csr_matrix) -> Any:
    """Refuse what is no preconditioner of the matrix."""
    shape = getattr(preconditioner, "shape", None)
    if shape != matrix.shape and not (callable(preconditioner) and shape is None):
        raise InputError(
            f"preconditioner must be a function, or an operator of shape {matrix.shape}, got "
            f"{preconditioner if shape is None else shape}"
        )
    return preconditioner


def _box(grid: Grid, boundary: Boundary) -> staggered.Box:
    return IncompressibleFlow(grid.ndim, boundary=boundary, inflow=1.0 if boundary == "stream" else 0.0).box
