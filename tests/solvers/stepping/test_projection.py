"""Steps of incompressible flow: gradients, obstacles, preconditioners, systems to learn from, what is refused."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import IncompressibleFlow
from opforge.solvers import PressureSolver, ProjectionStepper, pressure_system, repeat

GRID = Grid((8, 7))


def state(components=3):
    rng = np.random.default_rng(0)
    return np.concatenate([0.3 * rng.standard_normal((2, components - 1, 8, 7)), rng.random((2, 1, 8, 7))], 1)


def obstacle():
    solid = np.zeros((8, 7), bool)
    solid[3:5, 2:4] = True
    return solid


def test_numpy_torch_and_gradients():
    stepper = ProjectionStepper(IncompressibleFlow(buoyancy=1.0), GRID, 0.01)
    tensors = torch.from_numpy(state()).requires_grad_()
    np.testing.assert_allclose(stepper(tensors).detach().numpy(), stepper(state()), rtol=0, atol=1e-13)
    assert torch.autograd.gradcheck(stepper, tensors)


def test_nothing_flows_through_obstacles_and_nothing_diverges():
    equation = IncompressibleFlow(buoyancy=1.0)
    start = state()
    start[:, 2, obstacle()] = 0
    end = repeat(ProjectionStepper(equation, GRID, 0.01, solid=obstacle()), 10)(start)
    assert np.abs(end[:, 0, 2:5, 2:4]).max() == 0 and np.abs(end[:, 1, 3:5, 1:4]).max() == 0
    assert np.abs(equation.divergence({"u": end[:, 0], "v": end[:, 1]}, GRID)).max() < 1e-6
    np.testing.assert_allclose(end[:, 2].mean((1, 2)), start[:, 2].mean((1, 2)), rtol=1e-12)
    assert np.abs(end[:, 2, obstacle()]).max() == 0


def test_any_preconditioner_and_the_systems():
    seen = []
    A = pressure_system(obstacle(), GRID)
    jacobi = np.diag(1 / A.diagonal())
    solver = PressureSolver(obstacle(), GRID, jacobi, lambda b, x: seen.append((b, x)))
    source = np.random.default_rng(0).standard_normal((2, 8, 7)) * ~obstacle()
    source -= source.sum((1, 2), keepdims=True) / (~obstacle()).sum() * ~obstacle()
    found = solver(source)
    assert len(seen) == 2
    for b, x in seen:
        assert np.linalg.norm(A @ x - b) < 1e-8 * np.linalg.norm(b)
    usual = PressureSolver(obstacle(), GRID)(source)
    fluid = ~obstacle()
    off = (found - usual)[:, fluid]
    assert np.abs(off - off.mean(1, keepdims=True)).max() < 1e-7


def test_what_is_refused():
    with pytest.raises(InputError, match=r"dt must be at most 0\.\d+, for the flow and the viscosity"):
        ProjectionStepper(IncompressibleFlow(viscosity=1.0, buoyancy=1.0), GRID, 0.1)(state())
    with pytest.raises(InputError, match="obstacles need a closed box, got boundary='channel'"):
        ProjectionStepper(IncompressibleFlow(boundary="channel"), GRID, 0.1, solid=obstacle())
    with pytest.raises(InputError, match="must leave some cells of fluid"):
        pressure_system(np.ones((8, 7)), GRID)
    with pytest.raises(InputError, match="dt must be a time greater than 0"):
        ProjectionStepper(IncompressibleFlow(), GRID, 0.0)
