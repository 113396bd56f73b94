"""Diffusion: exact in time for a constant coefficient, by Crank and Nicolson for a variable one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from opforge.core import Grid, dctn, dstn, irfftn, rfftn
from opforge.errors import InputError
from opforge.pdes._constants import Constant
from opforge.pdes._finite_volumes import BOUNDARIES, Boundary, assemble
from opforge.solvers.stepping.stepper import Stepper


def eigenvalues(grid: Grid, boundary: Boundary) -> np.ndarray:
    """λ of −Δ for the modes of `to_modes`, an array of their shape.

    Example:
        >>> (eigenvalues(Grid((3,)), "neumann") / np.pi**2).round(12).tolist()
        [0.0, 1.0, 4.0]
    """
    axes = []
    for number, (n, length) in enumerate(zip(grid.shape, grid.lengths, strict=True)):
        if boundary == "periodic":
            k = 2 * np.pi / length * ((np.arange(n) + n // 2) % n - n // 2)
            k = np.abs(k[: n // 2 + 1]) if number == grid.ndim - 1 else k
        else:
            k = np.pi / length * (np.arange(n) + (boundary == "dirichlet"))
        axes.append(k**2)
    return sum(np.meshgrid(*axes, indexing="ij"))  # type: ignore[return-value]


def to_modes(u: Any, grid: Grid, boundary: Boundary) -> Any:
    """Coefficients of the eigenfunctions of −Δ on cell centres, over the last axes; numpy or torch."""
    axes = tuple(range(-grid.ndim, 0))
    if boundary == "periodic":
        return rfftn(u, axes)
    return (dctn if boundary == "neumann" else dstn)(u, 2, axes)


def from_modes(modes: Any, grid: Grid, boundary: Boundary) -> Any:
    """The inverse of `to_modes`.

    Example:
        >>> u = np.array([1.0, 4.0, 2.0])
        >>> np.allclose(from_modes(to_modes(u, Grid((3,)), "dirichlet"), Grid((3,)), "dirichlet"), u)
        True
    """
    axes = tuple(range(-grid.ndim, 0))
    if boundary == "periodic":
        return irfftn(modes, grid.shape, axes)
    # types 2 and 3 are inverse to each other up to a scale that norm="forward" has
    return (dctn if boundary == "neumann" else dstn)(modes, 3, axes, norm="forward")


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
        if boundary not in BOUNDARIES:
            raise InputError(f"boundary must be one of {', '.join(BOUNDARIES)}, got {boundary!r}")
        a = np.atleast_1d(np.asarray(diffusivity, dtype=np.float64))
        if not (np.all(a >= 0) and np.all(np.isfinite(a)) and 0 < dt < np.inf):
            raise InputError(f"diffusivity must be at least 0 and dt greater than 0, got {diffusivity!r} and {dt!r}")
        self.grid, self.dt, self.boundary = grid, float(dt), boundary
        self._decay = Constant(np.exp(-dt * a.reshape(*a.shape, *(1,) * grid.ndim) * eigenvalues(grid, boundary)))

    def advance(self, inner: Any) -> Any:
        modes = to_modes(inner, self.grid, self.boundary)
        return from_modes(self._decay.like(modes) * modes, self.grid, self.boundary)


class CrankNicolson(Stepper):
    """u_t = ∇·(a∇u) + f for one sample's coefficient: (I + dt A/2) u' = (I − dt A/2) u + dt f, of order 2.

    A is the matrix of finite volumes on cell centres; I + dt A/2 is factorised once. Of a source that changes with time
    f is that in the middle of the step. Numpy alone.

    Args:
        grid: cell centres.
        a: the coefficient, an array of the grid's shape, > 0.
        dt: the time step.
        boundary: ``"neumann"``, ``"dirichlet"`` or ``"periodic"``.
        source: f, an array of the grid's shape, or a function of time that gives such arrays; none unless given.
        start: the time of states that steps are begun from; what a function of time is given is counted from there.

    Raises:
        InputError: a coefficient that is not positive or of another shape, a time step that is not positive.

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
        a: np.ndarray,
        dt: float,
        boundary: Boundary = "neumann",
        *,
        source: np.ndarray | Callable[[float], np.ndarray] | None = None,
        start: float = 0.0,
    ):
        import scipy.sparse
        import scipy.sparse.linalg

        if np.shape(a) != grid.shape or not (np.all(np.asarray(a) > 0) and np.all(np.isfinite(a))):
            raise InputError(f"a must be positive and of the grid's shape {grid.shape}, got shape {np.shape(a)}")
        if not 0 < dt < np.inf:
            raise InputError(f"dt must be a time greater than 0, got {dt!r}")
        self.grid, self.dt = grid, float(dt)
        self._half = (dt / 2) * assemble(np.asarray(a, dtype=np.float64), grid.spacing, boundary)
        whole = scipy.sparse.eye_array(grid.size, format="csr") + self._half
        self._solve = scipy.sparse.linalg.splu(whole.tocsc(), permc_spec="COLAMD").solve
        if not np.isfinite(start):
            raise InputError(f"start must be a finite time, got {start!r}")
        self.source, self.start = source, float(start)
        self.source_at(self.start)

    def prepare(self, state: Any) -> _Timed:
        return _Timed(state, 0)

    def advance(self, inner: _Timed) -> _Timed:
        u = np.asarray(inner.state, dtype=np.float64).reshape(-1, self.grid.size).T
        right = u - self._half @ u
        if self.source is not None:
            right += self.dt * self.source_at(self.start + (inner.steps + 0.5) * self.dt).reshape(-1, 1)
        return _Timed(self._solve(np.ascontiguousarray(right)).T.reshape(inner.state.shape), inner.steps + 1)

    def finish(self, inner: _Timed) -> Any:
        return inner.state

    def source_at(self, time: float) -> np.ndarray:
        """f at a time, an array of the grid's shape."""
        found = np.zeros(self.grid.shape) if self.source is None else self.source
        found = np.asarray(found(time) if callable(found) else found, dtype=np.float64)
        if found.shape != self.grid.shape or not np.all(np.isfinite(found)):
            raise InputError(
                f"source must be finite and of the grid's shape {self.grid.shape}, "
                f"got shape {found.shape} at time {time:g}"
            )
        return found


@dataclass(frozen=True)
class _Timed:
    """A state, and how many steps were taken to it."""

    state: Any
    steps: int
