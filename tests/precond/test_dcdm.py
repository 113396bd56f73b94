"""Networks of conjugate directions: their symmetries, any grid and boundary, what they refuse, the shipped weights."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import opforge.precond
from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Poisson
from opforge.precond import ConjugateDirections, load
from opforge.precond._dcdm_regions import random_boundary, random_solid
from opforge.precond._neighbours import gathered, neighbours
from opforge.precond._smoother import Smoother
from opforge.solvers import SingularWarning, Stencil, cg, dcdm, fcg

WALLS = (("dirichlet", "neumann"), ("neumann", "dirichlet"))


def network(ndim: int = 2, seed: int = 0) -> ConjugateDirections:
    """Random weights, gates among them, far from the start of a training."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = ConjugateDirections(ndim, 6, 5)
        with torch.no_grad():
            for smoother in (net.pre, net.post):
                smoother.gate.weight.normal_(0, 0.1)
                smoother.narrow.normal_(0, 0.02)
    return net


def unit_grid(*shape: int) -> Grid:
    return Grid(shape, tuple(n / max(shape) for n in shape))


def region(*shape: int, boundary="dirichlet", seed: int = 0) -> Stencil:
    grid = unit_grid(*shape)
    A = Stencil(grid, boundary)
    return Stencil(grid, boundary, solid=random_solid(np.random.default_rng(seed), grid, A.boundary))


