"""Many steps: frames, what blows up, numbers out of range."""

import numpy as np
import pytest
import torch

from opforge.errors import InputError
from opforge.solvers import BlowUp, Stepper, repeat, rollout
from opforge.solvers.stepping.stepper import steps_between


class Doubling(Stepper):
    """u ↦ 2 u, by way of a form of its own; more than ``most`` is not finite."""

    dt = 0.5

    def __init__(self, most=np.inf):
        self.most = most

    def prepare(self, state):
        return (state,)

    def advance(self, inner):
        (state,) = inner
        with np.errstate(divide="ignore"):
            return (2 * state / (abs(state) <= self.most),)

    def finish(self, inner):
        return inner[0]


@pytest.mark.parametrize("make", [np.asarray, torch.tensor])
def test_frames_are_the_states_after_so_many_steps(make):
    state = make([[[1.0, -3.0]]])
    frames = rollout(Doubling(), state, frames=3, steps=2, start=True)
    assert type(frames) is type(state)
    assert frames[:, 0, 0, 0].tolist() == [1.0, 4.0, 16.0, 64.0]
    assert rollout(Doubling(), state, frames=2)[:, 0, 0, 1].tolist() == [-6.0, -12.0]
    assert repeat(Doubling(), 4)(state)[0, 0].tolist() == [16.0, -48.0]
    assert repeat(Doubling(), 0)(state) is state
    assert Doubling()(state)[0, 0].tolist() == [2.0, -6.0]


@pytest.mark.parametrize("make", [np.asarray, torch.tensor])
def test_blow_up_is_found_to_the_step(make):
    state = make([[[1.0]], [[3.0]]])
    with pytest.raises(
        BlowUp, match=r"not finite any more at time 2.5 \(sample 1\); take a smaller time step"
    ) as caught:
        rollout(Doubling(most=40.0), state, frames=2, steps=4)
    assert caught.value.time == 2.5
    assert caught.value.samples == [1]
    assert caught.value.state[:, 0, 0].tolist() == [16.0, 48.0]


def test_a_single_sample_needs_no_number():
    with pytest.raises(BlowUp, match=r"at time 0\.5; take"):
        repeat(Doubling(most=0.5), 2)(np.ones((1, 1, 1)))


def test_what_is_not_finite_is_refused():
    with pytest.raises(InputError, match="state must be finite, got NaN or infinity"):
        rollout(Doubling(), np.array([[[np.nan]]]), frames=1)


@pytest.mark.parametrize("count", [-1, 1.5, True, None])
def test_counts_are_whole_numbers(count):
    with pytest.raises(InputError, match="steps and frames must be whole numbers of at least 0"):
        repeat(Doubling(), count)
    with pytest.raises(InputError, match="of at least 1"):
        rollout(Doubling(), np.ones((1, 1, 1)), frames=1, steps=0)


def test_gradients_flow_through_steps():
    state = torch.ones(1, 1, 2, requires_grad=True)
    rollout(Doubling(), state, frames=2)[-1].sum().backward()
    assert state.grad.tolist() == [[[4.0, 4.0]]]


def test_steps_fill_the_interval():
    assert steps_between(1.0, 0.1) == (10, 0.1)
    assert steps_between(0.3, 0.1) == (3, 0.3 / 3)  # whatever 0.3 / 0.1 rounds to
    assert steps_between(1.0, 5.0) == (1, 1.0)
