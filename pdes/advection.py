"""Advection: a quantity carried along by a constant velocity, on a periodic interval, square or cube."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from opforge.core import Grid, irfftn, rfftn
from opforge.core.full_transforms.transforms import is_torch
from opforge.core.grid import Points
from opforge.errors import InputError
from opforge.pdes._arrays import along
from opforge.pdes._own_parameters import with_own_parameters
from opforge.pdes.equation import Equation, Field
from opforge.pdes.invariant import Invariant, drift
from opforge.pdes.symmetry import Composed, PeriodicReflection, SignChange, Symmetry, Transposition, shifts


@dataclass(frozen=True)
class Advection(Equation):
    """A quantity u that a constant velocity c carries along.

    u_t + c·∇u = 0 in the grid's box, periodic; u(x, t) = u(x − c t, 0).

    All quantities are without dimension. The discretisation is that of Fourier: a field is the trigonometric polynomial
    through its values, which a shift by c t moves exactly. The Nyquist mode cos(πn x/L) of an axis with an even number
    of points stays where it is: between the points nothing is known of its phase, and the spectral derivative, whose
    exponential the shift is, takes it to 0. So shifts form a group, and mass and energy are kept whatever the field.

    Args:
        ndim: axes of space: 1, 2 or 3.
        velocity: c, in lengths per unit of time; a number that holds for every axis, or one number per axis.

    Raises:
        InputError: another number of axes, velocities that are not finite or not as many as the axes.

    Example:
        >>> equation, grid = Advection(ndim=1, velocity=2.0), Grid.cube(1, 32, points="periodic")
        >>> bool(abs(equation.residual(equation.exact(grid), grid)).max() < 1e-14)
        True

    Source:
        Trefethen, "Spectral Methods in MATLAB", chapter 3, for the derivative of the Nyquist mode.
    """

    ndim: int = 1
    velocity: float | tuple[float, ...] = 1.0

    name: ClassVar[str] = "advection"
    boundary: ClassVar[str] = "periodic"
    evolves: ClassVar[bool] = True
    unknowns: ClassVar[tuple[str, ...]] = ("u",)
    points: ClassVar[Points] = "periodic"
    dimensions: ClassVar[tuple[int, ...]] = (1, 2, 3)
    method: ClassVar[str] = "exact shift of the trigonometric interpolant"
    order: ClassVar[str] = "spectral in space, exact in time"
    fields: ClassVar[tuple[Field, ...]] = (Field("u", "advected quantity"),)

    def __post_init__(self) -> None:
        if isinstance(self.ndim, bool) or not isinstance(self.ndim, int) or not 1 <= self.ndim <= 3:
            raise InputError(f"ndim must be 1, 2 or 3, got {self.ndim!r}")
        object.__setattr__(self, "velocity", per_axis(self.velocity, self.ndim))

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Shifts of every axis, the change of sign, and what leaves the velocity as it is.

        Shifts by halves, quarters and eighths of the box, some of them applied, others not, make all multiples of
        eighths. Of velocities that are alike axes change places, of opposite ones with their directions; reflections
        turn a velocity round, and are symmetries along axes that have none.
        """
        axes, c = range(self.ndim), per_axis(self.velocity, self.ndim)
        pairs = [(i, j) for i in axes for j in axes if i < j]
        return (
            *shifts(self.ndim),
            SignChange(("u",)),
            *(Transposition(i, j) for i, j in pairs if c[i] == c[j]),
            *(
                Composed((Transposition(i, j), PeriodicReflection(i), PeriodicReflection(j)))
                for i, j in pairs
                if c[i] == -c[j] and c[i]
            ),
            *(PeriodicReflection(axis) for axis in axes if c[axis] == 0),
        )

    @with_own_parameters
    def residual(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """What the exact shift of each frame to the time of the next leaves over.

        Args:
            fields: ``"u"``, an array (..., frames, *space), numpy or torch; ``"time"``, the frames' times (frames,), in
                any order, at least two.
            grid: periodic points, with the shape of the field's last axes.

        Returns:
            An array (..., frames − 1, *space) of u's kind, differentiable in u in torch.

        Raises:
            InputError: a missing field, shapes that do not fit the grid or each other, a grid that is not periodic.
        """
        u, times = self._evolution(fields, grid)
        axis, space = -grid.ndim - 1, tuple(range(-grid.ndim, 0))
        spectrum = rfftn(along(u, axis, None, -1), space)
        moved = irfftn(carried(spectrum, phases(self.velocity, np.diff(times), grid)), grid.shape, space)
        return along(u, axis, 1, None) - moved

    def residual_scale(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """The Euclidean norm of u over the points and all frames but the first: an array (...), 0 where u is."""
        u, _ = self._evolution(fields, grid)
        later = along(u, -grid.ndim - 1, 1, None)
        return (later * later).sum(tuple(range(-grid.ndim - 1, 0))) ** 0.5

    def exact(self, grid: Grid, times: Sequence[float] | np.ndarray | None = None) -> dict[str, np.ndarray]:
        """A solution that a grid with at least 5 points per axis carries exactly.

        With ξ = (x − origin − c t)/L on every axis: u = Π (1 + ½ sin 2πξ_i + ¼ cos 4πξ_i), which no reflection leaves
        as it is.

        Args:
            grid: periodic points.
            times: of the frames, in units of time; 0, 0.1, …, 0.5 unless given.

        Returns:
            ``"u"`` (frames, *space) and ``"time"`` (frames,), float64.

        Raises:
            InputError: a grid of another number of axes or kind of points.
        """
        self._check({}, grid)
        t = np.asarray(np.linspace(0.0, 0.5, 6) if times is None else times, dtype=np.float64)
        u = np.ones((len(t), *grid.shape))
        velocity = per_axis(self.velocity, self.ndim)
        for axis, (x, start, length, c) in enumerate(
            zip(grid.coordinates(), grid.origin, grid.lengths, velocity, strict=True)
        ):
            angle = 2 * np.pi * (x - start - c * t[:, None]) / length
            factor = 1 + 0.5 * np.sin(angle) + 0.25 * np.cos(2 * angle)
            u *= factor.reshape(len(t), *_only(axis, grid))
        return {"u": u, "time": t}

    def _evolution(self, fields: Mapping[str, Any], grid: Grid) -> tuple[Any, np.ndarray]:
        """u (..., frames, *space) and the times (frames,)."""
        self._check(fields, grid, "u", "time")
        u, times = fields["u"], fields["time"]
        times = np.asarray(times.detach().cpu() if is_torch(times) else times, dtype=np.float64)
        frames = tuple(u.shape[: -grid.ndim])[-1:]
        if times.shape != frames or times.size < 2:
            raise InputError(
                "field 'time' must hold the time of every frame of 'u' (..., frames, *space), of at least 2, "
                f"got shape {times.shape} for u of shape {tuple(u.shape)}"
            )
        return u, times

    def _check(self, fields: Mapping[str, Any], grid: Grid, *names: str) -> None:
        self.check(fields, grid, *names)
        check_periodic(grid)

    def _change_of_mass(self, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        """Relative to the first frame's root mean square, because the mean may be 0 for fields that are not."""
        self._check(fields, grid, "u")
        u = _points_last(fields["u"], grid)
        return drift(u @ np.full(grid.size, 1 / grid.size), _mean_square(u[..., 0, :]) ** 0.5)

    def _change_of_energy(self, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        self._check(fields, grid, "u")
        return drift(_mean_square(_points_last(fields["u"], grid)))

    invariants: ClassVar[tuple[Invariant, ...]] = (
        Invariant("mass", "the mean of u does not change", _change_of_mass, 1e-12),
        Invariant("energy", "the mean of u² does not change", _change_of_energy, 1e-12),
    )


def phases(velocity: float | Sequence[float], times: np.ndarray, grid: Grid) -> tuple[np.ndarray, ...]:
    """The factors e^{−2πi k·c t/L} by which the Fourier coefficients of a field change in a time, 1 for Nyquist modes.

    They come from repeated squaring: the shift in periods, c t/L, is doubled without rounding, and taken modulo 1
    without rounding too, so that the phase of a high wavenumber is no less exact than that of a low one.

    Args:
        velocity: c, a number or one per axis.
        times: t, (frames,).
        grid: the points of the field, periodic.

    Returns:
        One read-only complex128 array per axis, of shape (frames, *modes) with 1 for the modes of other axes. The
        factors are their product; modes are those of `opforge.core.rfftn`.

    Raises:
        InputError: velocities that are not as many as the axes; shifts too large for float64.

    Example:
        >>> grid = Grid.cube(1, 5, points="periodic")
        >>> phases(1.0, np.array([0.5]), grid)[0].real.round(12).tolist()
        [[1.0, -1.0, 1.0]]
    """
    found = []
    for axis, (c, length) in enumerate(zip(per_axis(velocity, grid.ndim), grid.lengths, strict=True)):
        with np.errstate(over="ignore"):
            periods = c * times / length
        if not np.isfinite(periods).all():
            raise InputError(
                f"velocity times time must be finite in units of the box, got {c!r} times {times.tolist()}"
            )
        n, last = grid.shape[axis], axis == grid.ndim - 1
        make = _kept_powers if periods.size * n <= _KEPT else _powers
        powers = make(periods.tobytes(), n, last)
        found.append(powers.reshape([len(times), *(powers.shape[1] if i == axis else 1 for i in range(grid.ndim))]))
    return tuple(found)


def carried(spectrum: Any, factors: Sequence[np.ndarray], *, out: np.ndarray | None = None) -> Any:
    """Fourier coefficients times `phases`: those of a field at rest become those of the field carried along.

    Args:
        spectrum: `opforge.core.rfftn` of fields over the axes of space, (..., frames or 1, *modes), numpy or torch.
        factors: what `phases` gives for as many frames.
        out: where to put them, for numpy arrays; a new array unless given.

    Returns:
        Coefficients (..., frames, *modes) of the spectrum's kind, precision and device, differentiable in it.

    Example:
        >>> grid = Grid.cube(1, 4, points="periodic")
        >>> half = carried(rfftn(np.array([[1.0, 0.0, -1.0, 0.0]])), phases(1.0, np.array([0.5]), grid))
        >>> np.allclose(irfftn(half, grid.shape), [[-1.0, 0.0, 1.0, 0.0]])
        True
    """
    if out is None:
        moved = spectrum * _like(spectrum, factors[0])
    else:
        moved = np.multiply(spectrum, _like(spectrum, factors[0]), out=out)
    for factor in factors[1:]:
        moved *= _like(spectrum, factor)
    return moved


def per_axis(velocity: float | Sequence[float], ndim: int) -> tuple[float, ...]:
    """The velocity along every axis.

    Args:
        velocity: a number that holds for every axis, or one number per axis.
        ndim: axes of space.

    Raises:
        InputError: velocities that are not finite numbers or not as many as the axes.

    Example:
        >>> per_axis(2, ndim=3), per_axis([1.0, 0.5], ndim=2)
        ((2.0, 2.0, 2.0), (1.0, 0.5))
    """
    numbers = velocity.tolist() if isinstance(velocity, np.ndarray) else velocity
    given = numbers if isinstance(numbers, Sequence) else (numbers,) * ndim
    if len(given) != ndim or not all(isinstance(c, Real) and not isinstance(c, bool) for c in given):
        raise InputError(f"velocity must be a number, or {ndim} of them for {ndim} axes, got {velocity!r}")
    if not all(abs(c) <= sys.float_info.max for c in given):
        raise InputError(f"velocity must be finite, got {velocity!r}")
    return tuple(float(c) for c in given)


def check_periodic(grid: Grid) -> None:
    """Refuse a grid on which the Fourier modes of the box are not orthogonal.

    Raises:
        InputError: points of another kind.

    Example:
        >>> check_periodic(Grid.cube(1, 8, points="periodic"))
    """
    if grid.points != "periodic":
        raise InputError(
            f"grid must have points='periodic' (a shift wraps round the box), got {grid.points!r}; "
            "resample the fields onto periodic points"
        )


def _powers(periods: bytes, n: int, half: bool) -> np.ndarray:
    """e^{−2πi k s} for the float64 shifts s and the wavenumbers k of n points, 1 for the Nyquist one: (shifts, modes).

    The order is that of the Fourier transform: 0 … n//2, and, unless only this half is wanted, the negative ones.
    """
    s, modes = np.frombuffer(periods), n // 2 + 1
    doublings = (modes - 1).bit_length()
    turns = np.multiply.outer(s, 2.0 ** np.arange(doublings))
    doubled = np.exp(-2j * np.pi * (turns - np.round(turns)))
    powers = np.ones((len(s), modes), np.complex128)
    for j in range(doublings):
        low = 1 << j
        high = min(2 * low, modes)
        np.multiply(powers[:, : high - low], doubled[:, j, None], out=powers[:, low:high])
    if n % 2 == 0:
        powers[:, -1] = 1.0
    if not half:
        powers = np.concatenate([powers, powers[:, (n - 1) // 2 : 0 : -1].conj()], axis=1)
    powers.flags.writeable = False
    return powers


# Samples of a dataset share their times: the powers take as long as the rest of a sample. At most 8 x 2 MiB are kept.
_KEPT = 2**18
_kept_powers = lru_cache(maxsize=8)(_powers)


def _like(spectrum: Any, factors: np.ndarray) -> Any:
    """``factors`` as an array of the spectrum's kind, precision and device."""
    if is_torch(spectrum):
        import torch

        return torch.tensor(factors, dtype=spectrum.dtype, device=spectrum.device)
    return factors.astype(spectrum.dtype, copy=False)


def _only(axis: int, grid: Grid) -> tuple[int, ...]:
    """The shape that puts a 1-D array on one of the axes of space."""
    return tuple(-1 if i == axis else 1 for i in range(grid.ndim))


def _points_last(u: np.ndarray, grid: Grid) -> np.ndarray:
    return u.reshape(*u.shape[: -grid.ndim], grid.size)


def _mean_square(u: np.ndarray) -> np.ndarray:
    return np.vecdot(u, u) / u.shape[-1]