def noise(A: Stencil, batch: int = 1, seed: int = 0) -> torch.Tensor:
    b = torch.randn(batch, *A.space, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return b if A.fluid is None else b * A.fluid


# --- what the function is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ndim", "shape"), [(2, (33, 20)), (3, (9, 12, 7))])
def test_longer_residuals_give_longer_directions(ndim, shape):
    A = region(*shape)
    f, r = network(ndim).on(A), noise(A, 2)
    for factor in (3.7, 1e-120, 1e90):
        torch.testing.assert_close(f(factor * r) / factor, f(r), rtol=1e-4, atol=1e-6 * float(f(r).abs().max()))


def test_it_is_neither_odd_nor_linear():
    A = region(24, 24)
    f, r, s = network().on(A), noise(A), noise(A, seed=1)
    size = f(r).abs().max()
    assert (f(-r) + f(r)).abs().max() > 1e-3 * size
    assert (f(r + s) - f(r) - f(s)).abs().max() > 1e-3 * size


def test_each_residual_of_a_batch_by_itself_in_its_own_region():
    grid, rng = unit_grid(21, 16), np.random.default_rng(3)
    solids = [random_solid(rng, grid, WALLS) for _ in range(3)]
    r, net = noise(Stencil(grid, WALLS), 3), network()
    together = net.on(Stencil(grid, WALLS, solid=np.stack(solids)))(r)
    for i, solid in enumerate(solids):
        alone = net.on(Stencil(grid, WALLS, solid=solid))(r[i : i + 1])
        torch.testing.assert_close(alone[0], together[i], rtol=1e-4, atol=1e-6)


def test_what_flows_around_a_periodic_box_may_start_anywhere():
    # of a number of cells that stays even on every level: joined cells are the same after a shift by 8
    grid, rng = unit_grid(32, 32), np.random.default_rng(1)
    solid = random_solid(rng, grid, (("periodic",) * 2,) * 2)
    assert 0.02 < solid.mean() < 0.6
    A, moved = (Stencil(grid, "periodic", solid=np.roll(s, k, (0, 1))) for s, k in ((solid, 0), (solid, (8, 8))))
    r, net = noise(A), network()
    torch.testing.assert_close(
        net.on(moved)(r.roll((8, 8), (1, 2))), net.on(A)(r).roll((8, 8), (1, 2)), rtol=1e-3, atol=1e-5
    )


def test_obstacles_are_solved_and_seen():
    A = region(24, 24, seed=2)
    solid = A.fluid == 0
    assert solid.any()
    f, r = network().on(A), torch.ones(1, 24, 24, dtype=torch.float64)
    inside = f(r)[0][solid]
    scale = 24**2  # in the units of the network conductances are 1
    torch.testing.assert_close(inside, scale / A.diagonal[solid], rtol=1e-5, atol=0)
    free = network().on(Stencil(A.grid))(r)
    assert (free - f(r))[0][~solid].abs().max() > 1e-2 * f(r).abs().max()


def test_kinds_and_shapes():
    A = region(16, 12)
    f, r = network().on(A), noise(A, 2)
    expected = f(r)
    np.testing.assert_allclose(f(r.numpy()), expected, rtol=1e-6)
    torch.testing.assert_close(f(r[0]), expected[0], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(f(r[1].numpy().ravel()), expected[1].ravel(), rtol=1e-4, atol=1e-6)
    assert f(r.float()).dtype == torch.float32 and f(r).dtype == torch.float64
    assert f(torch.zeros_like(r)).abs().max() == 0
    assert not f(r).requires_grad


def test_directions_for_an_operator_do_not_change_it_or_later_ones():
    A = region(20, 20)
    before = [k.clone() for k in (*A.faces, A.diagonal)]
    net, r = network(), noise(A)
    first = net.on(A)(r)
    net.on(region(28, 20))
    torch.testing.assert_close(net.on(A)(r), first, rtol=0, atol=0)
    for k, now in zip(before, (*A.faces, A.diagonal), strict=True):
        torch.testing.assert_close(now, k, rtol=0, atol=0)


def test_units_of_length_and_coefficient_do_not_matter():
    solid = np.zeros((20, 16))
    solid[5:9, 4:12] = 1
    one = Stencil(Grid((20, 16), (20.0, 16.0)), WALLS, solid=solid)
    other = Stencil(Grid((20, 16), (0.2, 0.16)), WALLS, solid=solid, a=np.full((20, 16), 7.0))
    r, net = noise(one), network()
    torch.testing.assert_close(net.on(other)(r), net.on(one)(r), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("wrapped", [(False, False), (True, False), (True, True), (False, True, False)])
def test_neighbours_and_gathered_are_adjoint_and_a_convolution(wrapped):
    ndim, generator = len(wrapped), torch.Generator().manual_seed(0)
    space = (5, 4, 6)[:ndim]
    x = torch.randn(2, 1, *space, dtype=torch.float64, generator=generator)
    y = torch.randn(2, 3**ndim, *space, dtype=torch.float64, generator=generator)
    torch.testing.assert_close((neighbours(x, wrapped) * y).sum(), (x * gathered(y, wrapped)).sum())
    if not any(wrapped):
        kernel = torch.randn(1, 1, *(3,) * ndim, dtype=torch.float64, generator=generator)
        products = (neighbours(x, wrapped) * kernel.reshape(-1, *(1,) * ndim)).sum(1, keepdim=True)
        torch.testing.assert_close(products, torch.nn.functional.conv2d(x, kernel, padding=1))


def test_gradients_are_those_of_differences():
    A = region(14, 13)
    net = network().double()
    assert len(net.levels(A)) == 2
    r = noise(A)
    parameters = [net.pre.widen, net.post.narrow, net.look.weight, net.pre.gate.bias]

    def f(*_):
        return net(r, net.region(A))

    assert torch.autograd.gradcheck(f, parameters, eps=1e-6, atol=1e-5, fast_mode=True)


def test_without_and_with_gradients_it_is_the_same():
    A = region(17, 22, boundary=("periodic", WALLS[0]))
    net, r = network(), noise(A).float()
    with torch.no_grad():
        plain = net(r, net.region(A))
    torch.testing.assert_close(net(r, net.region(A)).detach(), plain, rtol=1e-5, atol=1e-6)


def test_a_smoother_starts_as_a_sweep_of_jacobi():
    A = Stencil(unit_grid(16, 16))
    net = ConjugateDirections(2)
    with torch.no_grad():
        level = net.levels(A)[0]
        level.to(torch.float32)
        gates = net.pre.gates(torch.randn(1, 16, 16, 16), level)
        r = torch.randn(1, 1, 16, 16)
        torch.testing.assert_close(net.pre(r, gates, level.wrapped), 0.8 * r / level.diagonal)
    assert isinstance(net.pre, Smoother)


def test_gates_have_bounds_where_cells_are_ever_thinner():
    # 2^k + 1 cells: the last one is alone on every level, and its conductance to the wall doubles from level to level
    found = []
    for n in (9, 17, 33, 65, 129, 257):
        A, net = Stencil(unit_grid(n, n)), network()
        levels = net.levels(A, 40)
        assert levels[-2].diagonal.max() > n / 5
        found.append(
            max(
                g.abs().max().item()
                for pair in net.region(A, 40).gates
                for gate in pair
                for g in (gate.before, gate.after)
            )
        )
    np.testing.assert_allclose(found[1:], found[1], rtol=0.2)


# --- in the solver ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(64, 64), (37, 53), (5, 90), (1, 40), (2, 2), (13, 9, 17), (32, 8, 8)])
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic"])
def test_any_grid_and_boundary(shape, boundary):
    A = region(*shape, boundary=boundary)
    b = noise(A)
    if A.floats:
        fluid = torch.ones(A.space) if A.fluid is None else A.fluid
        b = b - (b * fluid).sum() / fluid.sum() * fluid
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularWarning)
        result = dcdm(A, b, rtol=1e-8, M=ConjugateDirections(len(shape)).on(A))
    assert result.converged and result.iterations <= 40
    left = b - A(result.x)
    assert left.norm() <= 1.01e-8 * b.norm()


def test_directions_are_conjugate_to_two_earlier_ones():
    A = region(40, 40)
    b, xs = noise(A), []
    dcdm(A, b, rtol=1e-9, M=network().on(A), callback=lambda x: xs.append(x.clone()))
    steps = torch.stack([x for x in [torch.zeros_like(b), *xs]])[:, 0].diff(dim=0)
    products = torch.einsum("ixy,jxy->ij", steps, A(steps))
    lengths = products.diagonal().sqrt()
    cosines = products / lengths[:, None] / lengths[None]
    assert len(steps) > 5
    for lag in (1, 2):
        assert cosines.diagonal(lag).abs().max() < 1e-8
    assert cosines.diagonal(3).abs().max() > 1e-6


def test_scipy_matrices_take_it_as_vectors():
    grid = Grid((24, 24))
    matrix = Poisson(2).operator({}, grid)
    A = Stencil.of_matrix(matrix, grid)
    b = noise(A)[0].numpy().ravel()
    result = fcg(matrix, b, rtol=1e-8, M=ConjugateDirections(2).on(A))
    assert result.converged and result.iterations <= 20
    np.testing.assert_allclose(matrix @ result.x, b, rtol=0, atol=1e-7 * np.abs(b).max())


# --- what it refuses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("A", "said"),
    [
        (np.eye(4), "A must be a Stencil, from which the network reads the region, got ndarray"),
        (Stencil(unit_grid(8, 8, 8)), "A must have 2 axes, which the network is trained for, got 3"),
        (Stencil(unit_grid(8, 8), ["periodic", "dirichlet"]), "trained with, dirichlet, neumann, got periodic"),
        (Stencil(Grid((8, 16), (1.0, 1.0))), "A must have cells that are cubes"),
        (Stencil(unit_grid(8, 8), a=1 + np.arange(64.0).reshape(8, 8)), "A must have a constant coefficient"),
        (Stencil(unit_grid(8, 8), c=np.full((8, 8), 50.0)), "A must have a constant coefficient and no reaction"),
    ],
)
def test_operators_of_another_kind(A, said):
    net = ConjugateDirections(2, boundaries=("dirichlet", "neumann"))
    with pytest.raises(InputError, match=said):
        net.on(A)


def test_bad_residuals():
    f = network().on(region(16, 16))
    r = torch.ones(2, 16, 16)
    r[1, 3, 3] = torch.nan
    assert not f(r)[1].isfinite().any()
    torch.testing.assert_close(f(r)[0], f(torch.ones(2, 16, 16))[0])  # the other system goes on
    with pytest.raises(InputError, match=r"r must have the shape \(256,\) or \(batch, \*\(16, 16\)\), got \(2, 8, 9\)"):
        f(torch.ones(2, 8, 9))
    with pytest.raises(InputError, match="b must be finite"):
        dcdm(region(16, 16), r.double(), M=f)


def test_it_is_no_linear_operator():
    with pytest.raises(InputError, match="M must be linear for scipy's methods"):
        network().on(region(8, 8)).aspreconditioner()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"ndim": 1}, "ndim must be 2 or 3, got 1"),
        ({"ndim": 2, "channels": 0}, "channels must be at least 1, got 0"),
        ({"ndim": 2, "region_channels": 0}, "region_channels must be at least 1"),
        ({"ndim": 2, "boundaries": "dirichlet"}, "boundaries must be some of"),
        ({"ndim": 2, "boundaries": ["robin"]}, "boundaries must be some of"),
        ({"ndim": 2, "boundaries": []}, "boundaries must be some of"),
    ],
)
def test_constructor_refuses(arguments, said):
    with pytest.raises(InputError, match=said):
        ConjugateDirections(**arguments)


