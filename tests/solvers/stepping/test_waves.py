"""Steppers of waves: numpy and torch, gradients, damping, media by sample, what is refused."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Wave
from opforge.solvers import ExactWave, Leapfrog, repeat

GRID = Grid((6, 5), (1.0, 2.0))


def state(samples=2):
    return np.random.default_rng(0).standard_normal((samples, 2, 6, 5))


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic"])
def test_numpy_torch_and_gradients(boundary):
    equation = Wave(2, boundary=boundary)
    for stepper in (Leapfrog(equation, GRID, 0.05), ExactWave(equation, GRID, 0.05)):
        tensors = torch.from_numpy(state()).requires_grad_()
        np.testing.assert_allclose(stepper(tensors).detach().numpy(), stepper(state()), rtol=0, atol=1e-12)
        assert torch.autograd.gradcheck(stepper, tensors)


def test_every_sample_has_its_medium():
    c = np.random.default_rng(1).uniform(0.5, 1.5, (2, 6, 5))
    together = Leapfrog(Wave(2), GRID, 0.05, c)(state())
    for i in range(2):
        alone = Leapfrog(Wave(2), GRID, 0.05, c[i : i + 1])(state()[i : i + 1])
        np.testing.assert_allclose(together[i : i + 1], alone, rtol=0, atol=1e-14)
    tensors = Leapfrog(Wave(2), GRID, 0.05, torch.from_numpy(c))(torch.from_numpy(state()))
    np.testing.assert_allclose(tensors.numpy(), together, rtol=0, atol=1e-13)


def test_damping_takes_energy():
    equation = Wave(2, damping=1.0)
    end = repeat(Leapfrog(equation, GRID, 0.02), 100)(state(1))[0]
    before, after = (equation.energy({"u": s[0], "v": s[1]}, GRID) for s in (state(1)[0], end))
    assert 0.02 < after / before < 0.5


def test_sources_of_samples_in_numpy_and_torch():
    """Steady ones, one for all, and such that change with time, whose steps begin at their start."""
    f = np.random.default_rng(1).standard_normal((2, 6, 5))

    def run(source, make=np.asarray, start=0.0, steps=6):
        return repeat(Leapfrog(Wave(2), GRID, 0.05, source=source, start=start), steps)(make(state()))

    together = run(f)
    for i in range(2):
        alone = repeat(Leapfrog(Wave(2), GRID, 0.05, source=f[i : i + 1]), 6)(state()[i : i + 1])
        np.testing.assert_allclose(together[i : i + 1], alone, rtol=0, atol=1e-14)
    np.testing.assert_allclose(run(lambda t: f), together, rtol=0, atol=0)
    for source in (f, torch.from_numpy(f), lambda t: f, lambda t: torch.from_numpy(f)):
        np.testing.assert_allclose(run(source, torch.from_numpy).numpy(), together, rtol=0, atol=1e-13)
    later = Leapfrog(Wave(2), GRID, 0.05, source=lambda t: f * t, start=0.15)
    np.testing.assert_allclose(
        repeat(later, 3)(run(lambda t: f * t, steps=3)), run(lambda t: f * t), rtol=0, atol=1e-13
    )
    assert Leapfrog(Wave(2), GRID, 0.05, source=f).recordable
    assert not later.recordable


def test_what_is_refused():
    with pytest.raises(
        InputError, match=r"source must be an array .* for 2 samples on 6x5 cells, got shape \(3, 6, 5\)"
    ):
        Leapfrog(Wave(2), GRID, 0.05, source=np.ones((3, 6, 5)))(state())
    with pytest.raises(InputError, match="start must be a finite time, got nan"):
        Leapfrog(Wave(2), GRID, 0.05, start=float("nan"))
    with pytest.raises(
        InputError, match=r"dt must be at most 0\.1538.*, where leapfrog is stable on this grid, got 0\.2"
    ):
        Leapfrog(Wave(2), Grid((6, 5), (1.0, 2.0)), 0.2)
    with pytest.raises(InputError, match="dt must be a time greater than 0"):
        Leapfrog(Wave(2), GRID, 0.0)
    with pytest.raises(InputError, match=r"damping must be 0 for the exact solution, got 1\.0; use Leapfrog"):
        ExactWave(Wave(2, damping=1.0), GRID, 0.1)


def test_a_step_beyond_the_limit_grows():
    limit = Wave(2).longest_step(GRID)
    stepper = Leapfrog(Wave(2), GRID, limit)
    assert np.abs(repeat(stepper, 300)(state(1))).max() < 1e3
    stepper.dt = 1.1 * limit
    assert np.abs(repeat(stepper, 300)(state(1))).max() > 1e6


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic"])
def test_speeds_of_their_own_for_samples(boundary):
    grid, state = Grid((8, 9)), np.random.default_rng(0).standard_normal((2, 2, 8, 9))
    found = ExactWave(Wave(boundary=boundary), grid, 0.3, np.array([0.5, 2.0]))(state)
    for i, c in enumerate((0.5, 2.0)):
        alone = ExactWave(Wave(speed=c, boundary=boundary), grid, 0.3)(state[i : i + 1])
        np.testing.assert_allclose(found[i : i + 1], alone, rtol=0, atol=1e-12)
    with pytest.raises(InputError, match="speed must be greater than 0"):
        ExactWave(Wave(), grid, 0.3, np.array([0.0, 1.0]))
