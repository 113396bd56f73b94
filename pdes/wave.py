"""The wave equation of acoustics, in a homogeneous or a random medium, with or without damping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.pdes._arrays import along, concatenate, full_like
from opforge.pdes._eigenmodes import eigenvalues, from_modes, to_modes
from opforge.pdes._finite_volumes import checked_boundary, divergence
from opforge.pdes._numbers import axes_of_space, not_negative, positive
from opforge.pdes._own_parameters import with_own_parameters
from opforge.pdes.equation import Field
from opforge.pdes.evolution import EvolutionEquation
from opforge.pdes.invariant import Invariant, drift, leapfrog_drift, relative
from opforge.pdes.symmetry import Reflection, SignChange, Symmetry, Transposition, shifts


@dataclass(frozen=True)
class Wave(EvolutionEquation):
    """u_t = v,  v_t = ∇·(c² ∇u) − d v in the grid's box.

    All quantities are without dimension. The discretisation is that of finite volumes on cell centres with harmonic
    means of c² at the faces, of order 2; where u = 0 at an end and c changes there, v = u_t is of order 3/2 in the mean
    square, for the last cells start h² beside what the grid would have.

    Args:
        ndim: axes of space: 1, 2 or 3.
        speed: c > 0, where no field ``"c"`` takes its place, cell by cell.
        damping: d >= 0.
        boundary: ``"dirichlet"``, u = 0 there; ``"neumann"``, waves are reflected without a change of sign;
            ``"periodic"``.

    Raises:
        InputError: numbers out of range, an unknown boundary.

    Example:
        >>> equation, grid = Wave(ndim=1), Grid((64,))
        >>> fields = equation.exact(grid, [0.0, 2.0])  # a standing wave, after a whole period
        >>> np.allclose(fields["u"][0], fields["u"][1])
        True
    """

    ndim: int = 2
    speed: float = 1.0
    damping: float = 0.0
    boundary: Literal["dirichlet", "neumann", "periodic"] = "dirichlet"

    name: ClassVar[str] = "wave"
    fields: ClassVar[tuple[Field, ...]] = (Field("u", "pressure"), Field("v", "rate of change of the pressure"))
    unknowns: ClassVar[tuple[str, ...]] = ("u", "v")
    points: ClassVar[Points] = "cells"
    dimensions: ClassVar[tuple[int, ...]] = (1, 2, 3)
    method: ClassVar[str] = "homogeneous: eigenfunctions; else finite volumes, velocity Verlet (leapfrog)"
    order: ClassVar[str] = "homogeneous: spectral in space, exact in time; else 2 in space and time"

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        object.__setattr__(self, "speed", positive("speed", self.speed))
        object.__setattr__(self, "damping", not_negative("damping", self.damping))
        checked_boundary(self.boundary)

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Reflections, transpositions, shifts of a periodic box, and the change of sign of both fields."""
        axes = range(self.ndim)
        return (
            *(Reflection(axis) for axis in axes),
            *(Transposition(i, j) for i in axes for j in axes if i < j),
            SignChange(("u", "v")),
            *(shifts(self.ndim, "cells") if self.boundary == "periodic" else ()),
        )

    def tendency(self, state: Any, grid: Grid, c: Any = None) -> Any:
        """(v, ∇·(c²∇u) − d v) of a state (..., 2, *space); ``c`` (..., 1, *space) takes the place of the speed."""
        self.check_state(state, grid)
        axis = -grid.ndim - 1
        u, v = along(state, axis, 0, 1), along(state, axis, 1, 2)
        c = full_like(u, self.speed) if c is None else c + 0 * u
        return concatenate([v, divergence(c * c, u, grid.spacing, self.boundary) - self.damping * v], axis)

    @with_own_parameters
    def residual(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """What the trapezoidal rule leaves over from each frame to the next, with the field ``"c"`` if there is one.

        Args:
            fields: ``"u"`` and ``"v"`` (..., frames, *space), ``"time"``, optionally ``"c"`` (..., *space).
            grid: cell centres.

        Returns:
            An array (..., 2, frames − 1, *space); differentiable in torch.
        """
        if "c" not in fields:
            return super().residual(fields, grid)
        c = fields["c"]
        c = c.reshape(*c.shape[: -grid.ndim], 1, 1, *grid.shape)
        return self.trapezoidal(fields, grid, lambda states: self.tendency(states, grid, c))

    @with_own_parameters
    def energy(self, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        """The mean over the box of v²/2 + c²|∇u|²/2, as the finite volumes have it.

        Args:
            fields: ``"u"`` and ``"v"`` (..., [frames], *space), optionally ``"c"`` (..., *space).
            grid: cell centres.

        Returns:
            An array (..., [frames]).
        """
        return self._energy(fields, self._pull(fields, grid), grid)

    @property
    def invariants(self) -> tuple[Invariant, ...]:
        if self.damping:
            statement = "½v² + ½c²|∇u|², less leapfrog's dt²/8 v_t², does not rise"
            return (Invariant("energy", statement, _energy_rise, 1e-8),)
        statement = "½v² + ½c²|∇u|², less leapfrog's dt²/8 v_t², does not change"
        return (Invariant("energy", statement, _energy_change, 1e-8),)

    def _pull(self, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        """∇·(c²∇u), as the finite volumes have it."""
        u, c = fields["u"], fields.get("c", np.full(grid.shape, self.speed))
        if c.ndim > grid.ndim:  # that of a sample for all of its frames
            c = c.reshape(*c.shape[: -grid.ndim], *(1,) * (u.ndim - c.ndim), *grid.shape)
        return divergence(np.broadcast_to(c * c, u.shape), u, grid.spacing, self.boundary)

    def _pull_of_modes(self, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        """c²Δu of the sum of eigenfunctions that u is."""
        modes = to_modes(fields["u"], grid, self.boundary)
        return from_modes(-(self.speed**2) * eigenvalues(grid, self.boundary) * modes, grid, self.boundary)

    def _energy(self, fields: Mapping[str, np.ndarray], pull: np.ndarray, grid: Grid) -> np.ndarray:
        return ((fields["v"] ** 2 - fields["u"] * pull) / 2).mean(tuple(range(-grid.ndim, 0)))

    def longest_step(self, grid: Grid, c: Any = None) -> float:
        """The longest stable time step of leapfrog: 2/√λ with a bound λ of the eigenvalues of −∇·(c²∇)."""
        fastest = self.speed if c is None else float(abs(c).max())
        return 1.0 / (fastest * float(np.sqrt(sum(1 / h**2 for h in grid.spacing))))

    def exact(self, grid: Grid, times: Sequence[float] | None = None) -> dict[str, np.ndarray]:
        """A standing wave with m = 1, 2, … half waves (periodic: waves) along the axes, ω = c√(Σ k²).

        Raises:
            InputError: damping.
        """
        self.check_grid(grid)
        if self.damping:
            return super().exact(grid)
        t = np.linspace(0.0, 0.5, 6) if times is None else np.asarray(times, dtype=np.float64)
        shape, square = np.ones(grid.shape), 0.0
        for axis, (x, start, length) in enumerate(zip(grid.mesh(), grid.origin, grid.lengths, strict=True)):
            k = (axis + 1) * np.pi * (2 if self.boundary == "periodic" else 1) / length
            shape = shape * (np.sin if self.boundary == "dirichlet" else np.cos)(k * (x - start))
            square += k**2
        omega, t_ = self.speed * np.sqrt(square), t.reshape(-1, *(1,) * grid.ndim)
        return {"u": np.cos(omega * t_) * shape, "v": -omega * np.sin(omega * t_) * shape, "time": t}


@with_own_parameters
def _energy_change(equation: Wave, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
    """How far the energy is from constant, relative to its greatest value: that of the eigenfunctions, which the exact
    solution of a homogeneous medium keeps, or that of the finite volumes, which leapfrog does; the lesser of the two.
    """
    whole, power = _of_finite_volumes(equation, fields, grid)
    found = leapfrog_drift(whole, power, equation.longest_step(grid, fields.get("c")))
    if "c" in fields:
        return found
    return np.minimum(found, drift(equation._energy(fields, equation._pull_of_modes(fields, grid), grid)))


@with_own_parameters
def _energy_rise(equation: Wave, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
    """By how much the energy rises from one frame to the next, beyond what leapfrog's own energy leaves open."""
    whole, power = _of_finite_volumes(equation, fields, grid)
    open_ = equation.longest_step(grid, fields.get("c")) ** 2 / 8 * np.abs(np.diff(power, axis=-1))
    return relative(np.maximum(np.diff(whole, axis=-1) - open_, 0.0).max(-1), np.abs(whole).max(-1))


def _of_finite_volumes(equation: Wave, fields: Mapping[str, np.ndarray], grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """The energy and the mean of v_t², (..., frames)."""
    pull = equation._pull(fields, grid)
    return equation._energy(fields, pull, grid), (pull * pull).mean(tuple(range(-grid.ndim, 0)))