# --- regions, files, shipped weights ------------------------------------------------------------------------------


def test_random_boundaries_are_of_the_allowed_kinds():
    rng = np.random.default_rng(0)
    for kinds in (("dirichlet",), ("periodic",), ("neumann", "dirichlet"), ("dirichlet", "neumann", "periodic")):
        found = {kind for _ in range(200) for ends in random_boundary(rng, 3, kinds) for kind in ends}
        assert found == set(kinds)


def test_a_network_comes_back_from_its_files(tmp_path):
    net, A = network(), region(14, 14)
    net.save(tmp_path / "deep" / "net", seed=3)
    again = load(tmp_path / "deep" / "net")
    assert again.describe() == net.describe()
    assert json.loads((tmp_path / "deep" / "net.json").read_text())["seed"] == 3
    torch.testing.assert_close(again.on(A)(noise(A)), net.on(A)(noise(A)), rtol=0, atol=0)


PRETRAINED = Path(opforge.precond.__file__).parent / "pretrained"


SHAPES = [
    ("dcdm_2d", (128, 128)),
    ("dcdm_2d", (129, 129)),
    ("dcdm_2d", (97, 141)),
    ("dcdm_2d", (193, 40)),
    ("dcdm_3d", (32, 32, 32)),
    ("dcdm_3d", (33, 29, 17)),
]


