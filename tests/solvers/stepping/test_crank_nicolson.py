"""Crank and Nicolson's steps: definition, order, numpy and torch, gradients, what is refused."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.solvers import CrankNicolson, repeat

BOUNDARIES = ["neumann", "dirichlet", "periodic"]


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


def problem(boundary, kind=torch.float64):
    """A stepper of (a, f), and the state, a and f, which ask for gradients; f changes with time."""
    grid, rng = Grid((3, 4), (1.0, 1.5)), np.random.default_rng(0)
    u, a, f = rng.standard_normal((2, 1, 3, 4)), rng.uniform(0.5, 2, (3, 4)), rng.standard_normal((3, 4))

    def stepper(a, f):
        return CrankNicolson(grid, a, 0.07, boundary, source=lambda t: f * (1 + t), start=0.2)

    return stepper, [torch.from_numpy(x).to(kind).requires_grad_() for x in (u, a, f)]


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_gradients_flow_to_the_state_the_coefficient_and_the_source(boundary):
    stepper, given = problem(boundary)
    assert torch.autograd.gradcheck(lambda u, a, f: repeat(stepper(a, f), 3)(u), given)
    assert torch.autograd.gradgradcheck(lambda u, a, f: repeat(stepper(a, f), 2)(u), given)


@pytest.mark.parametrize("asking", range(3))
def test_gradients_of_one_of_them_alone(asking):
    stepper, given = problem("neumann")
    whole = torch.autograd.grad(repeat(stepper(*given[1:]), 2)(given[0]).square().sum(), given)
    mine = [x.detach().requires_grad_(i == asking) for i, x in enumerate(given)]
    (alone,) = torch.autograd.grad(repeat(stepper(*mine[1:]), 2)(mine[0]).square().sum(), mine[asking])
    torch.testing.assert_close(alone, whole[asking], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_tensors_are_stepped_like_arrays_and_keep_their_precision(boundary, kind):
    stepper, given = problem(boundary, kind)
    u, a, f = (x.detach() for x in given)
    found, expected = repeat(stepper(a, f), 5)(u), repeat(stepper(a.numpy(), f.numpy()), 5)(u.numpy())
    assert found.dtype == kind
    assert found.numpy().dtype == expected.dtype
    rounding = torch.finfo(kind).eps
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=8 * rounding)
    exact = repeat(stepper(a.double().numpy(), f.double().numpy()), 5)(u.double().numpy())
    np.testing.assert_allclose(expected, exact, rtol=0, atol=rounding)  # the state is rounded once, at the end


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch can use")
def test_on_another_device():
    stepper, given = problem("neumann", torch.float32)
    there = [x.detach().cuda().requires_grad_() for x in given]
    found = repeat(stepper(*there[1:]), 3)(there[0])
    assert (found.device.type, found.dtype) == ("cuda", torch.float32)
    torch.testing.assert_close(found.cpu(), repeat(stepper(*given[1:]), 3)(given[0]))
    for x in torch.autograd.grad(found.sum(), there):
        assert x.device.type == "cuda"


def test_what_is_refused():
    grid, bad = Grid((2, 2)), np.array([[1.0, 2.0], [-0.25, 0.0]])
    with pytest.raises(
        InputError, match=r"a must be greater than 0 everywhere, its smallest value is -0\.25 at \[1, 0\]; raise it"
    ):
        CrankNicolson(grid, bad, 0.1)
    with pytest.raises(InputError, match=r"a must be greater than 0 everywhere, its smallest value is 0 at \[2\]"):
        CrankNicolson(Grid((3,)), np.array([1.0, 2.0, 0.0]), 0.1)
    with pytest.raises(InputError, match="a must be finite, got 1 values that are not"):
        CrankNicolson(grid, np.array([[1.0, np.nan], [1.0, 1.0]]), 0.1)
    with pytest.raises(InputError, match=r"a must be of the grid's shape \(2, 2\), got shape \(3,\)"):
        CrankNicolson(grid, np.ones(3), 0.1)
    with pytest.raises(InputError, match="dt must be a time greater than 0"):
        CrankNicolson(grid, np.ones((2, 2)), 0.0)
    step = CrankNicolson(grid, np.ones((2, 2)), 0.1)
    with pytest.raises(InputError, match=r"state must be an array \(..., 2, 2\), got shape \(1, 1, 4\)"):
        step(np.ones((1, 1, 4)))
    for state in (np.ones((1, 1, 2, 2), complex), torch.ones(1, 1, 2, 2, dtype=torch.complex64)):
        with pytest.raises(InputError, match="state must be real"):
            step(state)


def test_gradients_that_cannot_flow_are_told():
    stepper, (u, a, f) = problem("neumann")
    with pytest.raises(InputError, match="state must be a tensor for gradients to flow to a, got a numpy array"):
        stepper(a, f.detach())(u.detach().numpy())
    with pytest.raises(InputError, match="for gradients to flow to source"):
        stepper(a.detach(), f)(u.detach().numpy())
    with torch.no_grad():
        assert np.isfinite(stepper(a, f)(u.numpy())).all()
    step = stepper(a, f)
    with torch.no_grad():
        a *= 2
    with pytest.raises(InputError, match="a was changed after the stepper had factorised its matrix; make a new"):
        step(u)
