"""Momentum on staggered grids: orders by a manufactured flow, energy, conservation, stripes, gradients."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import IncompressibleFlow
from opforge.pdes._momentum import convective_flux, momentum_rate
from opforge.pdes._staggered import Bodies, Box, projected, without_wall

GRID = Grid((6, 7), (1.0, 2.0))
CLOSED = [Box((False, False)), Box((True, True)), Box((True, False), slip=True)]


def velocity(box, grid=GRID, seed=0):
    rng = np.random.default_rng(seed)
    rough = [without_wall(rng.standard_normal(grid.shape), axis - grid.ndim, box) for axis in range(grid.ndim)]
    return projected(rough, grid, box)[0]


def power(u, rates):
    return sum((a * b).sum() for a, b in zip(u, rates, strict=True))


@pytest.mark.parametrize("box", CLOSED)
def test_central_fluxes_keep_the_energy_of_flows_without_divergence(box):
    u = velocity(box)
    size = sum((a * a).sum() for a in u)
    assert abs(power(u, momentum_rate(u, 0.0, GRID, box, limited=False))) < 1e-11 * size
    assert power(u, momentum_rate(u, 0.0, GRID, box)) < -0.1 * size


@pytest.mark.parametrize("grid", [GRID, Grid((5, 4, 6))])
def test_limited_fluxes_take_energy_whatever_the_flow(grid):
    """Around bodies too."""
    box = Box((True,) * grid.ndim)
    solid = np.zeros(grid.shape)
    solid[2:4, 2:4] = 1.0
    bodies = Bodies.of(solid, box)
    for seed in range(5):
        for each in (None, bodies):
            u = velocity(box, grid, seed)
            if each is not None:
                u = [a * b for a, b in zip(u, each.open, strict=True)]
            central, limited = (momentum_rate(u, 0.0, grid, box, each, limited=which) for which in (False, True))
            assert power(u, limited) < power(u, central)


@pytest.mark.parametrize("box", [Box((True, True)), Box((True, False), slip=True)])
def test_momentum_along_periodic_axes_is_conserved(box):
    u = velocity(box)
    rates = momentum_rate(u, 0.3, GRID, box)
    assert abs(rates[0].sum()) < 1e-11 * np.abs(rates[0]).sum()
    assert box != Box((True, True)) or abs(rates[1].sum()) < 1e-11 * np.abs(rates[1]).sum()


def test_on_cells_that_resolve_the_viscosity_the_fluxes_are_central():
    box = Box((False, False), lid=1.0)
    u = [0.2 * a / max(np.abs(a).max(), 1.0) for a in velocity(box)]
    h = max(GRID.spacing)
    enough = 1.01 * np.abs(np.stack(u)).max() * h / 2
    for viscosity, same in ((enough, True), (enough / 4, False)):
        found, central = (momentum_rate(u, viscosity, GRID, box, limited=each) for each in (True, False))
        assert np.array_equal(np.stack(found), np.stack(central)) == same


def manufactured(x, y):
    """ψ = sin²x sin²y + ½ sin x sin 2y: u = ψ_y, v = −ψ_x; and −∇·(u uᵀ) by the product rule, (u u_x + v u_y, …)."""
    sx, cx, sy = np.sin(x), np.cos(x), np.sin(y)
    s2x, c2x, s2y, c2y = np.sin(2 * x), np.cos(2 * x), np.sin(2 * y), np.cos(2 * y)
    u, v = sx**2 * s2y + sx * c2y, -(s2x * sy**2 + cx * s2y / 2)
    u_x, u_y = s2x * s2y + cx * c2y, 2 * sx**2 * c2y - 2 * sx * s2y
    v_x, v_y = -(2 * c2x * sy**2 - sx * s2y / 2), -(s2x * s2y + cx * c2y)
    u_xx, u_yy = 2 * c2x * s2y - sx * c2y, -4 * sx**2 * s2y - 4 * sx * c2y
    v_xx, v_yy = 4 * s2x * sy**2 + cx * s2y / 2, -(2 * s2x * c2y - 2 * cx * s2y)
    return u, v, -(u * u_x + v * u_y), -(u * v_x + v * v_y), u_xx + u_yy, v_xx + v_yy


def errors_of_rates(n, viscosity, limited):
    """Root mean squares and maxima of the error of both rates, relative."""
    grid, box = Grid((n, n), (2 * np.pi, 2 * np.pi)), Box((True, True))
    x, y = grid.mesh()
    h = grid.spacing[0]
    at_u, at_v = manufactured(x + h / 2, y), manufactured(x, y + h / 2)
    rates = momentum_rate([at_u[0], at_v[1]], viscosity, grid, box, limited=limited)
    exact = np.stack([at_u[2] + viscosity * at_u[4], at_v[3] + viscosity * at_v[5]])
    off = np.stack(rates) - exact
    return np.array([np.sqrt((off**2).mean() / (exact**2).mean()), np.abs(off).max() / np.abs(exact).max()])


@pytest.mark.parametrize(("limited", "viscosity"), [(False, 0.0), (False, 0.1), (True, 0.1)])
def test_rates_of_a_manufactured_flow_are_of_order_2(limited, viscosity):
    coarse, fine = (errors_of_rates(n, viscosity, limited) for n in (64, 128))
    orders = np.log2(coarse / fine)
    assert np.all((orders > 1.9) & (orders < 2.1)), orders


def test_limited_rates_without_viscosity_lose_their_order_at_extremes_alone():
    """At extremes of order 1, and they are a part of the cells that is of order 1 too."""
    coarse, fine = (errors_of_rates(n, 0.0, True) for n in (128, 256))
    orders = np.log2(coarse / fine)
    assert 1.3 < orders[0] < 1.7 and 0.8 < orders[1] < 1.2, orders


def test_beyond_extremes_limited_rates_are_central_where_the_flow_is_smooth():
    grid, box = Grid((64, 64), (2 * np.pi, 2 * np.pi)), Box((True, True))
    x, y = grid.mesh()
    u = list(manufactured(x, y)[:2])
    central, limited = (np.stack(momentum_rate(u, 0.0, grid, box, limited=each)) for each in (False, True))
    same = np.isclose(central, limited, rtol=0, atol=1e-12).mean()
    assert 0.5 < same < 0.95, same


def test_a_layer_at_the_end_of_a_line_has_no_stripes():
    """Steady a u_x = ν u_xx with |a| h = 20 ν: monotone if limited, stripes of its own size if central."""
    n, carrier, slowness = 20, 1.0, 1 / 20
    u = {True: np.zeros(n), False: np.zeros(n)}
    for limited, values in u.items():
        for _ in range(4000):
            wide = np.concatenate([[0.0, 0.0], values, [1.0, 1.0]])
            flux = convective_flux(wide, np.full(n + 1, carrier), -1, slowness, limited=limited)
            values += 0.2 * (slowness * np.diff(wide[1:-1], 2) - np.diff(flux))
    assert np.all(np.diff(u[True]) > -1e-9) and u[True][-2] < 0.05
    assert np.diff(u[False])[-6:].min() < -0.5


@pytest.mark.parametrize("box", [*CLOSED, Box((False, False), slip=True, inflow=1.0)])
def test_numpy_torch_batches_and_gradients(box):
    u = [np.stack([a, b]) for a, b in zip(velocity(box), velocity(box, seed=1), strict=True)]
    viscosity = np.array([0.001, 0.1])[:, None, None]
    together = momentum_rate(u, viscosity, GRID, box)
    for i in range(2):
        alone = momentum_rate([a[i] for a in u], float(viscosity[i, 0, 0]), GRID, box)
        np.testing.assert_allclose(np.stack(together)[:, i], alone, rtol=0, atol=1e-12)
    tensors = [torch.from_numpy(a).requires_grad_() for a in u]
    found = momentum_rate(tensors, torch.from_numpy(viscosity), GRID, box)
    np.testing.assert_allclose(torch.stack(found).detach(), np.stack(together), rtol=0, atol=1e-12)
    assert torch.autograd.gradcheck(
        lambda *u: tuple(momentum_rate(u, torch.from_numpy(viscosity), GRID, box)), tensors, fast_mode=True
    )


def test_limited_fluxes_keep_the_mirror_images_and_transpositions():
    """The rates of what a symmetry makes of a rough flow are what it makes of the rates."""
    equation, grid = IncompressibleFlow(viscosity=0.001), Grid((6, 6))
    fields = dict(zip("uv", velocity(equation.box, grid), strict=True))
    rates = dict(zip("uv", equation.tendency(np.stack([fields["u"], fields["v"]]), grid), strict=True))
    assert len(equation.symmetries) == 3
    for symmetry in equation.symmetries:
        moved, expected = symmetry(fields, 2), symmetry(rates, 2)
        found = equation.tendency(np.stack([moved["u"], moved["v"]]), grid)
        np.testing.assert_allclose(found, np.stack([expected["u"], expected["v"]]), rtol=0, atol=1e-11)


def test_what_is_refused():
    with pytest.raises(InputError, match="grid must have at least 2 cells per axis for flow, got 1"):
        momentum_rate([np.zeros((1, 4))] * 2, 0.1, Grid((1, 4)), Box((True, True)))
    with pytest.raises(InputError, match="convection must be one of limited, central, got 'upwind'"):
        IncompressibleFlow(convection="upwind")
