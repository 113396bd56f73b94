"""Two-dimensional incompressible flow on the torus, by its vorticity; a tracer that it carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from opforge.core import Grid, fftn, ifftn
from opforge.errors import InputError
from opforge.pdes._arrays import like, stack
from opforge.pdes._numbers import axes_of_space, finite, not_negative
from opforge.pdes.equation import Field
from opforge.pdes.invariant import Invariant, conserved_mean, within_first
from opforge.pdes.semilinear import SemilinearEquation, SpectralForm
from opforge.pdes.symmetry import Composed, PeriodicReflection, Shift, SignChange, Symmetry, Transposition, shifts

FORCINGS = ("none", "diagonal", "kolmogorov")

# How far a tracer may be out of bounds: Fourier modes ring where the grid does not resolve the filaments into which the
# flow draws it.
_RINGING = 1e-2


@dataclass(frozen=True)
class NavierStokes(SemilinearEquation):
    """w_t + (u·∇) w = ν Δw − α w + f for the vorticity w = v_x − u_y of a flow with ∇·u = 0 on the torus.

    All quantities are without dimension. The velocity is that of w, plus a constant ``mean_flow``. A tracer c that the
    flow carries and that diffuses, c_t + (u·∇) c = κ Δc, is a second field where ``tracer_diffusivity`` is given; it
    stays between its first extremes.

    The convection is ∇×∇·(u uᵀ): two products, u v and v² − u², and as many transforms back and forth.

    Args:
        ndim: 2.
        viscosity: ν >= 0.
        drag: α >= 0.
        forcing: ``"none"``; ``"diagonal"``, f = A (sin 2πn(x/L + y/H) + cos 2πn(x/L + y/H)), that of the FNO data with
            n = 1; ``"kolmogorov"``, f = −A κ cos κy with κ = 2πn/H, the curl of a force A sin κy along x.
        amplitude: A.
        wavenumber: n >= 1, waves on the box.
        mean_flow: constant velocity that carries everything along.
        tracer_diffusivity: κ >= 0; no tracer unless given.

    Raises:
        InputError: numbers out of range, an unknown forcing.

    Example:
        >>> grid = Grid((32, 32), (2 * np.pi, 2 * np.pi), "periodic")
        >>> equation = NavierStokes(viscosity=0.1)
        >>> fields = equation.exact(grid)  # Taylor and Green's vortices
        >>> float((fields["w"][-1].max() / fields["w"][0].max()).round(6)) == round(float(np.exp(-0.1)), 6)
        True

    Source:
        Li et al., "Fourier Neural Operator for Parametric Partial Differential Equations", appendix A.3.3, for the
        diagonal forcing; Basdevant, "Technical improvements for direct numerical simulation of homogeneous
        three-dimensional turbulence", for the number of transforms.
    """

    ndim: int = 2
    viscosity: float = 1e-3
    drag: float = 0.0
    forcing: Literal["none", "diagonal", "kolmogorov"] = "none"
    amplitude: float = 0.1
    wavenumber: int = 1
    mean_flow: tuple[float, float] = (0.0, 0.0)
    tracer_diffusivity: float | None = None

    name: ClassVar[str] = "navier_stokes"
    dimensions: ClassVar[tuple[int, ...]] = (2,)
    method: ClassVar[str] = "Fourier, dealiased by the 2/3 rule; ETDRK4"
    order: ClassVar[str] = "spectral in space, 4 in time"

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        for name in ("viscosity", "drag", *(("tracer_diffusivity",) if self.tracer_diffusivity is not None else ())):
            object.__setattr__(self, name, not_negative(name, getattr(self, name)))
        if self.forcing not in FORCINGS:
            raise InputError(f"forcing must be one of {', '.join(FORCINGS)}, got {self.forcing!r}")
        object.__setattr__(self, "amplitude", finite("amplitude", self.amplitude))
        if isinstance(self.wavenumber, bool) or not isinstance(self.wavenumber, int) or self.wavenumber < 1:
            raise InputError(f"wavenumber must be a whole number of at least 1, got {self.wavenumber!r}")
        if not isinstance(self.mean_flow, Sequence) or len(self.mean_flow) != 2:
            raise InputError(f"mean_flow must be two velocities, along x and y, got {self.mean_flow!r}")
        flow = tuple(finite("mean_flow", velocity) for velocity in self.mean_flow)
        object.__setattr__(self, "mean_flow", flow)

    @property
    def fields(self) -> tuple[Field, ...]:
        tracer = () if self.tracer_diffusivity is None else (Field("c", "concentration of the tracer"),)
        return (Field("w", "vorticity"), *tracer)

    @property
    def unknowns(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def invariants(self) -> tuple[Invariant, ...]:
        circulation = conserved_mean("w", "circulation")
        if self.tracer_diffusivity is None:
            return (circulation,)
        remedy = "take more points, oversampling, or a tracer that diffuses faster"
        bounds = within_first("c", tolerance=_RINGING, remedy=remedy)
        return (circulation, conserved_mean("c", "mass of the tracer"), bounds)

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """What leaves forcing and mean flow as they are: shifts, mirror images that turn the vorticity round, turns.

        Mirror images turn the forces round too; a shift by half of their wave turns them back. Of a tracer the sign.
        """
        tracer = () if self.tracer_diffusivity is None else (SignChange(("c",)),)
        return (*self._shifts(), *self._mirrors(), *tracer)

    def _shifts(self) -> tuple[Symmetry, ...]:
        n = self.wavenumber
        if self.forcing == "none":
            return shifts(2)
        wave = (Shift(1, n),) if n > 1 else ()  # by a wave of the force
        if self.forcing == "kolmogorov":
            return (*(shift for shift in shifts(2) if shift.axis == 0), *wave)
        return (DiagonalShift(2), DiagonalShift(4), DiagonalShift(8), *wave)

    def _mirrors(self) -> tuple[Symmetry, ...]:
        """Those along an axis, along a diagonal, and half turns, as far as the mean flow has them."""
        (u, v), n = self.mean_flow, self.wavenumber
        mirrors = tuple(PeriodicReflection(axis, odd=("w",)) for axis in range(2))
        swap = Transposition(0, 1, odd=("w",))
        if self.forcing == "none":
            along = tuple(mirrors[axis] for axis in range(2) if self.mean_flow[axis] == 0)
            # beside the other diagonal where the first one and the axes are none
            across = (Composed((swap, *mirrors)),) if u == -v and u else ()
            return (*along, *((swap,) if u == v else ()), *across)
        if self.forcing == "kolmogorov":
            return tuple(Composed((mirrors[axis], Shift(1, 2 * n))) for axis in range(2) if self.mean_flow[axis] == 0)
        # f is a cosine around a crest, n (x/L + y/H) = 1/8
        turn = (Composed((*mirrors, Shift(0, 4 * n))),) if u == v == 0 else ()
        return (*turn, *((Composed((swap, Shift(0, 2 * n))),) if u == v else ()))

    def spectral(self, wavenumbers: tuple[np.ndarray, ...]) -> SpectralForm:
        kx, ky = wavenumbers
        square = kx**2 + ky**2
        carried = -1j * (kx * self.mean_flow[0] + ky * self.mean_flow[1]) if any(self.mean_flow) else 0.0
        inverse = 1 / np.where(square > 0, square, 1.0)
        velocity = np.stack([1j * ky * inverse, -1j * kx * inverse])[:, None]
        convection = np.stack([kx**2 - ky**2, kx * ky + 0 * square])[None]
        linear = (carried - self.viscosity * square - self.drag)[None]
        if self.tracer_diffusivity is None:
            return SpectralForm(linear, _momentum, velocity, convection, self._source(kx, ky), products=2)
        zero, one = 0 * square, 1 + 0 * square
        inner = np.stack([np.stack([velocity[0, 0], zero]), np.stack([velocity[1, 0], zero]), np.stack([zero, one])])
        flux = np.stack([zero, zero, -1j * kx + zero, -1j * ky + zero])
        outer = np.stack([np.concatenate([convection[0], np.stack([zero, zero])]), flux])
        linear = np.concatenate([linear, (carried - self.tracer_diffusivity * square)[None]])
        source = self._source(kx, ky)
        if source is not None:
            source = np.concatenate([source, np.zeros_like(source)])
        return SpectralForm(linear, _momentum_and_flux, inner, outer, source, products=4)

    def _source(self, kx: np.ndarray, ky: np.ndarray) -> np.ndarray | None:
        """The Fourier coefficients of f, (1, *modes)."""
        if self.forcing == "none" or self.amplitude == 0:
            return None
        n = self.wavenumber
        source: Any = np.zeros((1, *np.broadcast_shapes(kx.shape, ky.shape)), np.complex128)
        if max(n, 1) > source.shape[2] // 2 or (self.forcing == "diagonal" and n > source.shape[1] // 2):
            raise InputError(
                f"resolution is too coarse for a forcing of wavenumber {n}: modes up to {source.shape[2] // 2} are "
                f"kept; take at least {3 * n + 1} points per axis"
            )
        if self.forcing == "diagonal":
            source[0, n, n], source[0, -n, -n] = self.amplitude * (1 - 1j) / 2, self.amplitude * (1 + 1j) / 2
        else:
            source[0, 0, n] = source[0, 0, -n] = -self.amplitude * ky[0, n] / 2
        return source

    def velocity(self, w: Any, grid: Grid) -> Any:
        """The velocity (..., 2, x, y) of a vorticity (..., x, y), numpy or torch, with the mean flow."""
        self.check_grid(grid)
        kx, ky = grid.wavenumbers()
        square = kx[:, None] ** 2 + ky**2
        inverse = 1 / np.where(square > 0, square, 1.0)
        spectrum = fftn(w, (-2, -1))
        u = ifftn(like(spectrum, 1j * ky * inverse) * spectrum, (-2, -1)).real + self.mean_flow[0]
        v = ifftn(like(spectrum, -1j * kx[:, None] * inverse) * spectrum, (-2, -1)).real + self.mean_flow[1]
        return stack([u, v], -3)

    def exact(self, grid: Grid, times: Sequence[float] | None = None) -> dict[str, np.ndarray]:
        """Taylor and Green's vortices, w = 2 cos κx cos κ'y e^{−(ν(κ² + κ'²) + α)t}, one wave along every axis.

        They are carried by the mean flow; of their tracer nothing is there.

        Raises:
            InputError: a forcing.
        """
        self.check_grid(grid)
        if self.forcing != "none":
            return super().exact(grid)
        t = (np.linspace(0.0, 0.5, 6) if times is None else np.asarray(times, dtype=np.float64)).reshape(-1, 1, 1)
        waves, decay = 2.0, self.drag
        for x, start, length, flow in zip(grid.mesh(), grid.origin, grid.lengths, self.mean_flow, strict=True):
            k = 2 * np.pi / length
            waves = waves * np.cos(k * (x - start - flow * t))
            decay += self.viscosity * k**2
        w = waves * np.exp(-decay * t)
        tracer = {} if self.tracer_diffusivity is None else {"c": np.zeros_like(w)}
        return {"w": w, **tracer, "time": t[:, 0, 0]}


@dataclass(frozen=True)
class DiagonalShift:
    """A shift by a part of the period along y and back along x: what leaves functions of x/L + y/H alone.

    Args:
        parts: the part of the period, as its inverse.

    Example:
        >>> DiagonalShift(2).name
        'shift y 1/2, x back'
    """

    parts: int

    @property
    def name(self) -> str:
        return f"shift y 1/{self.parts}, x back"

    def applies_to(self, grid: Grid) -> bool:
        return grid.ndim == 2 and grid.points == "periodic" and all(n % self.parts == 0 for n in grid.shape)

    def __call__(self, fields: Mapping[str, Any], ndim: int) -> dict[str, Any]:
        moved = Shift(1, self.parts)(fields, ndim)
        for _ in range(self.parts - 1):
            moved = Shift(0, self.parts)(moved, ndim)
        return moved


def _momentum(velocity: Any, out: Any = None) -> Any:
    """u v and v² − u² of (pairs, 2, *points)."""
    u, v = velocity[:, 0], velocity[:, 1]
    if out is None:
        return stack([u * v, v * v - u * u], 1)
    np.multiply(u, v, out=out[:, 0])
    np.multiply(v, v, out=out[:, 1])
    out[:, 1] -= u * u
    return out


def _momentum_and_flux(fields: Any, out: Any = None) -> Any:
    """u v, v² − u², u c, v c of (pairs, 3, *points)."""
    u, v, c = fields[:, 0], fields[:, 1], fields[:, 2]
    if out is None:
        return stack([u * v, v * v - u * u, u * c, v * c], 1)
    _momentum(fields, out)
    np.multiply(u, c, out=out[:, 2])
    np.multiply(v, c, out=out[:, 3])
    return out
