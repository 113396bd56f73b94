"""Learned multigrid: positive definite whatever its weights are, few iterations with those that ship."""

import sys

import numpy as np
import pyamg
import pytest
import scipy.sparse.linalg
import torch

import opforge.precond
from opforge.core import Grid
from opforge.errors import InputError
from opforge.precond import LearnedMultigrid, load, random_system
from opforge.precond._network import MultigridNet
from opforge.precond.multigrid import cycle_of, one_of
from opforge.precond.problems import FAMILIES, random_right_hand_side
from opforge.solvers import Stencil, cg, geometric_multigrid, symmetry_error

MIXED = ["periodic", ("neumann", "dirichlet"), "dirichlet"]
BOUNDARIES = {"dirichlet": ["dirichlet"] * 3, "neumann": ["neumann"] * 3, "periodic": ["periodic"] * 3, "mixed": MIXED}
SMALL = [(13, 18), (21, 11), (5, 7, 6), (8, 6, 5)]


def random_net(ndim, seed=0):
    """Weights far from any that training gives."""
    generator = torch.Generator().manual_seed(seed)
    net = MultigridNet(ndim=ndim)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(2 * torch.randn(parameter.shape, generator=generator))
    return net


def system(shape, boundary, families=("obstacles", "contrast 10", "contrast 100")):
    return random_system(list(families), Grid(shape), 0, boundary=BOUNDARIES[boundary][: len(shape)])


def dense(M, A):
    """Matrices (batch, cells, cells) of a function of fields."""
    batch, cells = A.diagonal.shape[0], A.grid.size
    unit = torch.eye(cells, dtype=torch.float64).reshape(cells, 1, *A.space).expand(-1, batch, *A.space)
    return torch.stack([M(e) for e in unit]).reshape(cells, batch, cells).permute(1, 2, 0)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", SMALL)
@pytest.mark.parametrize("weights", ["random", "classical"])
def test_symmetric_and_positive_definite_whatever_the_weights(shape, boundary, weights):
    A, ndim = system(shape, boundary), len(shape)
    nets = [random_net(ndim, seed) for seed in range(3)] if weights == "random" else [MultigridNet(ndim=ndim)]
    for net in nets:
        with torch.no_grad():
            M = dense(cycle_of(A, net.double(), torch.float64), A)
        torch.testing.assert_close(M, M.mT, rtol=0, atol=1e-13 * float(M.abs().max()))
        values = torch.linalg.eigvalsh((M + M.mT) / 2)
        assert 1e-7 < float((values[:, 0] / values[:, -1]).min()) < 0.5
        # sweeps and corrections of too small a matrix would overshoot: the eigenvalues of M A say how far
        assert 0.3 < float(torch.linalg.eigvals(M @ dense(A, A)).real.amax()) < 60


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("shape", [(40, 33), (12, 9, 15)])
def test_linear(shape, compiled):
    if compiled:
        pytest.importorskip("numba")
    A = system(shape, "mixed", ["contrast 100"])
    M = load(f"multigrid_{len(shape)}d").on(A, compiled=compiled)
    x, y = torch.randn(2, 1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(M(3 * x - y), 3 * M(x) - M(y), rtol=0, atol=2e-6 * float(M(x).abs().max()))
    torch.testing.assert_close(M(1e-200 * x), 1e-200 * M(x), rtol=0, atol=2e-6 * 1e-200 * float(M(x).abs().max()))
    assert float(M(0 * x).abs().max()) == 0.0
    assert 1e-10 < symmetry_error(M, x) < 1e-5


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(40, 64), (33, 51), (300, 250), (12, 9, 15), (16, 10, 14), (44, 40, 42)])
def test_compiled_passes_give_the_same_numbers(shape, boundary):
    pytest.importorskip("numba")
    A, learned = system(shape, boundary), LearnedMultigrid(load(f"multigrid_{len(shape)}d").net)
    plain, fast = learned.on(A, compiled=False), learned.on(A, compiled=True)
    r = random_right_hand_side(A, 0)
    torch.testing.assert_close(fast(r), plain(r), rtol=0, atol=5e-5 * float(plain(r).abs().max()))
    torch.testing.assert_close(fast.operator(r), A(r), rtol=0, atol=1e-12 * float(A(r).abs().max()))
    assert fast.levels == plain.levels


