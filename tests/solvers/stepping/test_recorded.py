"""A recorded stepper gives what its stepper gives: on a GPU from a recording, elsewhere by the stepper itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import KuramotoSivashinsky, NavierStokes, ShallowWater, Wave
from opforge.solvers import (
    ETDRK4,
    IMEXRK,
    FiniteVolumes,
    Leapfrog,
    Recorded,
    Stepper,
    repeat,
)

PERIODIC, BOX = Grid((32,), (20.0,), "periodic"), Grid((16, 12))
TORUS = Grid((24, 24), (6.28, 6.28), "periodic")
STEPPERS = {
    "ETDRK4": (ETDRK4(KuramotoSivashinsky(), PERIODIC, 0.05), (3, 1, 32)),
    "ETDRK4 with a forcing": (ETDRK4(NavierStokes(forcing="kolmogorov", wavenumber=2), TORUS, 0.02), (2, 1, 24, 24)),
    "IMEXRK": (IMEXRK(KuramotoSivashinsky(), PERIODIC, 0.05), (2, 1, 32)),
    "Leapfrog in a medium": (Leapfrog(Wave(2), BOX, 0.02, np.linspace(0.5, 1, 192).reshape(1, 16, 12)), (2, 2, 16, 12)),
}
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch can use")


def smooth(shape: tuple[int, ...]) -> torch.Tensor:
    x = torch.linspace(0, 6.28, int(np.prod(shape)), dtype=torch.float64)
    return torch.sin(3 * x).reshape(shape)


@pytest.mark.parametrize("name", STEPPERS)
def test_on_the_cpu_it_is_the_stepper(name: str) -> None:
    stepper, shape = STEPPERS[name]
    recorded = Recorded(stepper)
    assert recorded.dt == stepper.dt
    for state in (smooth(shape), smooth(shape).numpy()):
        expected, found = (repeat(one, 3)(state) for one in (stepper, recorded))
        assert type(found) is type(expected)
        torch.testing.assert_close(torch.as_tensor(found), torch.as_tensor(expected), rtol=0, atol=0)


def test_gradients_flow() -> None:
    stepper, shape = STEPPERS["ETDRK4"]
    found = []
    for one in (stepper, Recorded(stepper)):
        state = smooth(shape).requires_grad_()
        (repeat(one, 2)(state) ** 2).sum().backward()
        assert state.grad is not None
        found.append(state.grad)
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=0)


def test_a_step_whose_work_depends_on_the_state_is_refused() -> None:
    with pytest.raises(InputError, match=r"stepper must do the same work in every step .* got FiniteVolumes"):
        Recorded(FiniteVolumes(ShallowWater(1), Grid((16,)), 0.01))
    assert not Stepper.recordable


@on_gpu
@pytest.mark.parametrize("name", STEPPERS)
def test_on_a_gpu_a_recording_gives_the_steppers_numbers(name: str) -> None:
    stepper, shape = STEPPERS[name]
    recorded, state = Recorded(stepper), smooth(shape).cuda()
    kept = state.clone()
    for start in (state, 0.5 * state):  # the second one replays
        torch.testing.assert_close(repeat(recorded, 7)(start), repeat(stepper, 7)(start), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(state, kept, rtol=0, atol=0)
    expected = repeat(stepper, 7)(state.cpu())
    torch.testing.assert_close(repeat(recorded, 7)(state).cpu(), expected, rtol=1e-11, atol=1e-11)


@on_gpu
def test_states_of_several_shapes_and_precisions_have_their_recordings() -> None:
    stepper = STEPPERS["ETDRK4"][0]
    recorded = Recorded(stepper)
    for samples in (1, 2, 3, 4, 5, 6, 8, 12):
        for dtype in (torch.float32, torch.float64):
            state = smooth((samples, 1, 32)).to("cuda", dtype)
            tolerance = 1e-5 if dtype is torch.float32 else 1e-12
            found, expected = (repeat(one, 2)(state) for one in (recorded, stepper))
            torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
