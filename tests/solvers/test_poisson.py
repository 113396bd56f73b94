"""Fast solutions of Poisson's equation: against the matrix, torch, gradients, compatibility."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.datasets.random_obstacles import Obstacles
from opforge.errors import InputError
from opforge.pdes import Poisson
from opforge.solvers import fast_poisson, solve_poisson

BOUNDARIES = ["dirichlet", "neumann", "periodic"]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(9,), (8, 7), (4, 5, 6)])
def test_the_residual_is_rounding(boundary, shape):
    grid, f = Grid(shape, (1.0, 2.0, 0.5)[: len(shape)]), np.random.default_rng(0).standard_normal((2, *shape))
    f -= f.mean(tuple(range(1, f.ndim)), keepdims=True)
    u = fast_poisson(f, grid, boundary)
    assert np.abs(Poisson(len(shape), boundary).residual({"f": f, "u": u}, grid)).max() < 1e-11
    tensors = fast_poisson(torch.from_numpy(f), grid, boundary)
    np.testing.assert_allclose(tensors.numpy(), u, rtol=0, atol=1e-13)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_gradients(boundary):
    grid = Grid((4, 5))
    f = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 4, 5))).requires_grad_()
    assert torch.autograd.gradcheck(lambda f: fast_poisson(f - f.mean((-2, -1), keepdim=True), grid, boundary), f)


@pytest.mark.parametrize("boundary", ["neumann", "periodic"])
def test_a_mean_that_is_not_0_is_refused(boundary):
    with pytest.raises(InputError, match=f"f must have the mean 0 where boundary='{boundary}', got 1; subtract it"):
        fast_poisson(np.ones((4, 4)), Grid((4, 4)), boundary)


def test_obstacles_in_three_dimensions():
    grid = Grid((8, 8, 8))
    solid = np.zeros((8, 8, 8))
    solid[3:5, 3:5, 2:6] = 1
    u, residual = solve_poisson(Poisson(3), {"f": 1 - solid, "solid": solid}, grid)
    assert residual < 1e-9 and u.min() >= 0 and np.abs(u[solid > 0]).max() == 0


def random_problem(equation, grid, rng, *, coefficient, obstacles):
    """A rough source, whose mean over the fluid is 0 where u floats; a rough coefficient; bodies."""
    solid = Obstacles(2, (0.1, 0.2)).sample(rng, grid) if obstacles else np.zeros(grid.shape, bool)
    f = rng.standard_normal(grid.shape)
    if equation.floats:
        f -= f[~solid].mean()
    fields = {"f": np.where(solid, 0.0, f)}
    if coefficient:
        fields["a"] = np.exp(rng.standard_normal(grid.shape))
    return {**fields, "solid": solid.astype(float)} if obstacles else fields


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(16,), (16, 16), (8, 12), (8, 8, 8)])
@pytest.mark.parametrize(("coefficient", "obstacles"), [(False, False), (True, False), (False, True), (True, True)])
def test_symmetries_by_solving_twice(boundary, shape, coefficient, obstacles):
    equation, grid = (
        Poisson(len(shape), boundary),
        Grid(shape, (1.0, 2.0, 1.0)[: len(shape)] if shape == (8, 12) else ()),
    )
    if obstacles and grid.ndim == 1:  # they part the interval
        return
    fields = random_problem(equation, grid, np.random.default_rng(3), coefficient=coefficient, obstacles=obstacles)
    u, _ = solve_poisson(equation, fields, grid, rtol=1e-12)
    holding = [symmetry for symmetry in equation.symmetries if symmetry.applies_to(grid)]
    assert len(holding) >= grid.ndim + 1 and (shape == (8, 12)) == (len(holding) < len(equation.symmetries))
    for symmetry in holding:
        moved = symmetry({**fields, "u": u}, grid.ndim)
        expected = moved.pop("u")
        assert np.abs(expected - u).max() > 0.01 * np.abs(u).max(), symmetry.name
        again, _ = solve_poisson(equation, moved, grid, rtol=1e-12)
        np.testing.assert_allclose(again, expected, rtol=0, atol=1e-9 * np.abs(u).max(), err_msg=symmetry.name)


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_source_that_is_not_finite_is_refused(boundary, value):
    f = np.zeros((8, 8))
    f[3, 4] = value
    with pytest.raises(InputError, match="f must be finite"):
        fast_poisson(f, Grid((8, 8)), boundary)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("name", ["f", "a", "solid"])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_fields_that_are_not_finite_are_refused(boundary, name, value):
    grid = Grid((8, 8))
    fields = {"f": np.zeros((8, 8)), "a": np.ones((8, 8)), "solid": np.zeros((8, 8))}
    fields = {"f": fields["f"], name: fields[name]}
    fields[name][3, 4] = value
    with pytest.raises(InputError, match=f"field '{name}' must be finite, got NaN or infinity in 1 of 64 values"):
        solve_poisson(Poisson(2, boundary), fields, grid)


def test_what_is_no_system_is_refused():
    grid, f = Grid((12, 10)), np.ones((12, 10))
    for points in ("nodes", "periodic"):
        with pytest.raises(InputError, match="grid must have points='cells'"):
            fast_poisson(f, Grid((12, 10), points=points))
    for wrong in (np.ones((10, 12)), np.ones((0, 12, 10))):
        with pytest.raises(InputError, match=r"f must be an array \(..., 12, 10\), got shape"):
            fast_poisson(wrong, grid)
    with pytest.raises(InputError, match=r"field 'solid' must hold 1 in obstacles and 0 elsewhere, got 0.5"):
        solve_poisson(Poisson(), {"f": f, "solid": 0.5 * f}, grid)
    with pytest.raises(InputError, match=r"field 'f' must have the grid's shape .* one sample at a time"):
        solve_poisson(Poisson(), {"f": f[None]}, grid)
    with pytest.raises(InputError, match="rtol must be a number between 0 and 1, got -1"):
        solve_poisson(Poisson(), {"f": f}, grid, rtol=-1)
