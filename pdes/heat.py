"""The heat equation: what diffuses, with a constant or a variable coefficient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.errors import InputError
from opforge.pdes._arrays import full_like
from opforge.pdes._finite_volumes import BOUNDARIES, divergence
from opforge.pdes._numbers import axes_of_space, positive
from opforge.pdes._own_parameters import with_own_parameters
from opforge.pdes.equation import Field
from opforge.pdes.evolution import EvolutionEquation
from opforge.pdes.invariant import Invariant, conserved_mean, within_first
from opforge.pdes.symmetry import Reflection, SignChange, Symmetry, Transposition


@dataclass(frozen=True)
class Heat(EvolutionEquation):
    """u_t = ∇·(a ∇u) in the grid's box.

    All quantities are without dimension. The discretisation is that of finite volumes on cell centres with harmonic
    means of a at the faces, of order 2.

    Args:
        ndim: axes of space: 1, 2 or 3.
        diffusivity: a > 0, where no field ``"a"`` takes its place, cell by cell.
        boundary: ``"neumann"``, nothing flows through the boundary; ``"dirichlet"``, u = 0 there; ``"periodic"``.

    Raises:
        InputError: another number of axes, a diffusivity that is not positive, an unknown boundary.

    Example:
        >>> equation, grid = Heat(ndim=1, diffusivity=0.1), Grid((64,))
        >>> u = equation.exact(grid, [0.0, 1.0])["u"]
        >>> bool(abs(u[1]).max() < abs(u[0]).max()), bool(abs(u.mean(1)).max() < 1e-12)
        (True, True)
    """

    ndim: int = 2
    diffusivity: float = 0.01
    boundary: Literal["neumann", "dirichlet", "periodic"] = "neumann"

    name: ClassVar[str] = "heat"
    unknowns: ClassVar[tuple[str, ...]] = ("u",)
    fields: ClassVar[tuple[Field, ...]] = (Field("u", "temperature"),)
    points: ClassVar[Points] = "cells"
    dimensions: ClassVar[tuple[int, ...]] = (1, 2, 3)
    method: ClassVar[str] = "constant coefficient: eigenfunctions; variable: finite volumes, Crank–Nicolson"
    order: ClassVar[str] = "constant: spectral in space, exact in time; variable: 2 in space and time"

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        object.__setattr__(self, "diffusivity", positive("diffusivity", self.diffusivity))
        if self.boundary not in BOUNDARIES:
            raise InputError(f"boundary must be one of {', '.join(BOUNDARIES)}, got {self.boundary!r}")

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Reflections along every axis, transpositions, and the change of sign."""
        axes = range(self.ndim)
        return (
            *(Reflection(axis) for axis in axes),
            *(Transposition(i, j) for i in axes for j in axes if i < j),
            SignChange(("u",)),
        )

    @property
    def invariants(self) -> tuple[Invariant, ...]:
        kept = () if self.boundary == "dirichlet" else (conserved_mean("u", "heat"),)
        return (*kept, within_first("u", zero=self.boundary == "dirichlet"))

    def tendency(self, state: Any, grid: Grid, a: Any = None) -> Any:
        """∇·(a∇u) of a state (..., 1, *space); ``a`` (..., 1, *space) takes the place of the diffusivity."""
        self.check_state(state, grid)
        a = full_like(state, self.diffusivity) if a is None else a + 0 * state
        return divergence(a, state, grid.spacing, self.boundary)

    @with_own_parameters
    def residual(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """What the trapezoidal rule leaves over from each frame to the next, with the field ``"a"`` if there is one.

        Args:
            fields: ``"u"`` (..., frames, *space), ``"time"`` (frames,), optionally ``"a"`` (..., *space).
            grid: cell centres.

        Returns:
            An array (..., frames − 1, *space); differentiable in torch.
        """
        if "a" not in fields:
            return super().residual(fields, grid)
        a = fields["a"]
        a = a.reshape(*a.shape[: -grid.ndim], 1, 1, *grid.shape)
        return self.trapezoidal(fields, grid, lambda states: self.tendency(states, grid, a))

    def exact(self, grid: Grid, times: Sequence[float] | None = None) -> dict[str, np.ndarray]:
        """One eigenfunction with m = 1, 2, … waves along the axes, which decays as e^(−aλt).

        It is a product of cos mπξ (Neumann), sin mπξ (Dirichlet) or cos 2mπξ (periodic), ξ = (x − origin)/L.
        """
        self.check_grid(grid)
        t = np.linspace(0.0, 0.5, 6) if times is None else np.asarray(times, dtype=np.float64)
        u, eigenvalue = np.ones(grid.shape), 0.0
        for axis, (x, start, length) in enumerate(zip(grid.mesh(), grid.origin, grid.lengths, strict=True)):
            k = (axis + 1) * np.pi * (2 if self.boundary == "periodic" else 1) / length
            u = u * (np.sin if self.boundary == "dirichlet" else np.cos)(k * (x - start))
            eigenvalue += k**2
        return {"u": np.exp(-self.diffusivity * eigenvalue * t).reshape(-1, *(1,) * grid.ndim) * u, "time": t}
