"""Many steps: frames, what blows up, numbers out of range; samples of a batch do not touch each other."""

from typing import Any

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Burgers, KuramotoSivashinsky, NavierStokes
from opforge.solvers import ETDRK4, IMEXRK, BlowUp, EachSample, Stepper, repeat, rollout
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
    assert state.grad.tolist()  # pyright: ignore[reportOptionalMemberAccess] == [[[4.0, 4.0]]]


def test_steps_fill_the_interval():
    assert steps_between(1.0, 0.1) == (10, 0.1)
    assert steps_between(0.3, 0.1) == (3, 0.3 / 3)  # whatever 0.3 / 0.1 rounds to
    assert steps_between(1.0, 5.0) == (1, 1.0)


# --- samples of a batch do not touch each other: sizes that differ, samples that blow up ------------------------------

LINE, SQUARE = Grid((64,), (32.0,), "periodic"), Grid((16, 16), (6.0, 6.0), "periodic")
STEPPERS = {
    "Kuramoto–Sivashinsky": lambda **how: ETDRK4(KuramotoSivashinsky(), LINE, 0.1, **how),
    "Burgers": lambda **how: ETDRK4(Burgers(1, 0.1), LINE, 0.05, **how),
    "Burgers 2-D": lambda **how: ETDRK4(Burgers(2, 0.1), SQUARE, 0.02, **how),
    "Navier–Stokes": lambda **how: ETDRK4(NavierStokes(viscosity=0.01), SQUARE, 0.02, **how),
    "with a tracer": lambda **how: ETDRK4(NavierStokes(viscosity=0.01, tracer_diffusivity=0.02), SQUARE, 0.02, **how),
    "IMEXRK": lambda **how: IMEXRK(KuramotoSivashinsky(), LINE, 0.1),
}
COMPILED = [(name, how) for name in STEPPERS for how in ({}, {"compiled": True}) if name != "IMEXRK" or not how]


def waves(stepper, samples=4, dtype: Any = np.float32):
    """Smooth random states of size about 1."""
    rng, grid = np.random.default_rng(0), stepper.grid
    u = rng.standard_normal((samples, len(stepper.equation.unknowns), *grid.shape))
    paired = stepper.equation.paired(grid)
    modes = paired.of_fields(u)
    k = sum(np.meshgrid(*(k.ravel() ** 2 for k in paired.wavenumbers()), indexing="ij"))
    u = paired.fields(modes * np.exp(-k / 8), samples)
    return (u / np.sqrt((u**2).mean(paired.axes, keepdims=True))).astype(dtype)


def own_error(found, alone):
    """Relative to its own size, component by component."""
    axes = tuple(range(2, found.ndim))
    return np.sqrt(((found - alone) ** 2).sum(axes) / (alone**2).sum(axes))


@pytest.mark.parametrize(("name", "how"), COMPILED)
@pytest.mark.parametrize("small", [1e-1, 1e-5, 1e-7])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("gradients", [False, True])
def test_a_batch_rounds_a_sample_as_its_own_size_does(name, how, small, first, gradients):
    stepper = STEPPERS[name](**how)
    state = 3 * waves(stepper, 5)
    state[[0, 3] if first else [1, 2]] *= np.float32(small / 3)

    def run(u):
        found = repeat(stepper, 20)(torch.from_numpy(u).requires_grad_() if gradients else u)
        return found.detach().numpy() if gradients else found

    together = run(state)
    for i in range(len(state)):
        error = own_error(together[i : i + 1], run(state[i : i + 1]))
        assert np.all(error < 3e-6), (i, error)


@pytest.mark.parametrize("make", [ETDRK4, IMEXRK])
@pytest.mark.parametrize("gradients", [False, True])
def test_samples_that_grow_apart_are_parted_on_the_way(make, gradients):
    """One decays by e^−11, its partner, whose wave is three times as long, by e^−1.2.

    What was rounded while they were alike is a long wave, which does not decay as the sample does: hence 1e-3.
    """
    stepper = make(Burgers(1, 0.1), LINE, 1.0)
    x = 2 * np.pi * LINE.coordinates()[0] / 32
    state = np.stack([1e-3 * np.sin(x), 1e-3 * np.sin(3 * x)]).astype(np.float32)[:, None]

    def after(u, steps):
        inner = stepper.advance_by(stepper.prepare(torch.from_numpy(u).requires_grad_(gradients)), steps)
        return inner.order, stepper.finish(inner).detach().numpy()

    assert after(state, 10)[0] is None
    order, both = after(state, 320)
    assert order == (0, 0, 1, 1)
    assert np.abs(both[1]).max() < 1e-4 * np.abs(both[0]).max()
    assert own_error(both[:1], after(state[:1], 320)[1]).item() < 3e-6
    assert own_error(both[1:], after(state[1:], 320)[1]).item() < 1e-3