@pytest.mark.parametrize(("name", "shape"), SHAPES)
@pytest.mark.parametrize("boundary", ["dirichlet", "chimney"])
def test_shipped_weights_need_few_iterations_in_unseen_regions(name, shape, boundary):
    if boundary == "chimney":
        boundary = [*["neumann"] * (len(shape) - 1), ("neumann", "dirichlet")]
    A = region(*shape, boundary=boundary, seed=10**6)
    b = noise(A)
    deep, plain = dcdm(A, b, rtol=1e-4, M=load(name).on(A)), cg(A, b, rtol=1e-4)
    assert deep.converged and 2 <= deep.iterations <= plain.iterations / 8


def test_shipped_weights_find_their_way_between_walls():
    n, walls = 128, np.zeros((128, 128), bool)
    for number, x in enumerate(range(8, n - 4, 8)):
        walls[x, (10 if number % 2 else 0) : (n if number % 2 else n - 10)] = True
    A = Stencil(Grid.cube(2, n), ["neumann", ("neumann", "dirichlet")], solid=walls)
    result = dcdm(A, noise(A), rtol=1e-4, M=load("dcdm_2d").on(A))
    assert result.converged and 2 <= result.iterations <= 20


def test_shipped_weights_are_small():
    files = list(PRETRAINED.glob("dcdm_*.safetensors"))
    assert len(files) == 2
    assert all(1e3 < file.stat().st_size < 2e5 for file in files)
