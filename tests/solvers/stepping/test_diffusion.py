"""Steppers of diffusion: eigenfunctions, semigroup, numpy and torch, gradients, what is refused."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.solvers import CrankNicolson, ExactDiffusion, repeat
from opforge.solvers.stepping.diffusion import eigenvalues, from_modes, to_modes

BOUNDARIES = ["neumann", "dirichlet", "periodic"]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(9,), (8, 7), (4, 5, 6)])
def test_modes_and_back(boundary, shape):
    grid, u = Grid(shape), np.random.default_rng(0).standard_normal((2, *shape))
    modes = to_modes(u, grid, boundary)
    assert eigenvalues(grid, boundary).shape == modes.shape[1:]
    np.testing.assert_allclose(from_modes(modes, grid, boundary), u, rtol=0, atol=1e-13)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_two_steps_are_one_of_twice_the_time(boundary):
    grid, u = Grid((8, 9), (1.0, 2.0)), np.random.default_rng(0).standard_normal((3, 2, 8, 9))
    rates = np.array([0.1, 0.3])
    step = ExactDiffusion(grid, rates, 0.05, boundary)
    np.testing.assert_allclose(step(step(u)), ExactDiffusion(grid, rates, 0.1, boundary)(u), rtol=0, atol=1e-13)
    tensors = step(torch.from_numpy(u))
    np.testing.assert_allclose(tensors.numpy(), step(u), rtol=0, atol=1e-13)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_gradients(boundary):
    step = ExactDiffusion(Grid((4, 5)), 0.1, 0.05, boundary)
    u = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 1, 4, 5))).requires_grad_()
    assert torch.autograd.gradcheck(step, u)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_crank_nicolson_is_its_definition(boundary):
    from opforge.pdes._finite_volumes import assemble

    grid, rng = Grid((5, 6)), np.random.default_rng(0)
    a, u, f = rng.uniform(0.5, 2, (5, 6)), rng.standard_normal((3, 1, 5, 6)), rng.standard_normal((5, 6))
    A = assemble(a, grid.spacing, boundary).toarray()
    np.testing.assert_allclose(A, A.T, atol=1e-12)
    eye = np.eye(30)
    expected = np.linalg.solve(eye + 0.01 * A, (eye - 0.01 * A) @ u.reshape(3, 30).T + 0.02 * f.reshape(30, 1)).T
    found = CrankNicolson(grid, a, 0.02, boundary, source=f)(u)
    np.testing.assert_allclose(found.reshape(3, 30), expected, rtol=0, atol=1e-12)


def test_what_is_refused():
    grid = Grid((4,))
    with pytest.raises(InputError, match="boundary must be one of dirichlet, neumann, periodic, got 'open'"):
        ExactDiffusion(grid, 0.1, 0.1, "open")
    with pytest.raises(InputError, match="diffusivity must be at least 0 and dt greater than 0"):
        ExactDiffusion(grid, -0.1, 0.1)
    with pytest.raises(InputError, match=r"a must be positive and of the grid's shape \(4,\)"):
        CrankNicolson(grid, np.zeros(4), 0.1)
    with pytest.raises(InputError, match="dt must be a time greater than 0"):
        CrankNicolson(grid, np.ones(4), 0.0)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_diffusivities_of_their_own_for_samples(boundary):
    grid, u = Grid((8, 9)), np.random.default_rng(0).standard_normal((2, 1, 8, 9))
    found = ExactDiffusion(grid, np.array([[0.1], [0.3]]), 0.05, boundary)(u)
    for i, a in enumerate((0.1, 0.3)):
        alone = ExactDiffusion(grid, a, 0.05, boundary)(u[i : i + 1])
        np.testing.assert_allclose(found[i : i + 1], alone, rtol=0, atol=1e-13)


# a, a', and a shape with the boundary's conditions: u, u', u''
MANUFACTURED = {
    "neumann": (
        (lambda x: 1 + x / 2, lambda x: 0.5 + 0 * x),
        (lambda x: np.cos(np.pi * x), lambda x: -np.pi * np.sin(np.pi * x), lambda x: -(np.pi**2) * np.cos(np.pi * x)),
    ),
    "dirichlet": (
        (lambda x: 1 + x / 2, lambda x: 0.5 + 0 * x),
        (lambda x: np.sin(np.pi * x), lambda x: np.pi * np.cos(np.pi * x), lambda x: -(np.pi**2) * np.sin(np.pi * x)),
    ),
    "periodic": (
        (lambda x: 1 + 0.3 * np.sin(2 * np.pi * x), lambda x: 0.6 * np.pi * np.cos(2 * np.pi * x)),
        (
            lambda x: np.cos(2 * np.pi * x),
            lambda x: -2 * np.pi * np.sin(2 * np.pi * x),
            lambda x: -4 * np.pi**2 * np.cos(2 * np.pi * x),
        ),
    ),
}


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_sources_that_change_are_of_order_2_in_space_and_time(boundary):
    """u = φ(x) (1 + sin 3t) with f = 3 φ cos 3t − (a φ')' (1 + sin 3t), steps and spacings halved together."""
    (a, slope), (phi, first, second) = MANUFACTURED[boundary]
    errors = []
    for n in (16, 32, 64):
        grid, dt = Grid((n,)), 0.5 / n
        x = grid.coordinates()[0]
        flow, shape = a(x) * second(x) + slope(x) * first(x), phi(x)

        def source(t, flow=flow, shape=shape):
            return 3 * np.cos(3 * t) * shape - (1 + np.sin(3 * t)) * flow

        step = CrankNicolson(grid, a(x), dt, boundary, source=source, start=0.3)
        u = repeat(step, 2 * n)((1 + np.sin(0.9)) * shape[None, None])[0, 0]
        errors.append(np.sqrt(np.mean((u - (1 + np.sin(3 * 1.3)) * shape) ** 2)))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all((orders > 1.9) & (orders < 2.1)), (errors, orders)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_sources_that_change_are_of_order_2_in_time(boundary):
    """In two dimensions with a random coefficient, against the solution of the finite volumes' own equation."""
    from opforge.pdes._finite_volumes import assemble

    grid, rng = Grid((6, 5)), np.random.default_rng(0)
    a, shape = rng.uniform(0.5, 2, (6, 5)), rng.standard_normal((6, 5))
    flow = -(assemble(a, grid.spacing, boundary) @ shape.ravel()).reshape(6, 5)
    errors = []
    for steps in (40, 80, 160):
        step = CrankNicolson(
            grid, a, 1 / steps, boundary, source=lambda t: 3 * np.cos(3 * t) * shape - (1 + np.sin(3 * t)) * flow
        )
        u = repeat(step, steps)(shape[None, None])[0, 0]
        errors.append(np.abs(u - (1 + np.sin(3)) * shape).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all((orders > 1.9) & (orders < 2.1)), (errors, orders)


def test_steps_begin_at_their_start():
    """Two runs one after the other are one, if the second starts where the first ends."""
    grid, a, u = Grid((6,)), np.ones(6), np.arange(6.0)[None, None]

    def step(start):
        return CrankNicolson(grid, a, 0.1, source=lambda t: np.full(6, np.sin(t)), start=start)

    np.testing.assert_allclose(repeat(step(0.3), 3)(repeat(step(0.0), 3)(u)), repeat(step(0.0), 6)(u), atol=1e-14)
    with pytest.raises(
        InputError, match=r"source must be finite and of the grid's shape \(6,\), got shape \(5,\) at time 0"
    ):
        CrankNicolson(grid, a, 0.1, source=lambda t: np.zeros(5))
    with pytest.raises(InputError, match="start must be a finite time"):
        CrankNicolson(grid, a, 0.1, start=np.inf)
