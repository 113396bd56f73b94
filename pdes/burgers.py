"""Burgers' equation: steepening waves and what viscosity makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from opforge.core import Grid, irfftn, rfftn
from opforge.errors import InputError
from opforge.pdes._arrays import stack
from opforge.pdes._numbers import axes_of_space, not_negative
from opforge.pdes._products import square
from opforge.pdes.equation import Field
from opforge.pdes.invariant import Invariant, conserved_mean
from opforge.pdes.semilinear import SemilinearEquation, SpectralForm, squared_length
from opforge.pdes.symmetry import PeriodicReflection, Symmetry, Transposition, shifts

_FIELDS = (Field("u", "velocity along x"), Field("v", "velocity along y"))


@dataclass(frozen=True)
class Burgers(SemilinearEquation):
    """u_t + (u·∇) u = ν Δu on a periodic interval or rectangle; u is a number in one dimension, a vector in two.

    All quantities are without dimension. In one dimension the flux is u²/2, and the mean of u is kept.

    Args:
        ndim: axes of space: 1 or 2.
        viscosity: ν >= 0. With ν = 0, smooth solutions last until waves break only.

    Raises:
        InputError: another number of axes, a viscosity that is negative or not finite.

    Example:
        >>> grid = Grid.cube(1, 64, points="periodic")
        >>> u = Burgers(viscosity=0.05).cole_hopf(grid, [0.0, 0.5], amplitude=1.0)["u"]
        >>> bool(abs(u[1]).max() < abs(u[0]).max())
        True

    Source:
        Cole, "On a quasi-linear parabolic equation occurring in aerodynamics"; Hopf, "The partial differential equation
        u_t + u u_x = μ u_xx".
    """

    ndim: int = 1
    viscosity: float = 0.01

    name: ClassVar[str] = "burgers"
    dimensions: ClassVar[tuple[int, ...]] = (1, 2)
    method: ClassVar[str] = "Fourier, dealiased; ETDRK4. For small viscosity finite volumes: Godunov, MUSCL, SSP-RK3"
    order: ClassVar[str] = "spectral in space, 4 in time; finite volumes 2"

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        object.__setattr__(self, "viscosity", not_negative("viscosity", self.viscosity))

    @property
    def fields(self) -> tuple[Field, ...]:
        return _FIELDS[: self.ndim]

    @property
    def unknowns(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def invariants(self) -> tuple[Invariant, ...]:
        return (conserved_mean("u", "momentum"),) if self.ndim == 1 else ()

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Shifts, reflections that turn the velocity along their axis round, the transposition."""
        reflections = (PeriodicReflection(axis, odd=(self.unknowns[axis],)) for axis in range(self.ndim))
        swap = (Transposition(0, 1, swapped=(("u", "v"),)),) if self.ndim == 2 else ()
        return (*shifts(self.ndim), *reflections, *swap)

    def spectral(self, wavenumbers: tuple[np.ndarray, ...]) -> SpectralForm:
        diffusion = -self.viscosity * squared_length(wavenumbers)
        if self.ndim == 1:
            return SpectralForm(diffusion[None], square, outer=(-0.5j * wavenumbers[0])[None, None])
        one = np.ones(np.broadcast_shapes(*(k.shape for k in wavenumbers)))
        kx, ky = (1j * k * one for k in wavenumbers)
        zero = 0 * one
        # u, v, u_x, u_y, v_x, v_y
        inner = np.stack(
            [np.stack(row) for row in ([one, zero], [zero, one], [kx, zero], [ky, zero], [zero, kx], [zero, ky])]
        )
        return SpectralForm(np.stack([diffusion] * 2), _convection, inner, products=2)

    def cole_hopf(
        self, grid: Grid, times: Sequence[float] | np.ndarray, amplitude: float = 1.0
    ) -> dict[str, np.ndarray]:
        """The solution in one dimension from u(x, 0) = −A sin(2π(x − origin)/L).

        u = −2ν θ_x/θ, where θ solves the heat equation from θ(x, 0) = exp(−A L (cos(2πx/L) − 1)/(4πν)): exact but for
        rounding, from many more modes than the grid has. Where A L/ν is large, θ spans more than the numbers do.

        Args:
            grid: periodic points on an interval.
            times: at which the solution is wanted, >= 0.
            amplitude: A, at most 600 times 2πν/L.

        Returns:
            ``"u"`` (frames, points) and ``"time"``.

        Raises:
            InputError: more than one axis, no viscosity, an amplitude that is too large.
        """
        self.check_grid(grid)
        (length,), t = grid.lengths, np.asarray(times, dtype=np.float64)
        if self.ndim != 1 or not 0 < abs(amplitude) * length / (2 * np.pi) <= 600 * self.viscosity:
            raise InputError(
                f"amplitude must be between 0 and 600·2πν/L = {1200 * np.pi * self.viscosity / length:g} in one "
                f"dimension, got {amplitude!r} in {self.ndim}; for less viscosity compare with a finer grid"
            )
        points = max(1, -(-4096 // grid.size)) * grid.size
        x = np.arange(points) / points
        theta = rfftn(np.exp(-amplitude * length / (4 * np.pi * self.viscosity) * (np.cos(2 * np.pi * x) - 1)))
        theta[abs(theta) < 1e-15 * abs(theta).max()] = 0  # rounding, which the derivative would make large
        k = 2 * np.pi / length * np.arange(len(theta))
        evolved = theta * np.exp(-self.viscosity * k**2 * t[:, None])
        slope = irfftn(1j * k * evolved, (points,), (-1,))
        u = -2 * self.viscosity * slope / irfftn(evolved, (points,), (-1,))
        return {"u": u[:, :: points // grid.size], "time": t}

    def exact(self, grid: Grid, times: Sequence[float] | None = None) -> dict[str, np.ndarray]:
        """`cole_hopf` with as much amplitude as the viscosity allows, at most 1; in two dimensions along x.

        Raises:
            InputError: no viscosity.
        """
        self.check_grid(grid)
        if self.viscosity == 0:
            return super().exact(grid)
        t = np.linspace(0.0, 0.5, 6) if times is None else np.asarray(times, dtype=np.float64)
        line = Grid(grid.shape[:1], grid.lengths[:1], "periodic", grid.origin[:1])
        most = 200 * 2 * np.pi * self.viscosity / line.lengths[0]
        u = Burgers(1, self.viscosity).cole_hopf(line, t, min(1.0, most))["u"]
        if self.ndim == 1:
            return {"u": u, "time": t}
        u = np.repeat(u[:, :, None], grid.shape[1], axis=2)
        return {"u": u, "v": np.zeros_like(u), "time": t}


def _convection(fields: Any, out: Any = None) -> Any:
    """−(u u_x + v u_y) and −(u v_x + v v_y) of (…, fields, x, y, pair)."""
    u, v, ux, uy, vx, vy = (fields[..., i, :, :, :] for i in range(6))
    first, second = -(u * ux + v * uy), -(u * vx + v * vy)
    if out is None:
        return stack([first, second], -4)
    out[..., 0, :, :, :], out[..., 1, :, :, :] = first, second
    return out
