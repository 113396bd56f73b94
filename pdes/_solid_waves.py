"""Closed forms of waves in homogeneous elastic solids: travelling, between mirrors, in free boxes, at surfaces."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import prod
from typing import Protocol

import numpy as np

from opforge.pdes._solid import Places, pairs, shear_name

# Half waves of Lamé's mode along a side, at most; of a surface wave along x.
_MOST_HALVES, SURFACE_HALVES = 8, 4


class Medium(Protocol):
    """What the closed forms need to know of an equation."""

    @property
    def density(self) -> float: ...

    @property
    def lam(self) -> float: ...

    @property
    def mu(self) -> float: ...


def plane_wave(
    medium: Medium, places: Places, times: np.ndarray, k: np.ndarray, d: np.ndarray
) -> dict[str, np.ndarray]:
    """v = d sin(k·x − ωt), for d along k (a P wave) or across it (an S wave); fields (frames, *space)."""
    omega = _frequency(medium, k, d)
    start = places.grid.origin

    def phase(name: str) -> np.ndarray:
        along = sum(ki * (x - x0) for ki, x, x0 in zip(k, places.coordinates(name), start, strict=True))
        return np.sin(along - omega * times.reshape(-1, *(1,) * places.grid.ndim))

    return _fields(medium, k, d, lambda i: phase("uvw"[i]), lambda name: -phase(name) / omega)


def box_mode(medium: Medium, places: Places, times: np.ndarray, k: np.ndarray, d: np.ndarray) -> dict[str, np.ndarray]:
    """v_i = d_i sin k_i x_i Π cos k_j x_j cos ωt, with half waves between walls that slip; d as of `plane_wave`."""
    omega = _frequency(medium, k, d)
    t = times.reshape(-1, *(1,) * places.grid.ndim)

    def shape(name: str, odd: tuple[int, ...]) -> np.ndarray:
        away = (x - x0 for x, x0 in zip(places.coordinates(name), places.grid.origin, strict=True))
        return prod(((np.sin if i in odd else np.cos)(k[i] * x) for i, x in enumerate(away)), start=np.ones(()))

    def stress(name: str) -> np.ndarray:
        odd = tuple("xyz".index(x) for x in name[1:]) if name[1] != name[2] else ()
        return (-1 if odd else 1) * shape(name, odd) * np.sin(omega * t) / omega

    return _fields(medium, k, d, lambda i: shape("uvw"[i], (i,)) * np.cos(omega * t), stress)


def free_mode(medium: Medium, places: Places, times: np.ndarray) -> dict[str, np.ndarray] | None:
    """Lamé's mode, u = cos kx sin ky cos ωt, v = −sin kx cos ky cos ωt; None where the sides are not as m : n.

    Of the stresses only those along x and y are not 0, and these are so at all sides.
    """
    x_side, y_side = places.grid.lengths[:2]
    ratio = Fraction(x_side / y_side).limit_denominator(_MOST_HALVES)
    if ratio.numerator > _MOST_HALVES or not np.isclose(x_side / y_side, float(ratio), rtol=1e-12, atol=0):
        return None
    k = np.pi * ratio.numerator / x_side
    omega = k * np.sqrt(2 * medium.mu / medium.density)
    t = times.reshape(-1, *(1,) * places.grid.ndim)

    def angles(name: str) -> tuple[np.ndarray, np.ndarray]:
        x, y = places.coordinates(name)[:2]
        return k * (x - places.grid.origin[0]), k * (y - places.grid.origin[1])

    def zero() -> np.ndarray:
        return np.zeros((len(times), *places.grid.shape))

    (ux, uy), (vx, vy), (sx, sy) = (angles(name) for name in ("u", "v", "sxx"))
    stress = 2 * medium.mu * k / omega * np.sin(sx) * np.sin(sy) * np.sin(omega * t)
    axes = range(places.grid.ndim)
    fields = {"uvw"[i]: zero() for i in axes} | {"s" + 2 * "xyz"[i]: zero() for i in axes}
    fields |= {shear_name(i, j): zero() for i, j in pairs(places.grid.ndim)}
    fields["u"] = np.cos(ux) * np.sin(uy) * np.cos(omega * t)
    fields["v"] = -np.sin(vx) * np.cos(vy) * np.cos(omega * t)
    return fields | {"sxx": -stress, "syy": stress}


def rayleigh_speed(ratio: float, depth: float = np.inf) -> float | None:
    """The speed of surface waves in parts of c_s, over a mirror at a depth in parts of 1/k.

    The root of (2 − x²)² tanh sH = 4 √(1 − x²) √(1 − x² c_s²/c_p²) tanh pH, with s = k√(1 − x²) and p = k√(1 − x²
    c_s²/c_p²); without the tanh that is Rayleigh's equation. None where it is too shallow for waves slower than c_s.

    Args:
        ratio: c_s/c_p, less than 1.
        depth: kH, greater than 0.

    Example:
        >>> round(rayleigh_speed(3**-0.5), 6)  # λ = μ: √(2 − 2/√3)
        0.919402
    """
    from scipy.optimize import root_scalar

    def excess(x: float) -> float:
        s, p = np.sqrt(1 - x**2), np.sqrt(1 - (ratio * x) ** 2)
        return float((2 - x**2) ** 2 * np.tanh(s * depth) / s - 4 * p * np.tanh(p * depth))

    low, high = 0.3, 1 - 1e-12
    if not excess(low) < 0 < excess(high):
        return None
    return float(root_scalar(excess, bracket=(low, high), xtol=1e-15).root)


def surface_mode(medium: Medium, places: Places, times: np.ndarray) -> dict[str, np.ndarray] | None:
    """The slowest standing wave below a free surface at the upper end of the last axis, over mirrors; None if shallow.

    With y upwards from the bottom, u = (−k A cosh py + s B cosh sy) sin kx and v = (p A sinh py − k B sinh sy) cos kx,
    times cos ωt; uniform along other axes.
    """
    grid, up = places.grid, places.grid.ndim - 1
    depth, k = grid.lengths[up], SURFACE_HALVES * np.pi / grid.lengths[0]
    lam, mu = medium.lam, medium.mu
    ratio = float(np.sqrt(mu / (lam + 2 * mu)))
    x = rayleigh_speed(ratio, k * depth)
    if x is None:
        return None
    omega = x * k * np.sqrt(mu / medium.density)
    s, p = k * np.sqrt(1 - x**2), k * np.sqrt(1 - (ratio * x) ** 2)
    shear = (k**2 + s**2) / (2 * k * s)  # B cosh sH for A cosh pH = 1

    def shape(name: str, parts: tuple[float, float]) -> np.ndarray:
        """Of cosh py and cosh sy, or sinh where the field is odd; sin kx or cos kx."""
        at = places.coordinates(name)
        y, odd = at[up] - grid.origin[up], name in ("uvw"[up], "sx" + "xyz"[up])
        along = (np.sin if name in ("u", "sx" + "xyz"[up]) else np.cos)(k * (at[0] - grid.origin[0]))
        grows = np.sinh if odd else np.cosh
        first, second = grows(p * y) / np.cosh(p * depth), grows(s * y) / np.cosh(s * depth)
        return along * (parts[0] * first + parts[1] * shear * second)

    volume = lam * (p**2 - k**2)
    velocities = {"u": (-k, s), "uvw"[up]: (p, -k)}
    stresses = {"s" + 2 * axis: (volume, 0.0) for axis in "xyz"[: grid.ndim]}
    stresses["sxx"] = (volume - 2 * mu * k**2, 2 * mu * k * s)
    stresses["s" + 2 * "xyz"[up]] = (volume + 2 * mu * p**2, -2 * mu * k * s)
    stresses["sx" + "xyz"[up]] = (-2 * mu * k * p, mu * (k**2 + s**2))
    t = times.reshape(-1, *(1,) * grid.ndim)
    fields = {name: shape(name, parts) * np.cos(omega * t) for name, parts in velocities.items()}
    fields |= {name: shape(name, parts) * np.sin(omega * t) / omega for name, parts in stresses.items()}
    still = ("uvw"[i] for i in range(1, up)), (shear_name(i, j) for i, j in pairs(grid.ndim))
    return {name: np.zeros((len(times), *grid.shape)) for names in still for name in names} | fields


def _frequency(medium: Medium, k: np.ndarray, d: np.ndarray) -> float:
    """ω of a wave along k whose velocity is along d, a unit vector along or across k."""
    modulus = medium.mu * (k @ k) + (medium.lam + medium.mu) * (k @ d) ** 2
    return float(np.sqrt(modulus / medium.density))


def _fields(
    medium: Medium,
    k: np.ndarray,
    d: np.ndarray,
    velocity: Callable[[int], np.ndarray],
    stress: Callable[[str], np.ndarray],
) -> dict[str, np.ndarray]:
    """Velocities d_i times a function, stresses (λ k·d δ_ij + μ (k_i d_j + k_j d_i)) times another."""
    axes = range(len(k))
    found = {"uvw"[i]: d[i] * velocity(i) for i in axes}
    for i in axes:
        name = "s" + 2 * "xyz"[i]
        found[name] = (medium.lam * (k @ d) + 2 * medium.mu * k[i] * d[i]) * stress(name)
    for i, j in pairs(len(k)):
        name = shear_name(i, j)
        found[name] = medium.mu * (k[i] * d[j] + k[j] * d[i]) * stress(name)
    return found
