"""The heat equation: what diffuses, with a constant or a variable coefficient, and with sources that change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.errors import InputError
from opforge.pdes._arrays import full_like
from opforge.pdes._finite_volumes import checked_boundary, divergence
from opforge.pdes._numbers import axes_of_space, positive
from opforge.pdes._own_parameters import with_own_parameters
from opforge.pdes.equation import Field
from opforge.pdes.evolution import EvolutionEquation
from opforge.pdes.invariant import Invariant, conserved_mean, within_first
from opforge.pdes.symmetry import Reflection, SignChange, Symmetry, Transposition, shifts


@dataclass(frozen=True)
class Heat(EvolutionEquation):
    """u_t = ∇·(a ∇u) + f(x, t) in the grid's box.

    All quantities are without dimension. The discretisation is that of finite volumes on cell centres with harmonic
    means of a at the faces, of order 2.

    Args:
        ndim: axes of space: 1, 2 or 3.
        diffusivity: a > 0, where no field ``"a"`` takes its place, cell by cell.
        boundary: ``"neumann"``, nothing flows through the boundary; ``"dirichlet"``, u = 0 there; ``"periodic"``.
        forced: whether there is a source, a field ``"f"`` that has frames as u has; f = 0 without.

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
    forced: bool = False

    name: ClassVar[str] = "heat"
    unknowns: ClassVar[tuple[str, ...]] = ("u",)
    points: ClassVar[Points] = "cells"
    dimensions: ClassVar[tuple[int, ...]] = (1, 2, 3)
    method: ClassVar[str] = "constant coefficient: eigenfunctions; variable, sources: finite volumes, Crank–Nicolson"
    order: ClassVar[str] = "constant: spectral in space, exact in time; variable, sources: 2 in space and time"

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        object.__setattr__(self, "diffusivity", positive("diffusivity", self.diffusivity))
        checked_boundary(self.boundary)
        if not isinstance(self.forced, bool):
            raise InputError(f"forced must be true or false, got {self.forced!r}")

    @property
    def fields(self) -> tuple[Field, ...]:
        return (Field("u", "temperature"), *((Field("f", "source of heat"),) if self.forced else ()))

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Reflections, transpositions, shifts of a periodic box, and the change of sign of u and f."""
        axes = range(self.ndim)
        return (
            *(Reflection(axis) for axis in axes),
            *(Transposition(i, j) for i in axes for j in axes if i < j),
            SignChange(tuple(field.name for field in self.fields)),
            *(shifts(self.ndim, "cells") if self.boundary == "periodic" else ()),
        )

    @property
    def invariants(self) -> tuple[Invariant, ...]:
        """Of an equation without a source: what one does between frames is not known."""
        if self.forced:
            return ()
        kept = () if self.boundary == "dirichlet" else (conserved_mean("u", "heat"),)
        return (*kept, within_first("u", zero=self.boundary == "dirichlet"))

    def tendency(self, state: Any, grid: Grid, a: Any = None, f: Any = None) -> Any:
        """∇·(a∇u) + f of a state (..., 1, *space).

        ``a`` (..., 1, *space) takes the place of the diffusivity; ``f`` (..., 1, *space) is 0 unless given.
        """
        self.check_state(state, grid)
        a = full_like(state, self.diffusivity) if a is None else a + 0 * state
        rate = divergence(a, state, grid.spacing, self.boundary)
        return rate if f is None else rate + f

    @with_own_parameters
    def residual(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """What the trapezoidal rule leaves over from each frame to the next: of u, of its source, with ``"a"``.

        Args:
            fields: ``"u"`` (..., frames, *space), ``"time"`` (frames,), optionally ``"a"`` (..., *space); where there
                is a source, ``"f"`` (..., frames, *space).
            grid: cell centres.

        Returns:
            An array (..., frames − 1, *space); differentiable in torch.
        """
        a, f = fields.get("a"), None
        if a is not None:
            a = a.reshape(*a.shape[: -grid.ndim], 1, 1, *grid.shape)
        if self.forced:
            self.check(fields, grid, "u", "f")
            f = fields["f"]
            if tuple(f.shape) != tuple(fields["u"].shape):
                raise InputError(
                    f"field 'f' must have the frames of 'u', shape {tuple(fields['u'].shape)}, got {tuple(f.shape)}"
                )
            f = f.reshape(*f.shape[: -grid.ndim], 1, *grid.shape)
        return self.trapezoidal(fields, grid, lambda states: self.tendency(states, grid, a, f))

    def exact(self, grid: Grid, times: Sequence[float] | None = None) -> dict[str, np.ndarray]:
        """One eigenfunction with m = 1, 2, … waves along the axes, which decays as e^(−aλt).

        With a source it is 1 + sin(t) times as large instead, which f = φ (cos t + aλ (1 + sin t)) makes it. It is a
        product of cos mπξ (Neumann), sin mπξ (Dirichlet) or cos 2mπξ (periodic), ξ = (x − origin)/L.
        """
        self.check_grid(grid)
        t = np.linspace(0.0, 0.5, 6) if times is None else np.asarray(times, dtype=np.float64)
        u, eigenvalue = np.ones(grid.shape), 0.0
        for axis, (x, start, length) in enumerate(zip(grid.mesh(), grid.origin, grid.lengths, strict=True)):
            k = (axis + 1) * np.pi * (2 if self.boundary == "periodic" else 1) / length
            u = u * (np.sin if self.boundary == "dirichlet" else np.cos)(k * (x - start))
            eigenvalue += k**2
        rate, t_ = self.diffusivity * eigenvalue, t.reshape(-1, *(1,) * grid.ndim)
        if self.forced:
            size = 1 + np.sin(t_)
            return {"u": size * u, "f": (np.cos(t_) + rate * size) * u, "time": t}
        return {"u": np.exp(-rate * t_) * u, "time": t}
