"""Compressible flow: the Euler and Navier–Stokes equations of an ideal gas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.errors import InputError
from opforge.pdes._arrays import along, detached, difference, least, maximum, minimum, stack, unstack, where
from opforge.pdes._godunov import GHOSTS, WALLS, balance, crossings, faces, greatest, padded
from opforge.pdes._numbers import axes_of_space, not_negative
from opforge.pdes._riemann import sod
from opforge.pdes.equation import Field
from opforge.pdes.evolution import EvolutionEquation
from opforge.pdes.invariant import Invariant, conserved_mean
from opforge.pdes.symmetry import Reflection, Symmetry, Transposition, shifts

_FIELDS = (
    Field("rho", "density"),
    Field("u", "velocity along x"),
    Field("v", "velocity along y"),
    Field("p", "pressure"),
)

_BOUNDARIES = (*WALLS, "no-slip")


@dataclass(frozen=True)
class CompressibleFlow(EvolutionEquation):
    """ρ_t + ∇·(ρu) = 0,  (ρu)_t + ∇·(ρ u uᵀ + p I − σ) = 0,  E_t + ∇·((E + p) u − σ u) = 0 of an ideal gas.

    E = p/(γ − 1) + ρ|u|²/2 and σ = η (∇u + ∇uᵀ − ⅔ ∇·u I) + ζ ∇·u I, that is η Δu + (ζ + η/3) ∇∇·u of constant
    viscosities; heat is not conducted. All quantities are without dimension. The discretisation is that of finite
    volumes on cell centres: limited slopes of ρ, u and p (MUSCL, van Leer), the HLLC flux, central differences for σ.
    With η = ζ = 0 these are the Euler equations.

    Args:
        ndim: axes of space: 1 or 2.
        shear_viscosity: η >= 0.
        bulk_viscosity: ζ >= 0.
        gamma: γ > 1, the ratio of specific heats.
        boundary: ``"periodic"``, ``"outflow"``, ``"walls"``, along which the gas slips, or ``"no-slip"``, walls that
            hold the gas by its viscosity η > 0; no heat goes through either.

    Raises:
        InputError: numbers out of range, an unknown boundary.

    Example:
        >>> grid = Grid((16,))
        >>> still = np.stack([np.ones(16), np.zeros(16), np.ones(16)])
        >>> bool(abs(CompressibleFlow(ndim=1).tendency(still, grid)).max() == 0)
        True

    Source:
        Toro, "Riemann Solvers and Numerical Methods for Fluid Dynamics", chapter 10; Takamoto et al., "PDEBench: An
        Extensive Benchmark for Scientific Machine Learning", appendix D.5, for η and ζ.
    """

    ndim: int = 2
    shear_viscosity: float = 0.0
    bulk_viscosity: float = 0.0
    gamma: float = 1.4
    boundary: Literal["periodic", "outflow", "walls", "no-slip"] = "periodic"

    name: ClassVar[str] = "compressible_flow"
    points: ClassVar[Points] = "cells"
    dimensions: ClassVar[tuple[int, ...]] = (1, 2)
    method: ClassVar[str] = "finite volumes: MUSCL, HLLC, central viscous stress; SSP-RK3"
    order: ClassVar[str] = "2 in space, 3 in time; 1 at shocks"

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        for name in ("shear_viscosity", "bulk_viscosity"):
            object.__setattr__(self, name, not_negative(name, getattr(self, name)))
        if isinstance(self.gamma, bool) or not isinstance(self.gamma, int | float) or not 1 < self.gamma < np.inf:
            raise InputError(f"gamma must be a number greater than 1, got {self.gamma!r}")
        if self.boundary not in _BOUNDARIES:
            raise InputError(f"boundary must be one of {', '.join(_BOUNDARIES)}, got {self.boundary!r}")
        if self.boundary == "no-slip" and not self.shear_viscosity:
            raise InputError("shear_viscosity must be greater than 0 for boundary='no-slip', got 0; take 'walls'")

    @property
    def fields(self) -> tuple[Field, ...]:
        return _FIELDS if self.ndim == 2 else (_FIELDS[0], _FIELDS[1], _FIELDS[3])

    @property
    def unknowns(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def invariants(self) -> tuple[Invariant, ...]:
        return () if self.boundary == "outflow" else (conserved_mean("rho", "mass", 1e-12),)

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Reflections that turn the velocity along their axis round, the transposition, shifts of a periodic box."""
        mirrors = (Reflection(axis, odd=("uv"[axis],)) for axis in range(self.ndim))
        swap = (Transposition(0, 1, swapped=(("u", "v"),)),) if self.ndim == 2 else ()
        return (*mirrors, *swap, *(shifts(self.ndim, "cells") if self.boundary == "periodic" else ()))

    def tendency(self, state: Any, grid: Grid, viscosities: Any = None) -> Any:
        """How fast ρ, u, [v,] p (..., 2 + ndim, *space) change; ``viscosities`` are those of `conserved_rate`.

        Raises:
            InputError: a state or a grid that do not fit.
        """
        self.check_state(state, grid)
        rho, *velocity, _ = unstack(state, grid.ndim)
        rate, *pushes, power = self.conserved_rate(state, grid, viscosities)
        changes = [(push - u * rate) / rho for u, push in zip(velocity, pushes, strict=True)]
        square = sum(u * u for u in velocity)
        work = sum(u * push for u, push in zip(velocity, pushes, strict=True))
        heating = (self.gamma - 1) * (power - work + square / 2 * rate)
        return stack([rate, *changes, heating], -grid.ndim - 1)

    def conserved_rate(self, state: Any, grid: Grid, viscosities: Any = None, keep: Any = None) -> list[Any]:
        """How fast ρ, ρu, [ρv,] E change, of ρ, u, [v,] p (..., 2 + ndim, *space).

        Args:
            state: ρ, u, [v,] p.
            grid: cell centres.
            viscosities: η and ζ (..., 2) of samples that have their own; the equation's unless given.
            keep: (..., *space), 1, or 0 in cells that are taken without slopes.
        """
        parts = unstack(state, grid.ndim)
        eta, zeta = self._viscosities(viscosities, grid.ndim)
        viscous = viscosities is not None or self.shear_viscosity > 0 or self.bulk_viscosity > 0
        total: list[Any] = [0.0] * len(parts)
        for normal, h in enumerate(grid.spacing):
            axis = normal - grid.ndim
            slopes = None if keep is None else padded(keep, axis, self.boundary)
            sides = [faces(self._ghosts(q, i - 1, axis, normal), axis, slopes) for i, q in enumerate(parts)]
            fluxes = self._hllc([left for left, _ in sides], [right for _, right in sides], normal)
            if viscous:
                stresses = self._stress(parts[1:-1], normal, grid.spacing, eta, zeta)
                fluxes = [flux - stress for flux, stress in zip(fluxes, stresses, strict=True)]
            total = [one + rate for one, rate in zip(total, balance(fluxes, axis, h), strict=True)]
        return total

    def _viscosities(self, viscosities: Any, ndim: int) -> tuple[Any, Any]:
        """η and ζ, numbers or arrays (..., 1, …, 1)."""
        if viscosities is None:
            return self.shear_viscosity, self.bulk_viscosity
        eta, zeta = (viscosities[(..., i, *(None,) * ndim)] for i in (0, 1))
        return eta, zeta

    def _ghosts(self, q: Any, velocity: int, axis: int, normal: int) -> Any:
        """A field with ghost cells across an axis; in a wall the velocity through it turns round, or all do."""
        held = self.boundary == "no-slip" and 0 <= velocity < self.ndim
        return padded(q, axis, self.boundary, odd=velocity == normal or held)

    def _hllc(self, left: Sequence[Any], right: Sequence[Any], normal: int) -> list[Any]:
        """The fluxes between primitive states on both sides of faces, with the contact wave."""
        (r_l, *v_l, p_l), (r_r, *v_r, p_r) = left, right
        u_l, u_r = v_l[normal], v_r[normal]
        c_l, c_r = (self.gamma * p_l / r_l) ** 0.5, (self.gamma * p_r / r_r) ** 0.5
        # Einfeldt's speeds, from Roe's mean
        w_l, w_r = r_l**0.5, r_r**0.5
        u_m = (w_l * u_l + w_r * u_r) / (w_l + w_r)
        spread = (w_l * c_l**2 + w_r * c_r**2) / (w_l + w_r) + w_l * w_r / (2 * (w_l + w_r) ** 2) * (u_r - u_l) ** 2
        slow, fast = minimum(u_l - c_l, u_m - spread**0.5), maximum(u_r + c_r, u_m + spread**0.5)
        m_l, m_r = r_l * (slow - u_l), r_r * (fast - u_r)
        contact = (p_r - p_l + m_l * u_l - m_r * u_r) / (m_l - m_r)
        f_l, f_r = self._flux(left, normal), self._flux(right, normal)
        q_l, q_r = self._of_parts(left), self._of_parts(right)
        star_l = self._star(left, q_l, slow, contact, normal)
        star_r = self._star(right, q_r, fast, contact, normal)
        fluxes = []
        for a, b, q_a, q_b, s_a, s_b in zip(f_l, f_r, q_l, q_r, star_l, star_r, strict=True):
            behind, ahead = a + slow * (s_a - q_a), b + fast * (s_b - q_b)
            middle = where(contact >= 0, behind, ahead)
            fluxes.append(where(slow >= 0, a, where(fast <= 0, b, middle)))
        return fluxes

    def _star(self, side: Sequence[Any], q: Sequence[Any], speed: Any, contact: Any, normal: int) -> list[Any]:
        """The conserved state between a wave and the contact."""
        rho, *velocity, p = side
        u = velocity[normal]
        density = rho * (speed - u) / (speed - contact)
        flow = [density * (contact if i == normal else w) for i, w in enumerate(velocity)]
        energy = density * (q[-1] / rho + (contact - u) * (contact + p / (rho * (speed - u))))
        return [density, *flow, energy]

    def _flux(self, side: Sequence[Any], normal: int) -> list[Any]:
        rho, *velocity, p = side
        _, *momentum, energy = self._of_parts(side)
        u = velocity[normal]
        pushes = [m * u + (p if i == normal else 0 * p) for i, m in enumerate(momentum)]
        return [rho * u, *pushes, (energy + p) * u]

    def _of_parts(self, parts: Sequence[Any]) -> list[Any]:
        """ρ, ρu, [ρv,] E of ρ, u, [v,] p."""
        rho, *velocity, p = parts
        energy = p / (self.gamma - 1) + rho / 2 * sum(u * u for u in velocity)
        return [rho, *(rho * u for u in velocity), energy]

    def _stress(self, velocity: Sequence[Any], normal: int, spacing: Sequence[float], eta: Any, zeta: Any) -> list[Any]:
        """0, the viscous stress on faces across an axis, and its work, from central differences."""
        ndim, axis = len(velocity), normal - len(velocity)
        wide = [self._ghosts(u, i, axis, normal) for i, u in enumerate(velocity)]
        near = [along(u, axis, GHOSTS - 1, 1 - GHOSTS) for u in wide]  # one ghost on either side
        across = [difference(u, axis) / spacing[normal] for u in near]
        mean = [(along(u, axis, None, -1) + along(u, axis, 1, None)) / 2 for u in near]
        divergence, pull = across[normal], [eta * d for d in across]
        pull[normal] = 2 * pull[normal]
        for other in range(ndim):
            if other != normal:  # derivatives along the face, of its mean velocities
                beside = other - ndim
                slopes = []
                for i, u in enumerate(mean):
                    row = along(self._ghosts(u, i, beside, other), beside, GHOSTS - 1, 1 - GHOSTS)
                    slopes.append((along(row, beside, 2, None) - along(row, beside, None, -2)) / (2 * spacing[other]))
                divergence = divergence + slopes[other]
                pull[other] = pull[other] + eta * slopes[normal]
        pull[normal] = pull[normal] + (zeta - 2 / 3 * eta) * divergence
        work = sum(u * force for u, force in zip(mean, pull, strict=True))
        return [0 * work, *pull, work]

    def crossings(self, state: Any, grid: Grid, viscosities: Any = None) -> Any:
        """Σ (|u| + c)/Δx + 2ν Σ 2/Δx² of every cell: a step needs dt times it to be at most 1."""
        rho, *velocity, p = unstack(state, grid.ndim)
        eta, zeta = self._viscosities(viscosities, grid.ndim)
        sound, viscous = (self.gamma * p / rho) ** 0.5, (4 / 3 * eta + zeta) / rho
        return crossings(lambda axis: abs(velocity[axis]) + sound + 2 * viscous / grid.spacing[axis], grid.spacing)

    def courant(self, state: Any, grid: Grid) -> float:
        """The greatest of `crossings`."""
        return greatest(self.crossings(state, grid))

    def conserved(self, state: Any, ndim: int) -> Any:
        """ρ, ρu, [ρv,] E of ρ, u, [v,] p."""
        return stack(self._of_parts(unstack(state, ndim)), -ndim - 1)

    def primitive(self, conserved: Any, ndim: int) -> Any:
        """ρ, u, [v,] p of ρ, ρu, [ρv,] E."""
        rho, *momentum, energy = unstack(conserved, ndim)
        velocity = [m / rho for m in momentum]
        p = (self.gamma - 1) * (energy - rho / 2 * sum(u * u for u in velocity))
        return stack([rho, *velocity, p], -ndim - 1)

    def physical(self, conserved: Any, ndim: int) -> Any:
        """Where (..., *space) density and pressure are greater than 0."""
        rho, *_, p = unstack(self.primitive(conserved, ndim), ndim)
        return (rho > 0) & (p > 0)

    def check_physical(self, state: Any, ndim: int) -> None:
        """Refuse a density or a pressure that is not positive.

        Raises:
            InputError: such a state.
        """
        rho, *_, p = unstack(state, ndim)
        for what, values in (("density rho", rho), ("pressure p", p)):
            if not least(values) > 0:
                raise InputError(f"{what} must be greater than 0 everywhere, got {least(values):.3g}")

    def check_medium(self, viscosities: Any, samples: int, grid: Grid) -> None:
        """Refuse viscosities of samples that are not two numbers of at least 0 for each.

        Raises:
            InputError: such viscosities.
        """
        values, shapes = detached(viscosities), {(samples, 2), (1, 2)}
        if values.shape not in shapes:
            raise InputError(
                f"viscosities must be η and ζ of {samples} samples, (samples, 2), got shape {values.shape}"
            )
        if not (np.isfinite(values) & (values >= 0)).all():
            raise InputError(f"viscosities must be finite and at least 0, got {values[~(values >= 0)][:1]}")

    def residual(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """What the trapezoidal rule leaves over from each frame to the next.

        Args:
            fields: ``"rho"``, ``"u"``, [``"v"``,] ``"p"`` (..., frames, *space) and ``"time"``; of samples with
                viscosities of their own ``"shear_viscosity"``, ``"bulk_viscosity"`` or both (...).
            grid: cell centres.

        Returns:
            An array (..., 2 + ndim, frames − 1, *space); differentiable in torch.
        """
        if not {"shear_viscosity", "bulk_viscosity"} <= fields.keys():
            return super().residual(fields, grid)
        own = stack([1 * fields["shear_viscosity"], 1 * fields["bulk_viscosity"]], -1)[..., None, :]
        return self.trapezoidal(fields, grid, lambda states: self.tendency(states, grid, own))

    def shock_tube(self, grid: Grid, times: Sequence[float]) -> dict[str, np.ndarray]:
        """Sod's shock tube along x: ρ, u, p = 1, 0, 1 on the left half, 0.125, 0, 0.1 on the right one.

        Args:
            grid: cell centres.
            times: > 0, before a wave meets the boundary.

        Returns:
            ``"rho"``, ``"u"``, [``"v"``,] ``"p"`` (frames, *space) and ``"time"``.
        """
        self.check_grid(grid)
        t = np.asarray(times, dtype=np.float64)
        x = grid.mesh()[0] - grid.origin[0] - grid.lengths[0] / 2
        rho, u, p = sod(x, t.reshape(-1, *(1,) * grid.ndim), self.gamma)
        return {"rho": rho, "u": u, **({"v": 0 * u} if grid.ndim == 2 else {}), "p": p, "time": t}
