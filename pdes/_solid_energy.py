"""Energy and momentum of elastic solids, and how far fields are from keeping them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from opforge.core import Grid
from opforge.pdes._solid import FORCES, Places, Solid, mass, of_all_frames, pairs, shear_name, velocity_rates
from opforge.pdes.invariant import leapfrog_drift, relative

if TYPE_CHECKING:
    from opforge.pdes.elastic import Elastic

Fields = Mapping[str, np.ndarray]


def energy(fields: Fields, moduli: tuple[Any, Any, Any], places: Places) -> np.ndarray:
    """The mean of ½ρ|v|² + ½σ:ε, of fields (..., *space) with ρ, λ and μ at the points, half of it at walls."""
    (_, lam, mu), ndim = moduli, places.grid.ndim
    normal = [fields["s" + 2 * x] for x in "xyz"[:ndim]]
    mean = sum(normal[1:], start=normal[0]) / ndim
    # of a fluid, which has no shear stresses, the second part is 0
    deviation = sum((s - mean) ** 2 for s in normal)
    stored = mean**2 / (lam + 2 * mu / ndim) / 2 + _over(deviation, 4 * mu)
    total = kinetic_energy([fields[u] for u in "uvw"[:ndim]], moduli[0], places) + _mean(stored, (), places)
    for (i, j), modulus in zip(pairs(ndim), Solid.of(*moduli, places).shear, strict=True):
        total = total + _mean(_over(fields[shear_name(i, j)] ** 2, 2 * modulus), (i, j), places)
    return total


def kinetic_energy(velocity: list[np.ndarray], density: Any, places: Places) -> np.ndarray:
    """The mean of ½ρ|v|²."""
    parts = [_mean(mass(density, i, places) * v**2 / 2, (i,), places) for i, v in enumerate(velocity)]
    return sum(parts[1:], start=parts[0])


def momentum(fields: Fields, density: Any, places: Places) -> np.ndarray:
    """The mean of ρv, (..., ndim)."""
    parts = (_mean(mass(density, i, places) * fields["uvw"[i]], (i,), places) for i in range(places.grid.ndim))
    return np.stack(tuple(parts), -1)


def energy_change(equation: Elastic, fields: Fields, grid: Grid) -> np.ndarray:
    """How far leapfrog's energy is from constant, relative to its greatest value.

    Work that a force does between the frames is not known; then nothing is said.
    """
    if any(name in fields for name in FORCES):
        return np.zeros(fields["u"].shape[: -grid.ndim - 1])
    whole, places = equation.energy(fields, grid), equation.places(grid)
    media = of_all_frames(fields, grid, ("rho", "cp", "cs"))
    stresses = [fields[name] for name in equation.unknowns[grid.ndim :]]
    rates = velocity_rates(stresses, equation.solid(grid, media), places)
    power = 2 * kinetic_energy(rates, equation.moduli(media, grid)[0], places)
    return leapfrog_drift(whole, power, equation.longest_step(grid, media))


def momentum_change(equation: Elastic, fields: Fields, grid: Grid) -> np.ndarray:
    """How far the momentum is from its first one and what the force brought, relative to the bound √(2ρE)."""
    found = equation.momentum(fields, grid)
    names = FORCES[: grid.ndim]
    if any(name in fields for name in names):
        forces = (fields.get(name, np.zeros(grid.shape)) for name in names)
        brought = np.stack([_mean(f, (i,), equation.places(grid)) for i, f in enumerate(forces)], -1)
        elapsed = np.asarray(fields["time"]) - np.asarray(fields["time"])[0]
        found = found - elapsed[:, None] * brought[..., None, :]
    off = np.abs(found - found[..., :1, :]).max((-2, -1))
    density = equation.moduli(of_all_frames(fields, grid, ("rho", "cp", "cs")), grid)[0]
    heaviest = density.max(tuple(range(-grid.ndim, 0)))
    return relative(off, np.sqrt(2 * heaviest * equation.energy(fields, grid)).max(-1))


def _mean(values: Any, shifted: tuple[int, ...], places: Places) -> np.ndarray:
    """The mean over the box of what is at places half a spacing above the points along some axes."""
    return (values * places.weights(shifted)).sum(tuple(range(-places.grid.ndim, 0)))


def _over(x: Any, modulus: Any) -> Any:
    """x/modulus, 0 where the modulus is."""
    return np.where(modulus > 0, x / np.where(modulus > 0, modulus, 1.0), 0.0)
