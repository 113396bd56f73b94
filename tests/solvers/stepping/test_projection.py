"""Steps of incompressible flow: orders, gradients, obstacles, samples of their own, systems to learn from, refusals."""

from functools import partial

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import IncompressibleFlow
from opforge.pdes._momentum import momentum_rate
from opforge.pdes._staggered import Box, projected, without_wall
from opforge.solvers import SSPRK3, BlowUp, PressureSolver, ProjectionStepper, pressure_systems, repeat

GRID = Grid((8, 7))


def state(components=3):
    rng = np.random.default_rng(0)
    return np.concatenate([0.3 * rng.standard_normal((2, components - 1, 8, 7)), rng.random((2, 1, 8, 7))], 1)


def obstacle():
    solid = np.zeros((8, 7), bool)
    solid[3:5, 2:4] = True
    return solid


@pytest.mark.slow
def test_numpy_torch_and_gradients():
    stepper = ProjectionStepper(IncompressibleFlow(buoyancy=1.0), GRID, 0.01)
    tensors = torch.from_numpy(state()).requires_grad_()
    np.testing.assert_allclose(stepper(tensors).detach().numpy(), stepper(state()), rtol=0, atol=1e-13)
    small = ProjectionStepper(IncompressibleFlow(buoyancy=1.0, diffusivity=0.01), Grid((4, 5)), 0.01)
    assert torch.autograd.gradcheck(small, tensors[:, :, :4, :5].detach().requires_grad_())


def test_nothing_flows_through_obstacles_and_nothing_diverges():
    equation = IncompressibleFlow(buoyancy=1.0)
    start = state()
    start[:, 2, obstacle()] = 0
    end = repeat(ProjectionStepper(equation, GRID, 0.01, solid=obstacle()), 10)(start)
    assert np.abs(end[:, 0, 2:5, 2:4]).max() == 0 and np.abs(end[:, 1, 3:5, 1:4]).max() == 0
    assert np.abs(equation.divergence({"u": end[:, 0], "v": end[:, 1]}, GRID)).max() < 1e-6
    np.testing.assert_allclose(end[:, 2].mean((1, 2)), start[:, 2].mean((1, 2)), rtol=1e-12)
    assert np.abs(end[:, 2, obstacle()]).max() == 0


def test_around_obstacles_gradients_flow_too():
    stepper = ProjectionStepper(IncompressibleFlow(buoyancy=1.0), GRID, 0.01, solid=obstacle())
    tensors = torch.from_numpy(state()[:1]).requires_grad_()
    np.testing.assert_allclose(stepper(tensors).detach().numpy(), stepper(state()[:1]), rtol=0, atol=1e-12)
    small = ProjectionStepper(IncompressibleFlow(), Grid((5, 5)), 0.01, solid=obstacle()[1:6, 1:6])
    assert torch.autograd.gradcheck(small, tensors[:, :2, :5, :5].detach().requires_grad_())


@pytest.mark.parametrize("boundary", ["walls", "channel", "stream", "periodic"])
def test_obstacles_stand_in_every_box(boundary):
    equation = IncompressibleFlow(boundary=boundary, inflow=1.0 if boundary == "stream" else 0.0)
    end = repeat(ProjectionStepper(equation, GRID, 0.005, solid=obstacle()), 5)(state(2)[:, :2])
    assert np.abs(end[:, 0, 2:5, 2:4]).max() == 0 and np.abs(end[:, 1, 3:5, 1:4]).max() == 0
    assert np.abs(equation.divergence({"u": end[:, 0], "v": end[:, 1]}, GRID)).max() < 1e-6
    if boundary == "stream":  # what enters leaves
        np.testing.assert_allclose(end[:, 0].sum(-1), 7.0, rtol=1e-7)


def test_a_sample_does_not_depend_on_the_others():
    """One of them needs its step in parts."""
    equation = IncompressibleFlow(viscosity=0.0)
    start = state(2)[:, :2] * np.array([1.0, 20.0])[:, None, None, None]
    stepper = ProjectionStepper(equation, GRID, 0.05, strict=False)
    together = repeat(stepper, 3)(start)
    alone = np.concatenate([repeat(stepper, 3)(start[i : i + 1]) for i in range(2)])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-13 * np.abs(alone).max())
    tensors = torch.from_numpy(start).requires_grad_()
    found = repeat(stepper, 3)(tensors)
    np.testing.assert_allclose(found.detach(), together, rtol=0, atol=1e-12 * np.abs(alone).max())
    (gradient,) = torch.autograd.grad(found[0].sum(), tensors)
    assert gradient[0].abs().max() > 0 and gradient[1].abs().max() == 0


def test_a_run_that_leaves_the_numbers_ends():
    equation = IncompressibleFlow(viscosity=0.0, boundary="free slip")
    stepper = ProjectionStepper(equation, GRID, 100.0, strict=False)
    with pytest.raises(BlowUp, match="not finite any more at time"):
        repeat(stepper, 100)(state(2)[:, :2])


