"""The pressure around obstacles: its matrix, preconditioners, solutions, what is refused."""

import numpy as np
import pyamg
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError, WorkError
from opforge.pdes import IncompressibleFlow, Poisson
from opforge.pdes import _staggered as staggered
from opforge.pdes._pressure import EachPressure, floating_regions
from opforge.precond import load
from opforge.solvers import PressureSolver, dcdm, fcg, pressure_stencil, pressure_system, transform_preconditioner

GRID = Grid((8, 7), (1.0, 2.0))
BOUNDARIES = ["walls", "channel", "stream", "periodic"]


def obstacle():
    solid = np.zeros((8, 7), bool)
    solid[3:6, 2:5] = True
    solid[4, 3] = False  # fluid inside
    return solid


def box_of(boundary):
    return IncompressibleFlow(boundary=boundary, inflow=1.0 if boundary == "stream" else 0.0).box


def source(boundary, seed=0):
    """The divergence of a random flow through open faces."""
    rng, box, bodies = (
        np.random.default_rng(seed),
        box_of(boundary),
        staggered.Bodies.of(obstacle() * 1.0, box_of(boundary)),
    )
    flow = [staggered.without_wall(rng.standard_normal((2, 8, 7)), i - 2, box) * bodies.open[i] for i in range(2)]
    return staggered.divergence(flow, GRID, box.at_rest())


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_matrix_is_minus_the_divergence_of_the_gradient_and_positive_definite(boundary):
    A = pressure_system(obstacle(), GRID, boundary)
    box = box_of(boundary)
    bodies = staggered.Bodies.of(obstacle() * 1.0, box)
    p = np.random.default_rng(0).standard_normal((8, 7)) * ~obstacle()
    slopes = [g * faces for g, faces in zip(staggered.gradient(p, GRID, box), bodies.open, strict=True)]
    left = (A @ p.ravel()).reshape(8, 7) + staggered.divergence(slopes, GRID, box.at_rest())
    held = np.abs(left) > 1e-10
    # one cell of each region that floats: the fluid around, unless a stream holds it, and that inside
    assert held.sum() == (1 if boundary == "stream" else 2) and held[4, 3]
    np.testing.assert_array_equal(A.toarray(), A.toarray().T)
    assert np.linalg.eigvalsh(A.toarray())[0] > 0


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_without_obstacles_its_eigenvalues_are_those_of_the_transforms(boundary):
    A = pressure_system(np.zeros((8, 7)), GRID, boundary).toarray()
    if boundary != "stream":
        A[0, 0] -= sum(2 / h**2 for h in GRID.spacing)
    expected = staggered.eigenvalues(GRID, box_of(boundary))
    found = np.linalg.eigvalsh(A)
    assert np.abs(expected.ravel()[:, None] - found).min(1).max() < 1e-10 * found[-1]


def test_in_a_closed_box_it_is_that_of_poissons_equation():
    ours = pressure_system(obstacle(), GRID)
    theirs = Poisson(2, "neumann").operator({"solid": obstacle() * 1.0}, GRID)
    np.testing.assert_allclose(ours.toarray(), theirs.toarray(), rtol=1e-14)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_any_preconditioner_and_sparse_factors_give_the_same_gradients(boundary):
    seen = []
    A = pressure_system(obstacle(), GRID, boundary)
    box, b = box_of(boundary), source(boundary)
    bodies = staggered.Bodies.of(obstacle() * 1.0, box)
    multigrid = pyamg.ruge_stuben_solver(A, max_coarse=10).aspreconditioner()
    solvers = [
        EachPressure(obstacle()[None], GRID, box),
        *(
            PressureSolver(obstacle(), GRID, M, lambda b, x: seen.append((b, x)), boundary)
            for M in (None, np.diag(1 / A.diagonal()), multigrid, lambda r: r / A.diagonal())
        ),
    ]
    expected, *others = (
        np.stack([g * faces for g, faces in zip(staggered.gradient(solve(b), GRID, box), bodies.open, strict=True)])
        for solve in solvers
    )
    np.testing.assert_allclose(staggered.divergence(list(expected), GRID, box.at_rest()), b, rtol=0, atol=1e-10)
    for found in others:
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7 * np.abs(expected).max())
    assert len(seen) == 8
    for right, x in seen:
        assert np.linalg.norm(A @ x - right) < 1e-8 * np.linalg.norm(right)


@pytest.mark.parametrize("boundary", ["walls", "stream"])
def test_the_transforms_are_a_symmetric_positive_preconditioner(boundary):
    M = transform_preconditioner(obstacle(), GRID, boundary)
    dense = M.matmat(np.eye(56))
    np.testing.assert_allclose(dense, dense.T, rtol=0, atol=1e-14)
    assert np.linalg.eigvalsh(dense)[0] > 0


@pytest.mark.parametrize("boundary", [*BOUNDARIES, "free slip"])
def test_the_stencil_is_the_matrix_less_what_holds_it(boundary):
    A, stencil = pressure_system(obstacle(), GRID, boundary), pressure_stencil(obstacle(), GRID, boundary)
    held = (A - stencil.matrix()).toarray()
    assert np.abs(held - np.diag(held.diagonal())).max() == 0
    regions = floating_regions(obstacle(), GRID, box_of(boundary)).ravel()
    for number in range(1, regions.max() + 1):
        assert (held.diagonal()[regions == number] > 0).sum() == 1
    assert (held.diagonal()[regions == 0] == 0).all()
    assert stencil.floats == (boundary != "stream")


