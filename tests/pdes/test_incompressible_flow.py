"""Incompressible flow: closed forms, three dimensions, pressure and obstacles in residuals, what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import IncompressibleFlow
from opforge.pdes._pressure import FactoredPressure
from opforge.pdes._staggered import Bodies


@pytest.mark.parametrize("boundary", ["periodic", "free slip"])
def test_taylor_green_has_no_discrete_divergence(boundary):
    equation, grid = IncompressibleFlow(boundary=boundary), Grid((64, 48), (1.0, 2.0))
    fields = equation.exact(grid, [0.0, 0.3])
    assert np.abs(equation.divergence(fields, grid)).max() < 1e-12
    state = np.stack([fields["u"][0], fields["v"][0]])
    k2 = (np.pi * (2 if boundary == "periodic" else 1)) ** 2 * (1 + 1 / 4)
    rate = equation.tendency(state, grid)
    assert np.abs(rate + 0.01 * k2 * state).max() < 0.05 * np.abs(0.01 * k2 * state).max() + 0.02


def test_three_dimensions():
    equation, grid = IncompressibleFlow(3, buoyancy=1.0), Grid((6, 5, 7))
    state = np.zeros((4, 6, 5, 7))
    state[3, 2:4, 2:4, 1:3] = 1.0
    rate = equation.tendency(state, grid)
    assert equation.unknowns == ("u", "v", "w", "s")
    assert np.abs(equation.divergence({"u": rate[0], "v": rate[1], "w": rate[2]}, grid)).max() < 1e-12
    assert rate[2, 2:4, 2:4, 1].min() > 0  # it rises


@pytest.mark.parametrize("boundary", ["periodic", "free slip"])
def test_pressure_of_taylor_green(boundary):
    equation, grid = IncompressibleFlow(boundary=boundary), Grid((64, 48), (1.0, 2.0))
    fields = equation.exact(grid, [0.0, 0.3])
    p = equation.pressure(np.stack([fields["u"], fields["v"]], 1), grid)
    assert 1e-5 < np.abs(p - fields["p"]).max() < 0.02


def test_a_stream_without_obstacles_stays_as_it_is():
    equation, grid = IncompressibleFlow(boundary="stream", inflow=2.0), Grid((8, 6))
    state = np.zeros((2, 8, 6))
    state[0] = 2.0
    assert np.abs(equation.tendency(state, grid)).max() < 1e-11
    assert np.abs(equation.divergence({"u": state[0], "v": state[1]}, grid)).max() == 0
    assert np.abs(equation.pressure(state, grid)).max() < 1e-12


def frames(equation, solid=None, seed=0):
    rng = np.random.default_rng(seed)
    fields = {name: rng.random((2, 3, *GRID.shape)) for name in equation.unknowns}
    return {**fields, "time": np.array([0.0, 0.1, 0.3]), **({} if solid is None else {"solid": solid})}


GRID = Grid((6, 5))


def bodies():
    """Obstacles of two samples."""
    solid = np.zeros((2, *GRID.shape))
    solid[0, 2:4, 2:4] = solid[1, 1, 1:3] = 1.0
    return solid


@pytest.mark.parametrize("boundary", ["walls", "channel", "stream", "periodic"])
@pytest.mark.parametrize("solid", [None, bodies()])
def test_residual_with_the_pressure_is_that_with_the_projection(boundary, solid):
    """Where the pressure is the one that keeps the divergence away."""
    inflow = 1.0 if boundary == "stream" else 0.0
    equation = IncompressibleFlow(boundary=boundary, buoyancy=1.0, diffusivity=0.1, inflow=inflow)
    fields = frames(equation, solid)
    without = equation.residual(fields, GRID)
    p = np.zeros((2, 3, *GRID.shape))
    for sample in range(2):
        state = np.stack([fields[name][sample] for name in equation.unknowns], 1)
        own, solve = {}, None
        if solid is not None:
            own = {"bodies": Bodies.of(solid[sample], equation.box)}
            solve = FactoredPressure(solid[sample], GRID, equation.box)
        p[sample] = equation.pressure(state, GRID, solve=solve, **own)
    given = equation.residual({**fields, "p": p}, GRID)
    np.testing.assert_allclose(given, without, rtol=0, atol=1e-11)
    other = equation.residual({**fields, "p": p + GRID.mesh()[0]}, GRID)
    assert np.abs(other - given).max() > 0.05


def test_residual_around_obstacles_has_gradients():
    equation = IncompressibleFlow()
    fields = frames(equation, bodies())
    tensors = [torch.from_numpy(fields[name]).requires_grad_() for name in "uv"]

    def residual(u, v):
        return equation.residual({**fields, "u": u, "v": v, "solid": torch.from_numpy(bodies())}, GRID)

    np.testing.assert_allclose(residual(*tensors).detach(), equation.residual(fields, GRID), rtol=0, atol=1e-12)
    assert torch.autograd.gradcheck(residual, tensors, fast_mode=True)


@pytest.mark.parametrize("name", ["viscosity", "force", "buoyancy", "diffusivity"])
def test_residual_takes_numbers_of_samples(name):
    parameters = {"viscosity": 0.1, "force": 0.2, "buoyancy": 0.3, "diffusivity": 0.4}
    fields = frames(IncompressibleFlow(buoyancy=1.0))
    drawn = np.array([0.5, 0.9])
    found = IncompressibleFlow(**parameters).residual({**fields, name: drawn}, GRID)
    for i in range(2):
        one = {key: values if key == "time" else values[i] for key, values in fields.items()}
        expected = IncompressibleFlow(**{**parameters, name: drawn[i]}).residual(one, GRID)
        np.testing.assert_allclose(found[i], expected, rtol=0, atol=1e-12)
    tensors = {key: torch.from_numpy(values) for key, values in {**fields, name: drawn}.items()}
    np.testing.assert_allclose(IncompressibleFlow(**parameters).residual(tensors, GRID), found, rtol=0, atol=1e-12)


def test_mass_of_the_smoke_is_that_of_its_source():
    equation = IncompressibleFlow(buoyancy=1.0)
    (invariant,) = (each for each in equation.invariants if each.name == "mass of the smoke")
    s = np.ones((1, 3, *GRID.shape)) * np.array([0.0, 0.2, 0.6])[:, None, None]
    fields = {"s": s, "q": np.full((1, *GRID.shape), 2.0), "time": np.array([0.0, 0.1, 0.3])}
    assert not invariant.broken(equation, fields, GRID)
    assert invariant.broken(equation, {**fields, "q": fields["q"] * 1.01}, GRID)


def test_what_drives_the_flow_breaks_the_symmetry():
    def names(**parameters):
        return [each.name for each in IncompressibleFlow(**parameters).symmetries]

    def three(kind, axes):
        return [f"{kind} {axis}" for axis in axes]

    assert names(ndim=3) == three("reflection", "xyz") + three("transposition", ("xy", "xz", "yz"))
    assert names(lid=1.0) == [] and names(ndim=3, lid=1.0) == ["reflection y"]
    assert names(buoyancy=1.0) == ["reflection x"]
    assert names(ndim=3, buoyancy=1.0) == ["reflection x", "reflection y", "transposition xy"]
    along = three("shift x", ("1/2", "1/4", "1/8"))
    assert names(boundary="channel", force=1.0) == ["reflection y", *along]
    assert names(ndim=3, boundary="channel") == [*three("reflection", "xyz"), "transposition yz", *along]
    assert names(boundary="stream", inflow=1.0) == ["reflection y"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"viscosity": -1.0}, "viscosity must be"),
        ({"boundary": "pipe"}, "boundary must be one of walls, free slip, channel, stream, periodic"),
        ({"lid": 1.0, "boundary": "free slip"}, "lid must be 0 where the flow does not stick"),
        ({"ndim": 1}, "ndim must be 2 or 3"),
        ({"boundary": "stream"}, r"inflow must be a number greater than 0 \(of a stream\)"),
        ({"inflow": 1.0}, "inflow must be 0 unless boundary='stream'"),
        ({"diffusivity": 0.1}, "diffusivity must be 0 without smoke"),
        ({"diffusivity": -0.1, "buoyancy": 1.0}, "diffusivity must be a number of at least 0"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        IncompressibleFlow(**parameters)


def buoyant(n):
    """Mean errors of the rates of smoke and of buoyancy, carried by a vortex, on n x 2n cells of a periodic box."""
    kappa, beta, kx, ky = 0.03, 1.7, 2 * np.pi, 4 * np.pi
    grid = Grid((n, 2 * n))
    (x, y), (hx, hy) = grid.mesh(), grid.spacing
    q = 0.3 * np.sin(kx * x)

    def smoke(x, y):
        return np.cos(kx * x) * np.cos(ky * y)

    def vortex(x, y):
        return np.sin(kx * x) * np.cos(kx * y), -np.cos(kx * x) * np.sin(kx * y)

    u, v = vortex(x + hx / 2, y)[0], vortex(x, y + hy / 2)[1]  # on upper faces
    equation = IncompressibleFlow(boundary="periodic", buoyancy=beta, diffusivity=kappa, convection="central")
    state = np.stack([u, v, smoke(x, y)])
    rate = equation.tendency(state, grid, own={"q": q})
    pushed = rate - replace(equation, buoyancy=0.0).tendency(state, grid)
    k2 = kx**2 + ky**2
    across = vortex(x, y)
    slope_x, slope_y = -kx * np.sin(kx * x) * np.cos(ky * y), -ky * np.cos(kx * x) * np.sin(ky * y)
    exact = -across[0] * slope_x - across[1] * slope_y - kappa * k2 * smoke(x, y) + q
    # what the projection leaves of the force β s e_y
    lifted_x = beta * kx * ky / k2 * np.sin(kx * (x + hx / 2)) * np.sin(ky * y)
    lifted_y = beta * kx**2 / k2 * smoke(x, y + hy / 2)
    pairs = ((rate[2], exact), (pushed[0], lifted_x), (pushed[1], lifted_y))
    return np.array([np.abs(found - wanted).mean() for found, wanted in pairs])


def test_smoke_and_its_buoyancy_are_of_order_2():
    errors = np.stack([buoyant(n) for n in (64, 128)])
    orders = np.log2(errors[0] / errors[1])
    assert errors[0].max() < 0.05, errors
    assert np.all((orders > 1.7) & (orders < 2.3)), (errors, orders)