@pytest.mark.filterwarnings("ignore:A takes constants to 0")
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(64, 64), (181, 130), (20, 26, 17), (32, 32, 32)])
def test_iterations(shape, boundary):
    """To 1e-8, on regions and coefficients that it was not trained on."""
    A = system(shape, boundary, [*FAMILIES, "contrast 100", "contrast 100"])
    result = cg(A, random_right_hand_side(A, 1), rtol=1e-8, M=load(f"multigrid_{len(shape)}d").on(A))
    assert result.converged
    assert min(result.iterations_each) >= 6 and max(result.iterations_each) <= 15, result.iterations_each


@pytest.mark.parametrize("ndim", [2, 3])
def test_learning_helps_where_coefficients_jump(ndim):
    """Fewer iterations than the same cycle without the network has, which has fewer than geometric multigrid."""
    shape = (96, 96) if ndim == 2 else (28, 28, 28)
    counts = {"geometric": 0, "untrained": 0, "learned": 0}
    for seed in range(2):
        A = random_system(["contrast 100"] * 6, Grid(shape), 10 + seed)
        b = random_right_hand_side(A, seed)
        preconditioners = {
            "geometric": geometric_multigrid(A, dtype=torch.float32),
            "untrained": LearnedMultigrid(MultigridNet(ndim=ndim)).on(A),
            "learned": load(f"multigrid_{ndim}d").on(A),
        }
        for name, M in preconditioners.items():
            counts[name] += sum(cg(A, b, rtol=1e-8, M=M).iterations_each)
    assert 60 < counts["learned"] < 0.97 * counts["untrained"] < 0.97 * counts["geometric"], counts


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", [(256, 256), (512, 512), (1024, 1024), (64, 64, 64), (96, 96, 96)])
def test_large_grids(shape, family):
    for seed in range(3):
        A = random_system(family, Grid(shape), 20 + seed)
        result = cg(A, random_right_hand_side(A, seed), rtol=1e-8, M=load(f"multigrid_{len(shape)}d").on(A))
        assert 6 <= result.iterations <= 15


@pytest.mark.parametrize("compiled", [False, True])
def test_a_batch_is_solved_as_each_alone(compiled):
    if compiled:
        pytest.importorskip("numba")
    A, learned = system((40, 33), "mixed"), load("multigrid_2d")
    r = random_right_hand_side(A, 0)
    together = learned.on(A, compiled=compiled)(r)
    for number in range(3):
        alone = learned.on(one_of(A, number), compiled=compiled)(r[number])
        torch.testing.assert_close(together[number], alone, rtol=0, atol=2e-5 * float(alone.abs().max()))