@pytest.mark.parametrize("boundary", ["walls", "channel", "stream"])
@pytest.mark.parametrize(("name", "method"), [("multigrid_2d", None), ("dcdm_2d", dcdm), ("dcdm_2d", fcg)])
def test_learned_preconditioners_solve_it(boundary, name, method):
    grid = Grid((24, 20), (1.2, 1.0))
    x, y = grid.mesh()
    solid = (x - 0.5) ** 2 + (y - 0.4) ** 2 < 0.03
    box = box_of(boundary)
    bodies = staggered.Bodies.of(solid * 1.0, box)
    rng = np.random.default_rng(3)
    flow = [staggered.without_wall(rng.standard_normal(grid.shape), i - 2, box) * bodies.open[i] for i in range(2)]
    b = staggered.divergence(flow, grid, box.at_rest())
    options = {} if method is None else {"method": method}
    solver = PressureSolver(solid, grid, load(name), boundary=boundary, rtol=1e-10, **options)
    expected, found = PressureSolver(solid, grid, boundary=boundary, rtol=1e-12)(b), solver(b)
    for g, e, faces in zip(
        staggered.gradient(found, grid, box), staggered.gradient(expected, grid, box), bodies.open, strict=True
    ):
        np.testing.assert_allclose(g * faces, e * faces, rtol=0, atol=1e-8 * np.abs(e).max())
    assert 3 <= solver.last.iterations <= 14


def test_learned_preconditioners_solve_for_enclosed_fluid_too():
    for boundary in BOUNDARIES:
        b = source(boundary)
        expected = PressureSolver(obstacle(), GRID, boundary=boundary, rtol=1e-12)(b)
        found = PressureSolver(obstacle(), GRID, load("multigrid_2d"), boundary=boundary)(b)
        noise = PressureSolver(obstacle(), GRID, load("multigrid_2d"), boundary=boundary).of_divergence
        assert np.abs(noise(1e-17 * np.ones((8, 7)))).max() < 1e-15
        off = staggered.gradient(found - expected, GRID, box_of(boundary).at_rest())
        faces = staggered.Bodies.of(obstacle() * 1.0, box_of(boundary)).open
        assert max(np.abs(g * f).max() for g, f in zip(off, faces, strict=True)) < 1e-7 * np.abs(b).max()


def test_few_iterations_whatever_the_grid():
    counts = []
    for n in (32, 96):
        grid = Grid((n, n))
        x, y = grid.mesh()
        solid = (x - 0.4) ** 2 + (y - 0.6) ** 2 < 0.04
        solver = PressureSolver(solid, grid)
        flow = [staggered.without_wall(np.sin(7 * x * y) * ~solid, i - 2, box_of("walls")) for i in range(2)]
        faces = staggered.Bodies.of(solid * 1.0, box_of("walls")).open
        solver(staggered.divergence([u * f for u, f in zip(flow, faces, strict=True)], grid, box_of("walls")))
        counts.append(solver.last.iterations)
    assert max(counts) < 30


def test_gradients_are_those_of_a_symmetric_map():
    solver = PressureSolver(obstacle(), GRID, boundary="stream")
    b = torch.from_numpy(source("stream")[0]).requires_grad_()
    assert torch.autograd.gradcheck(solver.of_divergence, b, eps=1e-3, atol=1e-6)


@pytest.mark.parametrize("boundary", ["walls", "channel", "periodic"])
def test_sources_that_no_flow_has_are_refused(boundary):
    solver, right = PressureSolver(obstacle(), GRID, boundary=boundary), source(boundary)
    solver(right)  # sums of divergences are rounding
    solver(torch.from_numpy(right).float())
    for cell, region in (((0, 0), 47), ((4, 3), 1)):  # each region counts, and every sample
        wrong = right.copy()
        wrong[(1, *cell)] += 0.5
        with pytest.raises(InputError, match=f"source must have the sum 0 .* got 0.5 in a region of {region} cells"):
            solver(wrong)
        with pytest.raises(InputError, match=r"tolerance is .*; subtract the region's mean"):
            solver(torch.from_numpy(wrong))
    right[0, 1, 1] = np.nan
    with pytest.raises(InputError, match="source must be finite"):
        solver(right)
    found = solver.of_divergence(right)
    assert np.isnan(found[0]).all() and np.isfinite(found[1]).all()
    with pytest.raises(InputError, match="source must be an array"):
        solver(np.zeros((7, 8)))


def test_what_a_stream_may_take_along_has_any_sum():
    right = source("stream")
    right[:, 0, 0] += 0.5
    assert np.isfinite(PressureSolver(obstacle(), GRID, boundary="stream")(right)).all()
    right[:, 4, 3] += 0.5  # but not what the obstacle encloses
    with pytest.raises(InputError, match=r"got 0\.5 in a region of 1 cells"):
        PressureSolver(obstacle(), GRID, boundary="stream")(right)


def test_what_is_refused():
    with pytest.raises(InputError, match="solid must leave some cells of fluid"):
        pressure_system(np.ones((8, 7)), GRID)
    with pytest.raises(InputError, match=r"solid must have the grid's shape \(8, 7\), got \(7, 8\)"):
        pressure_system(np.zeros((7, 8)), GRID)
    for value in (np.nan, 0.5, -1.0):
        with pytest.raises(InputError, match=f"solid must hold 1 in obstacles and 0 elsewhere.*got {value}"):
            PressureSolver(np.full((8, 7), value), GRID)
    with pytest.raises(InputError, match="boundary must be one of"):
        pressure_system(np.zeros((8, 7)), GRID, "pipe")
    with pytest.raises(InputError, match=r"preconditioner must be a function, or an operator of shape \(56, 56\)"):
        PressureSolver(obstacle(), GRID, np.eye(3))
    with pytest.raises(WorkError, match="take another preconditioner"):
        PressureSolver(obstacle(), GRID, lambda r: np.random.default_rng(0).standard_normal(56))(source("walls"))
