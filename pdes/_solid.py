"""Elastic solids on a staggered grid: where fields live, differences between the places, media, rates.

Normal stresses and media are at the grid's points, the velocity along an axis half a spacing above them along this
axis, the shear stress of two axes half a spacing above along both. Every field is an array of the grid's shape; where
the box has walls, which are at the outermost points, the entries that would lie beyond the upper ones are 0. Arrays are
(..., *space), numpy or torch; axes are counted from 0.

Differences with mirror images at the walls are, with half weights there, the negative adjoints of each other. What is
held at 0, velocities at rigid walls or normal stresses at free ones, has a coefficient of 0: all boundaries keep the
same energy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod
from typing import Any, Self

import numpy as np

from opforge.core import Grid
from opforge.core.full_transforms.transforms import is_torch
from opforge.pdes._arrays import along, concatenate, difference, like

FORCES = ("fx", "fy", "fz")
BOUNDARIES = ("free", "surface", "rigid", "slip", "periodic")


def pairs(ndim: int) -> tuple[tuple[int, int], ...]:
    """The axes of the shear stresses.

    Example:
        >>> pairs(3)
        ((0, 1), (0, 2), (1, 2))
    """
    return tuple(combinations(range(ndim), 2))


def shear_name(i: int, j: int) -> str:
    """The shear stress of two axes.

    Example:
        >>> shear_name(2, 0)
        'sxz'
    """
    return "s" + "xyz"[min(i, j)] + "xyz"[max(i, j)]


def of_all_frames(fields: Mapping[str, Any], grid: Grid, names: Iterable[str]) -> dict[str, Any]:
    """Fields (..., *space) as (..., 1, *space)."""
    return {name: fields[name][(..., None, *(slice(None),) * grid.ndim)] for name in names if name in fields}


def halves(name: str) -> tuple[int, ...]:
    """The axes along which a field lies half a spacing above the points.

    Example:
        >>> halves("v"), halves("sxx"), halves("sxz"), halves("fy"), halves("rho"), halves("curl")
        ((1,), (), (0, 2), (1,), (), (0, 1))
    """
    if name in ("u", "v", "w"):
        return ("uvw".index(name),)
    if name in FORCES:
        return ("xyz".index(name[1]),)
    if len(name) == 3 and name[0] == "s" and set(name[1:]) <= set("xyz") and name[1] != name[2]:
        return ("xyz".index(name[1]), "xyz".index(name[2]))
    return (0, 1) if name == "curl" else ()


@dataclass(frozen=True)
class Places:
    """The places of fields in a box.

    Args:
        grid: points; nodes, or periodic ones where the box is.
        boundary: of all sides.
    """

    grid: Grid
    boundary: str

    @property
    def periodic(self) -> bool:
        return self.boundary == "periodic"

    def coordinates(self, name: str) -> tuple[np.ndarray, ...]:
        """Those of a field's places, one array of the grid's shape per axis."""
        shifted = halves(name)
        return tuple(
            x + (h / 2 if i in shifted else 0.0)
            for i, (x, h) in enumerate(zip(self.grid.mesh(), self.grid.spacing, strict=True))
        )

    def present(self, shifted: Sequence[int]) -> np.ndarray:
        """1 at places in the box, 0 at the last ones along the axes of half spacings, which are beyond the wall."""
        return self._product(lambda i, n: np.arange(n) < n - (i in shifted and not self.periodic))

    def inner(self, axes: Sequence[int]) -> np.ndarray:
        """0 at the walls across some axes, 1 elsewhere."""

        def between(i: int, n: int) -> np.ndarray:
            index = np.arange(n)
            return (index > 0) & (index < n - 1) if i in axes and not self.periodic else index >= 0

        return self._product(between)

    def free(self, i: int) -> tuple[bool, bool]:
        """Whether the lower and the upper side across an axis are free surfaces."""
        above = self.boundary == "surface" and i == self.grid.ndim - 1
        return self.boundary == "free", self.boundary == "free" or above

    def surface(self, i: int) -> np.ndarray:
        """1 at free surfaces across an axis, 0 elsewhere."""
        low, high = self.free(i)
        ends = [0] * low + [self.grid.shape[i] - 1] * high
        return self._product(lambda j, n: np.isin(np.arange(n), ends) if i == j else np.ones(n))

    def weights(self, shifted: Sequence[int]) -> np.ndarray:
        """Of the places for means over the box: half at walls, 0 beyond; their sum is 1."""
        each = self.present(shifted)
        for i in range(self.grid.ndim):
            each = each * (1.0 if i in shifted else (1 + self.inner([i])) / 2)
        return each / prod(n - (not self.periodic) for n in self.grid.shape)

    def _product(self, of: Callable[[int, int], np.ndarray]) -> np.ndarray:
        """The product of functions of the index along each axis."""
        found = np.ones(self.grid.shape)
        for i, n in enumerate(self.grid.shape):
            found = found * of(i, n).reshape([-1 if j == i else 1 for j in range(self.grid.ndim)])
        return found

    def held(self, name: str) -> np.ndarray:
        """1 where a field is solved for, 0 where it is beyond a wall or held at 0."""
        shifted = halves(name)
        mask = self.present(shifted)
        if self.boundary == "rigid" and name in ("u", "v", "w"):
            mask = mask * self.inner([i for i in range(self.grid.ndim) if i not in shifted])
        if not shifted:
            mask = mask * (1 - self.surface("xyz".index(name[1])))
        return mask

    def above(self, q: Any, i: int) -> Any:
        """What lies one spacing higher along an axis; at the last place what is there."""
        axis = i - self.grid.ndim
        last = along(q, axis, None, 1) if self.periodic else along(q, axis, -1, None)
        return concatenate([along(q, axis, 1, None), last], axis)

    def up(self, q: Any, i: int) -> Any:
        """∂q/∂x_i from points to half spacings."""
        axis, h = i - self.grid.ndim, self.grid.spacing[i]
        last = along(q, axis, -1, None)
        return (
            concatenate([difference(q, axis), along(q, axis, None, 1) - last if self.periodic else 0 * last], axis) / h
        )

    def down(self, q: Any, i: int, *, surfaces: bool = True) -> Any:
        """∂q/∂x_i from half spacings to points, at walls with −q as mirror image.

        Without ``surfaces`` it is 0 at free ones: stretch is given by the other axes' there.
        """
        axis, h = i - self.grid.ndim, self.grid.spacing[i]
        first = along(q, axis, None, 1)
        if self.periodic:
            return concatenate([first - along(q, axis, -1, None), difference(q, axis)], axis) / h
        low, high = (0.0 if free and not surfaces else 2.0 for free in self.free(i))
        inside = along(q, axis, None, -1)
        return concatenate([low * first, difference(inside, axis), -high * along(inside, axis, -1, None)], axis) / h

    def both(self, q: Any, i: int) -> Any:
        """The sum of what is at half spacings on both sides of points, with q as mirror image at walls."""
        axis = i - self.grid.ndim
        if self.periodic:
            return q + concatenate([along(q, axis, -1, None), along(q, axis, None, -1)], axis)
        inside = along(q, axis, None, -1)
        first, last = along(inside, axis, None, 1), along(inside, axis, -1, None)
        return concatenate([inside, last], axis) + concatenate([first, inside], axis)


@dataclass(frozen=True)
class Solid:
    """The coefficients of a medium at the places of fields, 0 where these are held at 0.

    Args:
        volume: λ for each normal stress, at points; at free surfaces what is left of it by the stresses that are 0.
        twice_shear: 2μ at points.
        shear: μ for each shear stress, harmonic means of four points (of two along each axis).
        buoyancy: 1/ρ for each velocity, of the mean density of two points.
        force: for each velocity; none unless given.
    """

    volume: tuple[Any, ...]
    twice_shear: Any
    shear: tuple[Any, ...]
    buoyancy: tuple[Any, ...]
    force: tuple[Any, ...] = ()

    @classmethod
    def of(cls, density: Any, lam: Any, mu: Any, places: Places, force: Sequence[Any] = ()) -> Self:
        """Of ρ, λ and μ at the points, (..., *space)."""
        axes = range(places.grid.ndim)
        volume = lam
        surfaces = sum((places.surface(i) for i in axes), start=np.zeros(places.grid.shape))
        if np.any(surfaces):
            # the stresses across free surfaces are 0 for a stretch of −λ S/(2μ + Fλ) along each of the F axes across
            # them, where S is the stretch along the others
            count, rest = like(lam, surfaces), like(lam, (surfaces == 0).astype(np.float64))
            volume = lam * (rest + (1 - rest) * 2 * mu / (rest + (1 - rest) * (2 * mu + count * lam)))
        masks = [places.held("s" + 2 * "xyz"[i]) for i in axes]
        shear = []
        for i, j in pairs(places.grid.ndim):
            along_i = _series(mu, places.above(mu, i))
            shear.append(_series(along_i, places.above(along_i, j)) * like(mu, places.present((i, j))))
        return cls(
            tuple(volume * like(lam, mask) for mask in masks),
            2 * mu,
            tuple(shear),
            tuple(like(density, places.held("uvw"[i])) / mass(density, i, places) for i in axes),
            tuple(force),
        )

    def like(self, x: Any) -> Self:
        """As arrays of the kind and precision of ``x``."""

        def of(c: Any) -> Any:
            return c.to(x) if is_torch(c) else like(x, c)

        return replace(self._changed(of), force=tuple(map(of, self.force)))

    def over(self, dt: float) -> Self:
        """That of which rates are changes in a time."""
        return self._changed(lambda c: dt * c)

    def _changed(self, change: Callable[[Any], Any]) -> Self:
        """With changed coefficients."""
        return replace(
            self,
            volume=tuple(map(change, self.volume)),
            twice_shear=change(self.twice_shear),
            shear=tuple(map(change, self.shear)),
            buoyancy=tuple(map(change, self.buoyancy)),
        )


def mass(density: Any, i: int, places: Places) -> Any:
    """The density for the velocity along an axis: the mean of two points."""
    return (density + places.above(density, i)) / 2


def _series(a: Any, b: Any) -> Any:
    """The harmonic mean of two coefficients that are not negative, 0 where one of them is."""
    total = a + b
    return 2 * a * b / (total + (total == 0))


def velocity_rates(stresses: Sequence[Any], solid: Solid, places: Places) -> list[Any]:
    """(∇·σ + f)/ρ of the normal and the shear stresses."""
    ndim = places.grid.ndim
    pushes = [places.up(stresses[i], i) for i in range(ndim)]
    for (i, j), shear in zip(pairs(ndim), stresses[ndim:], strict=True):
        pushes[i] = pushes[i] + places.down(shear, j)
        pushes[j] = pushes[j] + places.down(shear, i)
    if solid.force:
        pushes = [push + force for push, force in zip(pushes, solid.force, strict=True)]
    return [b * push for b, push in zip(solid.buoyancy, pushes, strict=True)]


def stress_rates(velocity: Sequence[Any], solid: Solid, places: Places) -> list[Any]:
    """λ (∇·v) I + μ (∇v + ∇vᵀ) of the velocities: normal, then shear stresses."""
    stretch = [places.down(v, i, surfaces=False) for i, v in enumerate(velocity)]
    whole = sum(stretch[1:], start=stretch[0])
    normal = [lam * whole + solid.twice_shear * e for lam, e in zip(solid.volume, stretch, strict=True)]
    shear = [
        mu * (places.up(velocity[i], j) + places.up(velocity[j], i))
        for (i, j), mu in zip(pairs(places.grid.ndim), solid.shear, strict=True)
    ]
    return [*normal, *shear]


def greatest_rate(density: np.ndarray, lam: np.ndarray, mu: np.ndarray, places: Places) -> float:
    """A bound of the squares of all frequencies of a medium with ρ, λ and μ at the points.

    Gershgorin's for the matrix of accelerations between slip walls, with the velocity along axis i in units of 1/h_i;
    free surfaces and rigid walls only lower the frequencies. In a homogeneous medium with λ >= 0 it is exact,
    4 c_p² Σ 1/h².
    """
    axes, inverse = range(places.grid.ndim), [1 / h**2 for h in places.grid.spacing]
    shear = dict(zip(pairs(len(axes)), Solid.of(density, lam, mu, places).shear, strict=True))
    greatest = 0.0
    for i in axes:
        others = sum(inverse[j] for j in axes if j != i)
        normal = 2 * (lam + 2 * mu) * inverse[i] + 2 * abs(lam) * others
        row = normal + places.above(normal, i)
        for j in axes:
            if j != i:
                row = row + 4 * inverse[j] * places.both(shear[min(i, j), max(i, j)], j)
        row = row / mass(density, i, places) * places.present((i,))
        greatest = max(greatest, float(row.max()))
    return greatest