def test_samples_have_numbers_of_their_own():
    own = {"viscosity": np.array([0.001, 0.02]), "q": np.stack([np.zeros((8, 7)), np.ones((8, 7))])}
    together = ProjectionStepper(IncompressibleFlow(buoyancy=1.0), GRID, 0.01, own=own)(state())
    for i in range(2):
        equation = IncompressibleFlow(viscosity=own["viscosity"][i], buoyancy=1.0)
        alone = ProjectionStepper(equation, GRID, 0.01, own={"q": own["q"][i : i + 1]})(state()[i : i + 1])
        np.testing.assert_allclose(together[i], alone[0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(together[:, 2].mean((1, 2)) - state()[:, 2].mean((1, 2)), [0, 0.01], atol=1e-15)


def test_the_systems_of_a_run():
    make = partial(ProjectionStepper, IncompressibleFlow(lid=1.0), GRID, 0.01, solid=obstacle())
    found = list(pressure_systems(make, np.zeros((1, 2, 8, 7)), 2))
    assert len(found) == 6
    assert all(b.shape == (56,) and abs(b.sum()) < 1e-12 and not b[obstacle().ravel()].any() for b in found)


def test_a_solver_of_the_pressure_serves_its_own_obstacles_alone():
    equation, rest = IncompressibleFlow(lid=1.0), np.zeros((1, 2, 8, 7))
    solver = PressureSolver(obstacle(), GRID)
    expected = repeat(ProjectionStepper(equation, GRID, 0.01, solid=obstacle()), 3)(rest)
    found = repeat(ProjectionStepper(equation, GRID, 0.01, solid=obstacle(), pressure=solver), 3)(rest)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    assert solver.last.iterations > 1
    other = obstacle()
    other[0, 0] = True
    for solid, flow in ((other, equation), (obstacle(), IncompressibleFlow(boundary="channel"))):
        with pytest.raises(InputError, match="pressure must be that around the flow's obstacles"):
            ProjectionStepper(flow, GRID, 0.01, solid=solid, pressure=solver)


def manufactured(x, y):
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


def manufactured_error(n, viscosity, limited):
    """Driven by a force that changes with time, at t = 1 of u(t) = (1 + ½ sin 2πt) U: root mean square, relative."""
    grid, box = Grid((n, n)), Box((False, False))
    (x, y), h = grid.mesh(), 1 / n
    along_x, along_y = manufactured(x + h / 2, y), manufactured(y + h / 2, x)  # v is −U with x and y exchanged
    flow, carried, spread = (np.stack([a, sign * b]) for a, b, sign in zip(along_x, along_y, (-1, 1, -1), strict=True))
    push = np.stack([np.exp(x + h / 2) * np.sin(y), np.exp(x) * np.cos(y + h / 2)])  # ∇p of p = eˣ sin y

    def rate(state):
        t = state[2, 0, 0]
        size, growth = 1 + np.sin(2 * np.pi * t) / 2, np.pi * np.cos(2 * np.pi * t)
        force = growth * flow + size**2 * carried - size * viscosity * spread + push
        rates = momentum_rate(list(state[:2]), viscosity, grid, box, limited=limited)
        pushed = [without_wall(a + f, i - 2, box) for i, (a, f) in enumerate(zip(rates, force, strict=True))]
        return np.stack([*projected(pushed, grid, box)[0], np.ones_like(x)])

    start = [without_wall(u, i - 2, box) for i, u in enumerate(flow)]
    state = np.stack([*projected(start, grid, box)[0], 0 * x])
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
    coarse, fine = (manufactured_error(n, viscosity, limited) for n in (24, 48))
    assert fine < 0.002
    assert least < np.log2(coarse / fine) < most, (coarse, fine)


def rows(number):
    """Obstacles across a stream."""
    solid = np.zeros((8, 7))
    solid[number] = 1.0
    return solid


def test_what_is_refused():
    stream = IncompressibleFlow(boundary="stream", inflow=1.0)
    with pytest.raises(InputError, match=r"dt must be at most 0\.\d+, for the viscosity on this grid, got 0\.1"):
        ProjectionStepper(IncompressibleFlow(viscosity=1.0), GRID, 0.1)
    with pytest.raises(InputError, match=r"dt must be at most 0\.\d+, for the flow and the viscosity"):
        ProjectionStepper(IncompressibleFlow(buoyancy=1.0), GRID, 0.1)(10 * state())
    with pytest.raises(InputError, match="solid must leave the cells open at which the stream enters"):
        ProjectionStepper(stream, GRID, 0.01, solid=rows(0))
    with pytest.raises(InputError, match="solid must leave the stream a way to where it leaves"):
        ProjectionStepper(stream, GRID, 0.01, solid=rows(4))
    for value in (np.nan, 0.4):
        with pytest.raises(InputError, match=f"solid must hold 1 in obstacles and 0 elsewhere.*got {value}"):
            ProjectionStepper(IncompressibleFlow(), GRID, 0.01, solid=np.where(obstacle(), value, 0.0))
    with pytest.raises(InputError, match=r"solid must have the grid's shape \(8, 7\), got \(7, 8\)"):
        ProjectionStepper(IncompressibleFlow(), GRID, 0.01, solid=np.zeros((7, 8)))
    with pytest.raises(InputError, match="viscosity must have one value for each of 2 samples, got 3"):
        ProjectionStepper(IncompressibleFlow(), GRID, 0.001, own={"viscosity": np.ones(3) * 0.1})(state()[:, :2])
    with pytest.raises(InputError, match=r"state must be an array \(samples, components, \*space\)"):
        ProjectionStepper(IncompressibleFlow(), GRID, 0.001)(state()[0, :2])
    with pytest.raises(InputError, match="viscosity must be at least 0 for every sample"):
        ProjectionStepper(IncompressibleFlow(), GRID, 0.01, own={"viscosity": np.array([0.1, -0.1])})
    with pytest.raises(InputError, match="solid must leave some cells of fluid"):
        ProjectionStepper(IncompressibleFlow(), GRID, 0.01, solid=np.ones((8, 7)))
    with pytest.raises(InputError, match="dt must be a time greater than 0"):
        ProjectionStepper(IncompressibleFlow(), GRID, 0.0)