@pytest.mark.parametrize("compiled", [False, True])
def test_one_matrix_many_right_hand_sides(compiled):
    if compiled:
        pytest.importorskip("numba")
    A = random_system("contrast 10", Grid((50, 40)), 3)
    M = load("multigrid_2d").on(A, compiled=compiled)
    r = torch.randn(3, 50, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(M(r)[1], M(r[1]), rtol=0, atol=1e-6 * float(M(r).abs().max()))
    np.testing.assert_allclose(
        M(r[1].numpy().ravel()), M(r[1]).numpy().ravel(), rtol=0, atol=1e-6 * float(M(r).abs().max())
    )


@pytest.mark.parametrize("compiled", [False, True])
def test_plugs_into_cg_of_scipy_and_pyamg(compiled):
    if compiled:
        pytest.importorskip("numba")
    A = random_system("contrast 100", Grid((60, 70)), 5)
    matrix, b = A.matrix(), np.random.default_rng(0).standard_normal(4200)
    M = load("multigrid_2d").aspreconditioner(matrix, grid=A.grid, compiled=compiled)
    counts = {}
    for name, solve in [("scipy", scipy.sparse.linalg.cg), ("pyamg", pyamg.krylov.cg)]:
        seen = []
        tolerance = {"rtol": 1e-8} if name == "scipy" else {"tol": 1e-8}
        x, info = solve(matrix, b, M=M, callback=seen.append, **tolerance)
        assert info == 0 and np.linalg.norm(b - matrix @ x) < 1e-7 * np.linalg.norm(b)
        counts[name] = len(seen)
    assert all(6 <= count <= 15 for count in counts.values()), counts


def test_fluid_and_obstacles_stay_apart():
    """A correction that leaked through a wall would not converge fast: two rooms with a door between them."""
    grid = Grid((64, 64))
    solid = np.zeros(grid.shape, bool)
    solid[31:33] = True
    solid[31:33, 40] = False
    A = Stencil(grid, "neumann", solid=solid, c=np.full(grid.shape, 1e-3))
    assert 6 <= cg(A, random_right_hand_side(A, 0), rtol=1e-8, M=load("multigrid_2d").on(A)).iterations <= 16


@pytest.mark.parametrize("shape", [(256, 16), (150, 2), (1, 40), (3, 3), (2, 2)])
def test_boxes_of_any_shape(shape):
    A = Stencil(Grid(shape))
    for compiled in {False, "numba" in sys.modules}:
        M = load("multigrid_2d").on(A, compiled=compiled)
        assert 1 <= cg(A, random_right_hand_side(A, 0), rtol=1e-8, M=M).iterations <= 11


@pytest.mark.filterwarnings("ignore:A takes constants to 0")
def test_a_singular_system_is_solved_on_the_quotient():
    A = random_system("obstacles", Grid((50, 50)), 4, boundary="neumann")
    assert A.floats
    result = cg(A, random_right_hand_side(A, 0), rtol=1e-8, M=load("multigrid_2d").on(A))
    assert result.converged and 6 <= result.iterations <= 12


def test_refusals():
    learned, flat = load("multigrid_2d"), Stencil(Grid((16, 16)))
    with pytest.raises(InputError, match=r"A must have 2 dimensions, .* got 3; load one for 3 dimensions"):
        learned.on(Stencil(Grid((8, 8, 8))))
    with pytest.raises(InputError, match=r"boundary of A must be of dirichlet, .* got neumann; load or train another"):
        LearnedMultigrid(learned.net, ("dirichlet",)).on(Stencil(Grid((8, 8)), "neumann"))
    with pytest.raises(InputError, match=r"grid must say where the unknowns of a matrix are"):
        learned.on(flat.matrix())
    wrong = Stencil(Grid((16, 16)))
    wrong.faces[0][3, 3] = torch.nan
    with pytest.raises(InputError, match=r"A must have finite coefficients"):
        learned.on(wrong)
    with pytest.raises(InputError, match=r"compiled must be False for a stencil on meta"):
        elsewhere = Stencil(Grid((16, 16)))
        elsewhere.device = "meta"
        learned.on(elsewhere, compiled=True)
    with pytest.raises(InputError, match=r"solid must leave some cells of fluid"):
        learned.on(Stencil(Grid((8, 8)), solid=np.ones((8, 8))))


def test_without_numba(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    for name in ("_numba", "_compiled_cycle", "_compiled_setup", "_fast_cycle", "_fast_setup"):
        monkeypatch.delitem(sys.modules, f"opforge.precond.{name}", raising=False)
        monkeypatch.delattr(opforge.precond, name, raising=False)
    with pytest.raises(ImportError, match=r"compiled cycles need numba: pip install 'opforge\[compiled\]'"):
        load("multigrid_2d").on(Stencil(Grid((16, 16))), compiled=True)
