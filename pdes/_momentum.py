"""What convection and viscosity do to the velocities of a staggered grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes._arrays import along, concatenate, difference, maximum, minimum, where
from opforge.pdes._staggered import Bodies, Box, outwards, without_wall


def momentum_rate(
    velocity: Sequence[Any],
    viscosity: Any,
    grid: Grid,
    box: Box,
    bodies: Bodies | None = None,
    *,
    limited: bool = True,
) -> list[Any]:
    """−∇·(u uᵀ) + ν Δu on faces; 0 on walls.

    Central fluxes conserve momentum and, without ν, energy. Limited ones are those less a flux down the velocity's own
    gradient, which conserves momentum too and takes energy from every face it acts on; see `convective_flux`.

    Where a stream leaves, what comes back brings no momentum along. The flow sticks to bodies by mirror images, as it
    does to walls: order 2 where their surfaces are faces of cells.
    """
    rates = []
    for i, u in enumerate(velocity):
        rate = 0.0
        for j, h in enumerate(grid.spacing):
            axis = j - grid.ndim
            wide = _with_neighbours(u, i, axis, box)
            low, high = along(wide, axis, 1, -3), along(wide, axis, 3, -1)
            if bodies is not None and i != j:
                low = low - u * box.below(bodies.buried[i], axis)
                high = high - u * box.above(bodies.buried[i], axis)
            flux = convective_flux(wide, _carrier(velocity, i, axis, box), axis, viscosity / h, limited=limited)
            rate = rate - difference(flux, axis) / h + viscosity * (high - 2 * u + low) / h**2
        rate = without_wall(rate, i - grid.ndim, box)
        rates.append(rate if bodies is None else rate * bodies.open[i])
    return rates


def convective_flux(wide: Any, carrier: Any, axis: int, slowness: Any, *, limited: bool) -> Any:
    """The momentum that is carried through the n + 1 faces beside n entries of a velocity, from n + 4 of them.

    Central: a (u₋ + u₊)/2, with the carrier a. Limited: less than that by (|a|/2) (Δ − minmod(2Δ', Δ)), with the jump
    Δ = u₊ − u₋ at the face and Δ' at the one upstream. It is nothing where the velocity is smooth, and makes the flux
    that of the upstream entry at extremes. It is bounded by (|a|/2 − ν/h) |Δ|, beyond which viscosity leaves no stripes
    in a steady layer: where |a| h ≤ 2ν, on grids that resolve the viscosity, the flux is central. It never has the sign
    of −Δ: no flow gains energy by it.

    Args:
        wide: the velocity with two entries more on either side, (..., n + 4, ...).
        carrier: the velocity through the faces, (..., n + 1, ...).
        axis: negative.
        slowness: ν/h.
        limited: else central.

    Source:
        Sweby, "High resolution schemes using flux limiters for hyperbolic conservation laws" (1984): the limiter
        min(2r, 1); Patankar, "Numerical heat transfer and fluid flow" (1980), section 5.2: cell Reynolds numbers.
    """
    lower, upper = along(wide, axis, 1, -2), along(wide, axis, 2, -1)
    central = carrier * (lower + upper) / 2
    if not limited:
        return central
    jumps = difference(wide, axis)
    jump = along(jumps, axis, 1, -1)
    upstream = where(carrier > 0, along(jumps, axis, None, -2), along(jumps, axis, 2, None))
    size, speed = abs(jump), abs(carrier) / 2
    allowed = where(upstream * jump > 0, minimum(2 * abs(upstream), size), 0 * size)
    taken = minimum(speed * (size - allowed), maximum(speed - slowness, 0.0) * size)
    return central - where(jump > 0, taken, -taken)


def _carrier(velocity: Sequence[Any], i: int, axis: int, box: Box) -> Any:
    """The velocity along ``axis`` at the n + 1 faces between neighbouring entries of component i."""
    ndim = len(velocity)
    u = velocity[axis]
    if i == ndim + axis:  # centres of cells, and one more beyond the last entry
        low = box.lower(u, axis)
        cells = (low + u) / 2
        if box.open(axis):
            return concatenate([cells, maximum(along(u, axis, -1, None), 0.0)], axis)
        return concatenate([cells, along(box.above(cells, axis), axis, -1, None)], axis)
    _, side = box.beside(u, ndim + axis, i - ndim)
    edges = (u + side) / 2
    edges = outwards(edges, axis) if box.open(axis) else edges
    # nothing goes along through walls; a stream enters straight, without what lies across it
    return concatenate([along(box.below(edges, axis), axis, None, 1), edges], axis)


def _with_neighbours(u: Any, i: int, axis: int, box: Box) -> Any:
    """Component i with two entries more on either side: around, mirrored by walls, or as a stream brings them."""
    if u.shape[axis] < 2:
        raise InputError(f"grid must have at least 2 cells per axis for flow, got {u.shape[axis]}")
    if box.periodic[axis]:
        return concatenate([along(u, axis, -2, None), u, along(u, axis, None, 2)], axis)
    first, second, last = along(u, axis, None, 1), along(u, axis, 1, 2), along(u, axis, -1, None)
    own = i == len(box.periodic) + axis
    if box.open(axis):
        speed = 0 * first + box.inflow
        before = [2 * speed - first, speed] if own else [-second, -first]
        return concatenate([*before, u, last, last], axis)
    if own:  # faces on both walls
        whole = concatenate([0 * first, u], axis)
        near, far = along(whole, axis, -2, -1), along(whole, axis, -3, -2)
        return concatenate([-first, whole, -near, -far], axis)
    sign, lid = 1.0 if box.slip else -1.0, 2 * box.lid if (axis == -1 and i == 0) else 0.0
    ahead = [sign * last + lid, sign * along(u, axis, -2, -1) + lid]
    return concatenate([sign * second, sign * first, u, *ahead], axis)
