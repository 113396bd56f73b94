"""Steps of finite volumes: numpy and torch, gradients, time steps that are too long, faster waves on the way."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import CompressibleFlow, ShallowWater
from opforge.solvers import BlowUp, FiniteVolumes, rollout

CASES = [(ShallowWater(), 3), (CompressibleFlow(2, 0.01, 0.02), 4), (ShallowWater(boundary="walls"), 3)]
GRID = Grid((6, 5))


def state(components):
    return np.random.default_rng(0).uniform(0.8, 1.2, (2, components, 6, 5))


@pytest.mark.parametrize(("equation", "components"), CASES)
def test_numpy_torch_and_gradients(equation, components):
    stepper = FiniteVolumes(equation, GRID, 0.01)
    tensors = torch.from_numpy(state(components)).requires_grad_()
    np.testing.assert_allclose(stepper(tensors).detach().numpy(), stepper(state(components)), rtol=0, atol=1e-12)
    assert torch.autograd.gradcheck(stepper, tensors)


def test_time_steps_beyond_the_limit_are_refused_with_it():
    with pytest.raises(
        InputError, match=r"dt must be at most 0\.0\d+, the time in which the fastest wave crosses a cell"
    ):
        FiniteVolumes(CompressibleFlow(), GRID, 0.5)(state(4))
    with pytest.raises(InputError, match="dt must be a time greater than 0"):
        FiniteVolumes(CompressibleFlow(), GRID, 0.0)


def test_faster_waves_take_a_step_in_parts():
    grid, equation = Grid((64,)), CompressibleFlow(1, boundary="outflow")
    x = grid.coordinates()[0]
    start = np.stack([np.ones(64), np.zeros(64), np.where(x < 0.5, 10.0, 0.1)])[None]
    dt = 0.9 / equation.courant(start, grid)
    coarse = rollout(FiniteVolumes(equation, grid, dt), start, frames=1, steps=20)
    fine = rollout(FiniteVolumes(equation, grid, dt / 4), start, frames=1, steps=80)
    assert np.abs(coarse - fine).mean() < 0.05


def test_a_vacuum_is_a_blow_up():
    grid = Grid((32,))
    away = np.where(grid.coordinates()[0] < 0.5, -20.0, 20.0)
    start = np.stack([np.ones(32), away, np.ones(32)])[None]
    stepper = FiniteVolumes(CompressibleFlow(1, boundary="outflow"), grid, 1e-3)
    with pytest.raises(BlowUp, match="not finite any more at time"):
        rollout(stepper, start, frames=5, steps=10)
