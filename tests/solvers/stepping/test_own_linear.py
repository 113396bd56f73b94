"""Samples with parameters of their own in one call of ETDRK4: the same as one by one, numpy, compiled, torch."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from opforge.core import Grid, planning
from opforge.pdes import Burgers, Fisher, GrayScott, KortewegDeVries, NavierStokes
from opforge.solvers import ETDRK4, BlowUp, EachSample, repeat, rollout
from opforge.solvers.stepping._own_linear import joined

LINE, SQUARE = Grid((48,), (8.0,), "periodic"), Grid((12, 18), (2.0, 3.0), "periodic")
FACTORS = np.array([1.0, 1.5, 2.0, 1.0, 0.5])

# equation, what its samples have of their own, grid, time step
CASES = {
    "real": (Burgers(1, 0.1), "viscosity", LINE, 0.02),
    "complex": (KortewegDeVries(dispersion=0.2), "dispersion", LINE, 0.005),
    "a source in common": (NavierStokes(viscosity=0.02, forcing="kolmogorov"), "viscosity", SQUARE, 0.01),
    "mixed products": (NavierStokes(viscosity=0.02, tracer_diffusivity=0.01), "tracer_diffusivity", SQUARE, 0.01),
    "sources of their own": (GrayScott(), "feed", SQUARE, 0.5),
}


def steppers(case, **how):
    equation, name, grid, dt = CASES[case]
    made = {f: ETDRK4(replace(equation, **{name: f * getattr(equation, name)}), grid, dt, **how) for f in set(FACTORS)}
    return [made[f] for f in FACTORS]


def state(case, dtype: Any = np.float64):
    equation, _, grid, _ = CASES[case]
    x = sum(2 * np.pi * x / length for x, length in zip(grid.mesh(), grid.lengths, strict=True))
    phases = np.random.default_rng(0).uniform(0, 6, (len(FACTORS), len(equation.unknowns), *(1,) * grid.ndim))
    return (0.5 + 0.3 * np.cos(x + phases)).astype(dtype)


def one_by_one(steppers, state, steps):
    return np.concatenate([np.asarray(repeat(s, steps)(state[i : i + 1])) for i, s in enumerate(steppers)])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_together_is_the_same_as_one_by_one(case, compiled, dtype):
    each = steppers(case, compiled=compiled)
    assert joined(each) is not None
    u = state(case, dtype)
    expected = one_by_one(each, u, 7)
    found = repeat(EachSample(each), 7)(u)
    assert found.dtype == dtype
    rounding = 30 * np.finfo(dtype).eps * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=rounding)
    # and the samples do differ for what they have of their own
    assert np.abs(found - repeat(each[0], 7)(u))[[1, 2, 4]].max(axis=tuple(range(1, u.ndim))).min() > 100 * rounding


@pytest.mark.parametrize("case", CASES)
def test_tensors_and_their_gradients(case):
    each, u = steppers(case), state(case)
    tensor = torch.from_numpy(u).requires_grad_()
    found = repeat(EachSample(each), 3)(tensor)
    np.testing.assert_allclose(found.detach().numpy(), one_by_one(each, u, 3), rtol=0, atol=1e-13)
    weights = torch.from_numpy(np.random.default_rng(1).standard_normal(u.shape))
    (slope,) = torch.autograd.grad((weights * found).sum(), tensor)
    for i, stepper in enumerate(each):
        alone = torch.from_numpy(u[i : i + 1]).requires_grad_()
        (expected,) = torch.autograd.grad((weights[i] * repeat(stepper, 3)(alone)).sum(), alone)
        torch.testing.assert_close(slope[i : i + 1], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", ["real", "sources of their own"])
@pytest.mark.parametrize("compiled", [False, True])
def test_every_thread_takes_the_factors_of_its_samples(case, compiled, monkeypatch):
    monkeypatch.setattr("opforge.solvers.stepping.exponential._WORTH_A_THREAD", 1)
    each, u = steppers(case, compiled=compiled), state(case)
    for threads in (2, 3):
        with planning(threads=threads):
            found = repeat(EachSample(each), 7)(u)
        np.testing.assert_allclose(found, one_by_one(each, u, 7), rtol=0, atol=1e-13)


@pytest.mark.parametrize("case", ["real", "sources of their own"])
@pytest.mark.parametrize("bytes_at_once", [1, 2000])
def test_what_does_not_fit_the_caches_is_worked_on_in_blocks(case, bytes_at_once, monkeypatch):
    each, u = steppers(case), state(case)
    together = EachSample(each)
    whole = repeat(together, 7)(u)
    monkeypatch.setattr("opforge.solvers.stepping._own_linear._BLOCK", bytes_at_once)
    np.testing.assert_allclose(repeat(together, 7)(u), whole, rtol=0, atol=1e-13)


def test_samples_with_the_same_stepper_share_transforms_if_they_are_of_like_size():
    each, u = steppers("real"), state("real")
    both, twice = [*each, *each], np.concatenate([u, 0.9 * u])
    together = EachSample(both)
    (inner,) = together.prepare(twice)
    assert sorted(zip(inner.order[::2], inner.order[1::2], strict=True)) == [(0, 3), (1, 6), (2, 7), (4, 9), (5, 8)]
    np.testing.assert_allclose(repeat(together, 7)(twice), one_by_one(both, twice, 7), rtol=0, atol=1e-13)
    twice = twice.astype(np.float32)
    twice[6] *= np.float32(1e-5)
    (inner,) = together.prepare(twice)
    assert sorted(zip(inner.order[::2], inner.order[1::2], strict=True)) == [
        *((0, 3), (1, 1), (2, 7), (4, 9), (5, 8), (6, 6)),
    ]
    found, expected = repeat(together, 7)(twice), one_by_one(both, twice, 7)
    errors = np.abs(found - expected).max((1, 2)) / np.abs(expected).max((1, 2))
    assert np.all(errors < 3e-6), errors


def test_what_differs_in_more_is_not_joined():
    first = ETDRK4(Burgers(1, 0.1), LINE, 0.02)
    assert joined([first, ETDRK4(Burgers(1, 0.2), LINE, 0.02)]) is not None
    for other in (
        ETDRK4(Burgers(1, 0.2), Grid((48,), (9.0,), "periodic"), 0.02),
        ETDRK4(Burgers(1, 0.2), LINE, 0.03),
        ETDRK4(Burgers(1, 0.2), LINE, 0.02, compiled=True),
        ETDRK4(KortewegDeVries(dispersion=0.1), LINE, 0.02),
    ):
        assert joined([first, other]) is None
    rates = [ETDRK4(Fisher(1, 0.1, rate), LINE, 0.02) for rate in (1.0, 2.0)]  # rates multiply N
    assert joined(rates) is None
    u = state("real")[:2]
    np.testing.assert_array_equal(EachSample(rates)(u), one_by_one(rates, u, 1))


def test_steppers_in_common_are_shared_as_before():
    stepper = ETDRK4(Burgers(1, 0.1), LINE, 0.02)
    u = state("real")
    np.testing.assert_array_equal(EachSample([stepper] * 5)(u), stepper(u))


def test_a_sample_that_blows_up_is_named_alone():
    each = [ETDRK4(Burgers(1, nu), LINE, 0.2) for nu in (0.1, 0.2, 0.3, 0.4)]
    u = state("real")[:4]
    u[2] *= 1e4
    with pytest.raises(BlowUp) as caught:
        rollout(EachSample(each), u, frames=2, steps=10, checked=False)
    assert caught.value.samples == [2]
