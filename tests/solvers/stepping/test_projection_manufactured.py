"""A manufactured flow between walls, driven by a force that changes with time: orders of whole runs."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.pdes._momentum import momentum_rate
from opforge.pdes._staggered import Box, projected, without_wall
from opforge.solvers.stepping.runge_kutta import SSPRK3

BOX = Box((False, False))


def parts(x, y):
    """U = sin²πx sin 2πy, which sticks to the walls; U's convection (U·∇)U along x, and ΔU.

    With V(x, y) = −U(y, x) the flow has no divergence.
    """
    k = np.pi
    sx, s2x, c2x, sy, s2y, c2y = (
        *(np.sin(k * x), np.sin(2 * k * x), np.cos(2 * k * x)),
        *(np.sin(k * y), np.sin(2 * k * y), np.cos(2 * k * y)),
    )
    u, v = sx**2 * s2y, -s2x * sy**2
    u_x, u_y = k * s2x * s2y, 2 * k * sx**2 * c2y
    return u, u * u_x + v * u_y, 2 * k**2 * c2x * s2y - 4 * k**2 * u


def error(n, viscosity, limited):
    """At t = 1 of u(t) = (1 + ½ sin 2πt) U: root mean square, relative."""
    grid = Grid((n, n))
    (x, y), h = grid.mesh(), 1 / n
    along_x, along_y = parts(x + h / 2, y), parts(y + h / 2, x)  # v is −U with x and y exchanged
    flow, carried, spread = (np.stack([a, sign * b]) for a, b, sign in zip(along_x, along_y, (-1, 1, -1), strict=True))
    push = np.stack([np.exp(x + h / 2) * np.sin(y), np.exp(x) * np.cos(y + h / 2)])  # ∇p of p = eˣ sin y

    def rate(state):
        t = state[2, 0, 0]
        size, growth = 1 + np.sin(2 * np.pi * t) / 2, np.pi * np.cos(2 * np.pi * t)
        force = growth * flow + size**2 * carried - size * viscosity * spread + push
        rates = momentum_rate(list(state[:2]), viscosity, grid, BOX, limited=limited)
        pushed = [without_wall(a + f, i - 2, BOX) for i, (a, f) in enumerate(zip(rates, force, strict=True))]
        return np.stack([*projected(pushed, grid, BOX)[0], np.ones_like(x)])

    start = [without_wall(u, i - 2, BOX) for i, u in enumerate(flow)]
    state = np.stack([*projected(start, grid, BOX)[0], 0 * x])
    steps = int(n * (3.0 + 8 * viscosity * n)) + 1
    step = SSPRK3(rate, 1.0 / steps)
    for _ in range(steps):
        state = step.advance(state)
    return np.sqrt(((state[:2] - flow) ** 2).mean() / (flow**2).mean())


@pytest.mark.parametrize(
    ("limited", "viscosity", "least", "most"),
    [
        (False, 0.002, 1.9, 2.2),
        (True, 0.02, 1.8, 2.1),
        # cells are 21 and 10 times as large as the viscosity resolves: what is limited goes away faster than order 2
        (True, 0.002, 2.2, 3.0),
    ],
)
def test_a_flow_driven_by_a_force_is_of_order_2(limited, viscosity, least, most):
    coarse, fine = (error(n, viscosity, limited) for n in (24, 48))
    assert fine < 0.002
    assert least < np.log2(coarse / fine) < most, (coarse, fine)
