"""Burgers' equation by finite volumes: numpy and torch, gradients, monotone, what is refused."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Burgers
from opforge.solvers import ETDRK4, BurgersFV, repeat

GRID, SQUARE = Grid((12,), points="periodic"), Grid((12, 12), points="periodic")


def run(equation, grid, state, time, courant=0.4):
    """The state after a time, by steps of a fraction of the limit."""
    speed = sum(np.abs(state).max() / h + 2 * equation.viscosity / h**2 for h in grid.spacing)
    steps = int(np.ceil(time * speed / courant))
    return repeat(BurgersFV(equation, grid, time / steps), steps)(state)


def waves(n):
    grid = Grid.cube(2, n, points="periodic")
    x, y = (2 * np.pi * c for c in grid.mesh())
    return grid, np.stack([np.sin(x + y + 1) + 0.5 * np.cos(y), np.sin(x) - np.cos(x - y + 0.3)])[None]


def test_numpy_torch_and_gradients():
    u = np.random.default_rng(0).standard_normal((2, 1, 12))
    stepper = BurgersFV(Burgers(viscosity=0.01), GRID, 0.01)
    tensors = torch.from_numpy(u).requires_grad_()
    np.testing.assert_allclose(stepper(tensors).detach().numpy(), stepper(u), rtol=0, atol=1e-13)
    assert torch.autograd.gradcheck(stepper, tensors)


def test_nothing_overshoots_and_the_mean_stays():
    u = np.where(np.arange(12) < 6, 1.0, -1.0)[None, None]
    end = repeat(BurgersFV(Burgers(viscosity=0.0), GRID, 0.02), 40)(u)
    assert end.min() >= -1 - 1e-12 and end.max() <= 1 + 1e-12
    assert abs(end.mean()) < 1e-14


def test_what_is_refused():
    with pytest.raises(InputError, match=r"dt must be at most 0\.0138888, the time"):  # 1 / (2 · 3 · 12)
        BurgersFV(Burgers(2, 0.0), SQUARE, 0.1)(np.full((1, 2, 12, 12), 3.0))
    with pytest.raises(InputError, match=r"dt must be at most 0\.0277777, the time"):
        BurgersFV(Burgers(viscosity=0.0), GRID, 0.1)(np.full((1, 1, 12), 3.0))
    with pytest.raises(InputError, match="dt must be a time greater than 0"):
        BurgersFV(Burgers(), GRID, -0.1)


def test_two_dimensions_have_gradients_too():
    u = np.random.default_rng(0).standard_normal((1, 2, 6, 6))
    stepper = BurgersFV(Burgers(2, 0.01), Grid.cube(2, 6, points="periodic"), 0.01)
    tensors = torch.from_numpy(u).requires_grad_()
    np.testing.assert_allclose(stepper(tensors).detach().numpy(), stepper(u), rtol=0, atol=1e-13)
    assert torch.autograd.gradcheck(stepper, tensors)


@pytest.mark.parametrize("ndim", [1, 2])
def test_gradients_in_single_precision(ndim):
    grid = Grid.cube(ndim, 16, points="periodic")
    phase = sum(2 * np.pi * x * (i + 1) for i, x in enumerate(grid.mesh()))
    smooth = np.stack([np.sin(phase + 0.3 + i) for i in range(ndim)])[None]
    found = []
    for dtype in (torch.float64, torch.float32):
        u = torch.from_numpy(smooth).to(dtype).requires_grad_()
        end = repeat(BurgersFV(Burgers(ndim, 0.01), grid, 0.005), 4)(u)
        assert end.dtype == dtype
        (gradient,) = torch.autograd.grad((end**2).sum(), u)
        assert gradient.isfinite().all()
        found.append(gradient.double())
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-4)


def test_order_in_two_dimensions_against_fourier_modes():
    grid, start = waves(96)
    exact = repeat(ETDRK4(Burgers(2, 0.02), grid, 0.002), 75)(start)
    errors = []
    for n in (24, 48, 96):
        found = run(Burgers(2, 0.02), *waves(n), 0.15)
        errors.append(np.abs(found - exact[..., :: 96 // n, :: 96 // n]).mean())
    orders = np.log2(errors[:-1]) - np.log2(errors[1:])
    print("orders", orders)
    assert np.all((orders > 1.7) & (orders < 2.3))


def test_data_along_one_axis_are_solved_as_in_one_dimension():
    u = np.random.default_rng(0).standard_normal(12)
    line = run(Burgers(1, 0.0), GRID, u[None, None], 0.1, 0.2)[0, 0]
    along_x = np.stack([np.repeat(u[:, None], 12, 1), np.zeros((12, 12))])[None]
    found = run(Burgers(2, 0.0), SQUARE, along_x, 0.1)[0]
    np.testing.assert_allclose(found[0], np.repeat(line[:, None], 12, 1), rtol=0, atol=1e-13)
    assert np.abs(found[1]).max() == 0
    turned = run(Burgers(2, 0.0), SQUARE, along_x.swapaxes(-1, -2)[:, ::-1], 0.1)[0]
    np.testing.assert_array_equal(turned[::-1].swapaxes(-1, -2), found)


@pytest.mark.parametrize("direction", [(1, 0), (1, 1), (2, -1)])
def test_planar_shocks_move_with_the_mean_of_the_normal_velocities(direction):
    """Without viscosity, a fan and a shock; the velocity along the front is a linear function of that across."""
    errors, time, normal = [], 0.1, np.array(direction) / np.hypot(*direction)
    for n in (60, 120):
        grid = Grid.cube(2, n, points="periodic")
        xi = sum(k * x for k, x in zip(direction, grid.mesh(), strict=True)) % 1
        speed = np.hypot(*direction)  # of xi, for a velocity 1 across the front
        fan = np.clip((xi - 0.1) / (time * speed), 0.5, 1.5)
        across = [np.where((xi > 0.1) & (xi < 0.4), 1.5, 0.5), np.where(xi < 0.4 + time * speed, fan, 0.5)]
        front = np.array([-normal[1], normal[0]])
        start, exact = (np.stack([normal[i] * w + front[i] * (0.2 - 0.7 * w) for i in (0, 1)])[None] for w in across)
        found = run(Burgers(2, 0.0), grid, start, time)
        errors.append(np.abs(found - exact).mean())
        for i in (0, 1):
            assert found[:, i].max() <= start[:, i].max() + 1e-13 and found[:, i].min() >= start[:, i].min() - 1e-13
    print("errors", errors)
    assert 0.8 < np.log2(errors[0] / errors[1]) < 1.25  # a shock of the wrong speed leaves an error that stays


def test_no_new_extremes_in_two_dimensions():
    start = np.random.default_rng(0).choice([-1.0, 0.3, 1.0], (4, 2, 12, 12))
    end = run(Burgers(2, 0.0), SQUARE, start, 0.2)
    assert end.max() <= 1 + 1e-13 and end.min() >= -1 - 1e-13
    assert end.std() < 0.8 * start.std()


@pytest.mark.slow
def test_without_viscosity_they_are_the_limit_of_vanishing_viscosity():
    """Curved shocks that cross: Fourier modes with ever less viscosity come as close as that is small."""
    without = run(Burgers(2, 0.0), *waves(128), 0.2)
    away = []
    for viscosity, n in ((0.02, 128), (0.01, 256)):
        grid, start = waves(n)
        found = repeat(ETDRK4(Burgers(2, viscosity), grid, 0.001), 200)(start)
        away.append(np.abs(found[..., :: n // 128, :: n // 128] - without).mean())
    print("away", away)
    assert 1.5 < away[0] / away[1] < 2.2