def test_gradients_flow_to_samples_of_any_size():
    stepper = ETDRK4(Burgers(1, 0.1), Grid((6,), points="periodic"), 0.1)
    state = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 1, 6))).requires_grad_()
    scale = torch.tensor([1.0, 1e-4, 1.0], dtype=torch.float64)[:, None, None]
    assert stepper.prepare(state * scale).order == (0, 0, 1, 1, 2, 2)
    assert torch.autograd.gradcheck(lambda u: repeat(stepper, 20)(u * scale) / scale, state)


def violent(name, how, dtype: Any = np.float64):
    """A stepper whose step is too long for the second sample of four alone, and the state."""
    equation, grid = {"line": (Burgers(1, 0.01), LINE), "square": (NavierStokes(viscosity=1e-3), SQUARE)}[name]
    stepper = ETDRK4(equation, grid, 0.2, **how)
    state = waves(stepper, 4, dtype) / 4
    state[1] *= 200
    return stepper, state


def blow_up(stepper, state, **numbers):
    with pytest.raises(BlowUp) as caught:
        rollout(stepper, state, checked=False, **numbers)
    return caught.value


@pytest.mark.parametrize("name", ["line", "square"])
@pytest.mark.parametrize("how", [{}, {"compiled": True}])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sample_that_blows_up_is_named_alone(name, how, dtype):
    stepper, state = violent(name, how, dtype)
    found = blow_up(stepper, state, frames=2, steps=20)
    assert found.samples == [1]
    steps = round(found.time / stepper.dt)
    assert steps >= 2
    assert np.isfinite(found.state).all()
    good = np.array([0, 2, 3])
    expected = repeat(stepper, steps - 1)(state[good])
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found.state[good], expected, rtol=0, atol=100 * np.finfo(dtype).eps * scale)
    alone = blow_up(stepper, state[1:2], frames=2, steps=20)
    assert alone.time == found.time
    np.testing.assert_allclose(alone.state, found.state[1:2], rtol=1e-3)


@pytest.mark.parametrize("name", ["line", "square"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_and_tensors_blow_up_at_the_same_time(name, dtype):
    stepper, state = violent(name, {}, dtype)
    arrays = blow_up(stepper, state, frames=1, steps=40)
    for tensor in (torch.from_numpy(state), torch.from_numpy(state).requires_grad_()):
        found = blow_up(stepper, tensor, frames=1, steps=40)
        assert (found.time, found.samples) == (arrays.time, arrays.samples)
        assert isinstance(found.state, torch.Tensor)
    # however often the state is looked at
    assert blow_up(stepper, state, frames=40).time == pytest.approx(arrays.time, rel=1e-12)


@pytest.mark.parametrize("name", ["line", "square"])
@pytest.mark.parametrize("how", [{}, {"compiled": True}])
def test_a_stepper_that_saw_a_blow_up_is_as_good_as_new(name, how):
    stepper, state = violent(name, how)
    good = state[[0, 2, 3, 0]]
    before = repeat(stepper, 5)(good)
    blow_up(stepper, state, frames=1, steps=40)
    np.testing.assert_array_equal(repeat(stepper, 5)(good), before)


def test_steppers_of_their_own_are_parted_too():
    stepper, state = violent("line", {})
    other, _ = violent("line", {})
    found = blow_up(EachSample([stepper, stepper, other, other]), state, frames=1, steps=40)
    assert found.samples == [1]


def test_steps_that_leave_the_numbers_only_beside_others_go_on():
    """Rounded in another way, a step may stay finite: then nothing blew up."""

    class Fragile(ETDRK4):
        def advance_by(self, inner, steps):
            found = super().advance_by(inner, steps)
            if inner.order is None:
                found.modes[...] = np.nan
            return found

    stepper = Fragile(Burgers(1, 0.1), LINE, 0.05)
    state = waves(stepper, 2, np.float64)
    expected = rollout(ETDRK4(Burgers(1, 0.1), LINE, 0.05), state, frames=2, steps=3)
    np.testing.assert_allclose(rollout(stepper, state, frames=2, steps=3), expected, rtol=0, atol=1e-13)
