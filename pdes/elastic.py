"""The elastic wave equation: P, S and surface waves in homogeneous and random solids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np

from opforge.core import Grid
from opforge.core.full_transforms.transforms import is_torch
from opforge.core.grid import Points
from opforge.errors import InputError
from opforge.pdes import _solid as solids
from opforge.pdes._arrays import check_array, detached, like, stack, unstack
from opforge.pdes._numbers import axes_of_space, finite, not_negative, positive
from opforge.pdes._solid import BOUNDARIES, FORCES, Places, Solid, of_all_frames, pairs, shear_name
from opforge.pdes._solid_energy import energy, energy_change, momentum, momentum_change
from opforge.pdes._solid_symmetries import StaggeredReflection, transposition
from opforge.pdes._solid_waves import box_mode, free_mode, plane_wave, surface_mode
from opforge.pdes.equation import Field
from opforge.pdes.evolution import EvolutionEquation
from opforge.pdes.invariant import Invariant
from opforge.pdes.symmetry import SignChange, Symmetry, shifts

# Fields of a medium, and the parameters whose place they take.
MEDIUM = {"rho": "density", "cp": "p_speed", "cs": "s_speed"}


@dataclass(frozen=True)
class Elastic(EvolutionEquation):
    """ρ v_t = ∇·σ + f,  σ_t = λ (∇·v) I + μ (∇v + ∇vᵀ), with λ = ρ (c_p² − 2 c_s²) and μ = ρ c_s².

    Isotropic linear elasticity, ρ u_tt = ∇·σ + f with v = u_t; plane strain in two dimensions. All quantities are
    without dimension. The grid is staggered: normal stresses are at its points, the entry of a velocity for a point is
    half a spacing above it along its axis, that of a shear stress half a spacing above along both; what would be beyond
    the upper walls is 0. Central differences of order 2, which conserve energy.

    Fields ``"rho"``, ``"cp"`` and ``"cs"`` at the points take the place of the parameters; ``"fx"``, ``"fy"`` and
    ``"fz"``, where the velocities are, are a force that does not change with time.

    Args:
        ndim: axes of space: 2 or 3.
        density: ρ > 0.
        p_speed: c_p > 0, of pressure waves.
        s_speed: c_s >= 0, of shear waves, with λ + 2μ/ndim > 0: less than c_p in two dimensions, than √¾ c_p in three.
        boundary: ``"free"``, surfaces without traction; ``"rigid"``, clamped walls; ``"slip"``, walls along which the
            solid slides, mirrors; ``"surface"``, a free one at the upper end of the last axis, mirrors elsewhere;
            ``"periodic"``. The grid has nodes, the outermost ones on the walls, or periodic points.

    Raises:
        InputError: numbers out of range, an unknown boundary.

    Example:
        >>> equation, grid = Elastic(boundary="periodic"), Grid((64, 64), points="periodic")
        >>> fields = equation.exact(grid, [0.0, 0.1])
        >>> float(equation.energy(fields, grid).round(4)[1]) == float(equation.energy(fields, grid).round(4)[0])
        True

    Source:
        Virieux, "P-SV wave propagation in heterogeneous media: velocity–stress finite-difference method"; Levander,
        "Fourth-order finite-difference P-SV seismograms", for free surfaces.
    """

    ndim: int = 2
    density: float = 1.0
    p_speed: float = 1.0
    s_speed: float = 0.6
    boundary: Literal["free", "surface", "rigid", "slip", "periodic"] = "free"

    name: ClassVar[str] = "elastic"
    points: ClassVar[Points] = "nodes"
    dimensions: ClassVar[tuple[int, ...]] = (2, 3)
    method: ClassVar[str] = "staggered differences of velocities and stresses, stress imaging; leapfrog"
    order: ClassVar[str] = "2 in space and time; 1 at jumps of the medium"

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        for name in ("density", "p_speed"):
            object.__setattr__(self, name, positive(name, getattr(self, name)))
        object.__setattr__(self, "s_speed", not_negative("s_speed", self.s_speed))
        if not _definite(self.p_speed, self.s_speed, self.ndim):
            raise InputError(
                f"s_speed must be less than {self.fastest_shear(self.p_speed):.6g} (λ + 2μ/{self.ndim} > 0) for "
                f"p_speed={self.p_speed:g}, got {self.s_speed:g}"
            )
        if self.boundary not in BOUNDARIES:
            raise InputError(f"boundary must be one of {', '.join(BOUNDARIES)}, got {self.boundary!r}")

    @classmethod
    def from_lame(cls, lam: float, mu: float, density: float = 1.0, **others: Any) -> Self:
        """With Lamé's λ and μ: c_p² = (λ + 2μ)/ρ, c_s² = μ/ρ.

        Args:
            lam, mu: μ >= 0, λ + 2μ/ndim > 0.
            density: ρ > 0.
            others: ``ndim``, ``boundary``.

        Raises:
            InputError: numbers out of range.

        Example:
            >>> solid = Elastic.from_lame(lam=2.0, mu=1.0, density=4.0)
            >>> solid.p_speed, solid.s_speed, solid.lam, solid.mu
            (1.0, 0.5, 2.0, 1.0)
        """
        lam, mu, density = finite("lam", lam), not_negative("mu", mu), positive("density", density)
        ndim = others.get("ndim", 2)
        axes_of_space(ndim, cls.dimensions)
        if not lam + 2 * mu / ndim > 0:
            raise InputError(
                f"lam must be greater than {-2 * mu / ndim:g} (λ + 2μ/{ndim} > 0) for mu={mu:g}, got {lam:g}"
            )
        return cls(density=density, p_speed=((lam + 2 * mu) / density) ** 0.5, s_speed=(mu / density) ** 0.5, **others)

    @property
    def lam(self) -> float:
        """λ = ρ (c_p² − 2 c_s²)."""
        return self.density * (self.p_speed**2 - 2 * self.s_speed**2)

    @property
    def mu(self) -> float:
        """μ = ρ c_s²."""
        return self.density * self.s_speed**2

    def fastest_shear(self, p_speed: Any) -> Any:
        """The bound that the speed of shear waves stays below, c_p/√(2 − 2/ndim)."""
        return p_speed / (2 - 2 / self.ndim) ** 0.5

    @property
    def fields(self) -> tuple[Field, ...]:
        axes = "xyz"[: self.ndim]
        velocities = (Field("uvw"[i], f"velocity along {x}, above by h/2") for i, x in enumerate(axes))
        normal = (Field(f"s{x}{x}", f"stress {x}{x}") for x in axes)
        shear = (Field(shear_name(i, j), f"stress {axes[i]}{axes[j]}, above by h/2") for i, j in pairs(self.ndim))
        return (*velocities, *normal, *shear)

    @property
    def unknowns(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def invariants(self) -> tuple[Invariant, ...]:
        words = "½ρ|v|² + ½σ:ε, less leapfrog's dt²/8 ρ|v_t|², does not change"
        energy = Invariant("energy", words, energy_change, 1e-8)
        momentum = Invariant("momentum", "the mean of ρv grows by that of f", momentum_change, 1e-10)
        return (energy, momentum) if self.boundary in ("free", "periodic") else (energy,)

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Reflections and transpositions, which move components along, the change of sign, periodic shifts."""
        alike, periodic = self.ndim - (self.boundary == "surface"), self.boundary == "periodic"
        return (
            *(StaggeredReflection(axis, periodic) for axis in range(alike)),
            *(transposition(i, j, self.ndim) for i, j in pairs(alike)),
            SignChange((*self.unknowns, *FORCES[: self.ndim], "div", "curl")),
            *(shifts(self.ndim) if periodic else ()),
        )

    def places(self, grid: Grid) -> Places:
        """Where the fields live.

        Raises:
            InputError: a grid that does not fit.
        """
        self.check_grid(grid)
        return Places(grid, self.boundary)

    def check_grid(self, grid: Grid) -> None:
        """Refuse a grid of another number of axes, without nodes or, in a periodic box, periodic points.

        Raises:
            InputError: such a grid.
        """
        wanted = "periodic" if self.boundary == "periodic" else "nodes"
        if grid.ndim != self.ndim:
            raise InputError(f"grid must have {self.ndim} axes for {self}, got shape {grid.shape}")
        if grid.points != wanted:
            raise InputError(
                f"grid must have points={wanted!r} for the equation 'elastic' with boundary={self.boundary!r}, got "
                f"{grid.points!r}"
            )

    def admissible(self, state: Any, grid: Grid) -> Any:
        """A state with zeros beyond walls, and where walls hold a velocity or a stress.

        Raises:
            InputError: a state or a grid that do not fit.
        """
        self.check_state(state, grid)
        return state * like(state, self._held(grid))

    def _held(self, grid: Grid) -> np.ndarray:
        places = self.places(grid)
        return np.stack([places.held(name) for name in self.unknowns])

    def solid(self, grid: Grid, media: Mapping[str, Any] | None = None) -> Solid:
        """The coefficients of a medium.

        Args:
            grid: points.
            media: ``"rho"``, ``"cp"``, ``"cs"``, ``"fx"``, … (..., *space), numpy or torch; where left out, the
                parameters and no force.
        """
        density, lam, mu = self.moduli(media or {}, grid)
        force: list[Any] = []
        if media and any(name in media for name in FORCES):
            given = (media.get(name, np.zeros(grid.shape)) for name in FORCES[: grid.ndim])
            force = [f if is_torch(f) else like(density, f) for f in given]
        return Solid.of(density, lam, mu, self.places(grid), force)

    def moduli(self, media: Mapping[str, Any], grid: Grid) -> tuple[Any, Any, Any]:
        """ρ, λ and μ at the points, arrays of the kind of the media."""
        tensors = [x for x in media.values() if is_torch(x)]
        x = tensors[0] if tensors else next(iter(media.values()), np.zeros(()))
        whole = (media.get(name, np.full(grid.shape, getattr(self, own))) for name, own in MEDIUM.items())
        density, cp, cs = (c if is_torch(c) else like(x, c) for c in whole)
        mu = density * cs * cs
        return density, density * cp * cp - 2 * mu, mu

    def tendency(self, state: Any, grid: Grid, media: Mapping[str, Any] | None = None) -> Any:
        """How fast velocities and stresses (..., components, *space) change in ``media``, see `solid`.

        Raises:
            InputError: a state or a grid that do not fit.
        """
        parts, places = unstack(self.admissible(state, grid), grid.ndim), self.places(grid)
        solid = self.solid(grid, media).like(state)
        rates = solids.velocity_rates(parts[grid.ndim :], solid, places)
        rates += solids.stress_rates(parts[: grid.ndim], solid, places)
        return stack([rate + 0 * part for rate, part in zip(rates, parts, strict=True)], -grid.ndim - 1)

    def residual(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """What the trapezoidal rule leaves over from each frame to the next, in the medium that the fields have.

        Args:
            fields: the unknowns (..., frames, *space), ``"time"``; optionally ``"rho"``, ``"cp"``, ``"cs"``, ``"fx"``,
                ``"fy"``, ``"fz"`` (..., *space).
            grid: nodes or periodic points.

        Returns:
            An array (..., components, frames − 1, *space); differentiable in torch.
        """
        media = of_all_frames(fields, grid, (*MEDIUM, *FORCES))
        return self.trapezoidal(fields, grid, lambda states: self.tendency(states, grid, media))

    def energy(self, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        """The mean over the box of ½ρ|v|² + ½σ:ε, as the staggered differences have it: an array (...).

        Leapfrog with the step dt keeps it, less dt²/8 ρ|v_t|², to rounding.
        """
        return energy(fields, self.moduli(of_all_frames(fields, grid, MEDIUM), grid), self.places(grid))

    def momentum(self, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        """The mean over the box of ρv, (..., ndim)."""
        density, _, _ = self.moduli(of_all_frames(fields, grid, MEDIUM), grid)
        return momentum(fields, density, self.places(grid))

    def divergence(self, velocity: Sequence[Any], grid: Grid, media: Mapping[str, Any] | None = None) -> Any:
        """∇·v at the points, of arrays (..., *space); what stretches a free surface narrows it across."""
        _, lam, mu = self.moduli(media or {}, grid)
        rates = solids.stress_rates(velocity, self.solid(grid, media).like(velocity[0]), self.places(grid))
        normal = rates[: grid.ndim]
        bulk = grid.ndim * lam + 2 * mu
        return sum(normal[1:], start=normal[0]) / (bulk if is_torch(bulk) else like(normal[0], bulk))

    def curl(self, velocity: Sequence[Any], grid: Grid) -> Any:
        """∂v/∂x − ∂u/∂y in two dimensions, half a spacing above the points along both axes."""
        places, (u, v) = self.places(grid), velocity
        return (places.up(v, 0) - places.up(u, 1)) * like(u, places.present((0, 1)))

    def check_media(self, media: Mapping[str, Any], grid: Grid) -> None:
        """Refuse fields that no medium has.

        Raises:
            InputError: an unknown one, another shape, values out of range.
        """
        known = (*MEDIUM, *FORCES[: grid.ndim])
        for name, values in media.items():
            if name not in known:
                raise InputError(f"media must be among {', '.join(known)}, got {name!r}")
            check_array(name, values)
            if tuple(values.shape[-grid.ndim :]) != grid.shape:
                raise InputError(f"{name} must end in the grid's shape {grid.shape}, got {tuple(values.shape)}")
            if not np.isfinite(detached(values)).all():
                raise InputError(f"{name} must be finite, got NaN or infinity in it")
        density, cp, cs = (detached(media.get(name, getattr(self, own))) for name, own in MEDIUM.items())
        for name, values in (("rho", density), ("cp", cp)):
            if not values.min() > 0:
                raise InputError(f"{name} must be greater than 0 everywhere, got {values.min():.4g}")
        if not cs.min() >= 0:
            raise InputError(f"cs must be at least 0 everywhere, got {cs.min():.4g}")
        if not np.all(_definite(cp, cs, self.ndim)):
            worst = (cs / cp).max()
            raise InputError(
                f"cs must be less than {self.fastest_shear(1.0):.6g} cp everywhere (λ + 2μ/{self.ndim} > 0), got "
                f"{worst:.6g} cp"
            )

    def longest_step(self, grid: Grid, media: Mapping[str, Any] | None = None) -> float:
        """The longest stable time step of leapfrog: 1/(c_p √Σ 1/h²), in a medium of its own by Gershgorin's bound.

        Example:
            >>> Elastic().longest_step(Grid((33, 33), points="nodes"))  # h/√2
            0.022097086912079608
        """
        places = self.places(grid)
        if not media or not any(name in media for name in MEDIUM):
            return 1 / (self.p_speed * float(np.sqrt(sum(1 / h**2 for h in grid.spacing))))
        whole = {name: np.asarray(detached(media[name]), dtype=np.float64) for name in MEDIUM if name in media}
        return 2 / float(np.sqrt(solids.greatest_rate(*self.moduli(whole, grid), places)))

    def wave(
        self,
        grid: Grid,
        times: Sequence[float] | np.ndarray,
        kind: Literal["P", "S"],
        *,
        waves: Sequence[int] | None = None,
    ) -> dict[str, np.ndarray]:
        """A pressure or a shear wave in a homogeneous medium, travelling (periodic) or standing (slip).

        Args:
            grid: of the fields.
            times: of the frames.
            kind: ``"P"``, velocity along the wavenumber, or ``"S"``, velocity across it, in the plane of x and y.
            waves: waves (slip walls: half waves) along each axis; 1 unless given.

        Returns:
            The unknowns (frames, *space) and ``"time"``.

        Raises:
            InputError: another boundary; a shear wave where there is none.

        Example:
            >>> equation, grid = Elastic(boundary="periodic", s_speed=0.5), Grid((8, 8), points="periodic")
            >>> fields = equation.wave(grid, [0.0, 2.0], "S", waves=(1, 0))  # after a period
            >>> np.allclose(fields["v"][0], fields["v"][1]), float(abs(fields["u"]).max())
            (True, 0.0)
        """
        if self.boundary not in ("periodic", "slip"):
            raise InputError(f"boundary must be periodic or slip for such a wave, got {self.boundary!r}")
        if kind not in ("P", "S"):
            raise InputError(f"kind must be 'P' or 'S', got {kind!r}")
        number = (2 if self.boundary == "periodic" else 1) * np.pi
        counts = (1,) * self.ndim if waves is None else waves
        k = np.array([number * m / length for m, length in zip(counts, grid.lengths, strict=True)])
        d = k / np.linalg.norm(k)
        if kind == "S":
            if not self.s_speed or not np.any(k[:2]):
                raise InputError(f"kind='S' needs s_speed > 0 and waves along x or y, got {self.s_speed} and {counts}")
            d = np.array([-k[1], k[0], *(0.0,) * (self.ndim - 2)]) / np.linalg.norm(k[:2])
        form = plane_wave if self.boundary == "periodic" else box_mode
        return self._frames(form(self, self.places(grid), np.asarray(times, dtype=np.float64), k, d), times, grid)

    def exact(self, grid: Grid, times: Sequence[float] | None = None) -> dict[str, np.ndarray]:
        """A P and an S wave, travelling (periodic) or standing (slip); a surface wave; Lamé's mode in a free box.

        The standing surface wave has four half waves along x; it is Rayleigh's if the box is deep. Lamé's mode u =
        cos kx sin ky, v = −sin kx cos ky shears with ω = √2 k c_s; it fits where m half waves along x are as long as n
        along y, for small whole numbers m and n.

        Raises:
            InputError: rigid walls, free boxes with other sides, shallow ones with a surface, fluids with either.
        """
        places = self.places(grid)
        t = np.linspace(0.0, 0.5, 6) if times is None else np.asarray(times, dtype=np.float64)
        if self.boundary in ("periodic", "slip"):
            fields = self.wave(grid, t, "P")
            if self.s_speed:
                other = self.wave(grid, t, "S", waves=(1, 2, *(0,) * (self.ndim - 2)))
                fields |= {name: fields[name] + other[name] for name in self.unknowns}
            return fields
        known = {"free": free_mode, "surface": surface_mode}
        mode = known[self.boundary](self, places, t) if self.boundary in known and self.s_speed else None
        return super().exact(grid) if mode is None else self._frames(mode, t, grid)

    def _frames(self, fields: dict[str, np.ndarray], times: Any, grid: Grid) -> dict[str, np.ndarray]:
        places = self.places(grid)
        kept = {name: values * places.held(name) for name, values in fields.items()}
        return {**kept, "time": np.asarray(times, dtype=np.float64)}


def _definite(cp: Any, cs: Any, ndim: int) -> Any:
    """λ + 2μ/ndim > 0."""
    return cp * cp - 2 * cs * cs * (1 - 1 / ndim) > 0
