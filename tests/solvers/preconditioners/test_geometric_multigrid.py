"""Geometric multigrid: the same iterations on every grid, boundary, coefficient, around obstacles, in any precision."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from opforge.core import Grid
from opforge.errors import InputError
from opforge.solvers import Stencil, cg, fcg, geometric_multigrid, symmetry_error

BOUNDARIES = ["dirichlet", "neumann", "periodic"]


def iterations(A, rtol=1e-8, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    b = torch.randn(1, *A.space, dtype=torch.float64, generator=generator)
    fluid = torch.ones_like(b) if A.fluid is None else A.fluid.expand_as(b)
    b = b * fluid
    if A.floats:
        b = b - fluid * b.sum() / fluid.sum()
    result = cg(A, b, rtol=rtol, M=geometric_multigrid(A, **options))
    assert result.converged
    return result.iterations


def discs(grid, count=8, seed=0):
    """Obstacles that touch neither each other nor the boundary: the fluid hangs together."""
    n = round(count ** (1 / grid.ndim))
    solid, rng = np.zeros(grid.shape, bool), np.random.default_rng(seed)
    for place in np.ndindex(*(n,) * grid.ndim):
        radius = rng.uniform(0.15, 0.4) / n
        distance = sum((x - (i + 0.5) / n) ** 2 for x, i in zip(grid.mesh(), place, strict=True))
        solid |= distance < radius**2
    return solid


def smooth(grid, seed=0):
    field = gaussian_filter(np.random.default_rng(seed).standard_normal(grid.shape), grid.shape[0] / 16, mode="wrap")
    return field / field.std()


FAMILIES = {
    "constant": lambda grid: {},
    "obstacles": lambda grid: {"solid": discs(grid)},
    "contrast 10": lambda grid: {"a": 10 ** (0.5 * np.clip(smooth(grid), -1, 1))},
    "contrast 100": lambda grid: {"a": 10 ** np.clip(smooth(grid), -1, 1)},
    "jumps of 100": lambda grid: {"a": np.where(smooth(grid) > 0, 100.0, 1.0)},
}
# one iteration less than the fewest and one more than the most that were measured to 1e-8
BOUNDS = {
    "constant": (6, 9),
    "obstacles": (7, 10),
    "contrast 10": (6, 10),
    "contrast 100": (8, 14),
    "jumps of 100": (11, 22),
}


@pytest.mark.filterwarnings("ignore:A takes constants to 0")
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("name", FAMILIES)
def test_iterations_do_not_grow_with_the_grid(name, boundary):
    counts = []
    for n in (32, 97, 256):
        grid = Grid((n, n))
        counts.append(iterations(Stencil(grid, boundary, **FAMILIES[name](grid))))
    low, high = BOUNDS[name]
    assert low <= min(counts) and max(counts) <= high, counts


@pytest.mark.filterwarnings("ignore:A takes constants to 0")
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("name", FAMILIES)
def test_three_dimensions(name, boundary):
    grids = Grid((17, 17, 17)), Grid((40, 40, 40))
    counts = [iterations(Stencil(grid, boundary, **FAMILIES[name](grid))) for grid in grids]
    low, high = BOUNDS[name]
    assert low <= min(counts) and max(counts) <= high, counts


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_large_grids(name):
    for grid in (Grid((1024, 1024)), Grid((96, 96, 96))):
        assert BOUNDS[name][0] <= iterations(Stencil(grid, **FAMILIES[name](grid))) <= BOUNDS[name][1]


def test_jumps_of_ten_thousand():
    grid = Grid((96, 96))
    assert 12 <= iterations(Stencil(grid, a=np.where(smooth(grid) > 0, 1e4, 1.0))) <= 25


@pytest.mark.parametrize("shape", [(1000,), (33, 100), (256, 16), (20, 24, 60), (150, 2), (7, 150)])
def test_boxes_of_any_shape(shape):
    """Of a unit square with 256 x 16 cells, couplings differ by 256: only the strong ones are joined."""
    assert 1 <= iterations(Stencil(Grid(shape))) <= 11


def test_mixed_boundaries_and_reactions():
    grid = Grid((96, 80))
    sides = ["periodic", ("neumann", "dirichlet")]
    assert 6 <= iterations(Stencil(grid, sides, solid=discs(grid))) <= 12
    assert 1 <= iterations(Stencil(grid, "neumann", c=np.full(grid.shape, 1e4))) <= 9


def test_half_the_precision_takes_as_many_iterations():
    grid = Grid((96, 96))
    A = Stencil(grid, a=10 ** np.clip(smooth(grid), -1, 1))
    double, single = iterations(A, 1e-11), iterations(A, 1e-11, dtype=torch.float32)
    assert abs(double - single) <= 2
    M = geometric_multigrid(A, dtype=torch.float32)
    assert M.dtype == np.float32
    assert 1e-9 < symmetry_error(M, torch.ones(1, 96, 96, dtype=torch.float64)) < 1e-5


def test_batches_of_operators_are_solved_as_each_alone():
    grid = Grid((40, 33))
    a, solid = np.stack([10 ** smooth(grid, seed) for seed in range(3)]), discs(grid)
    b = torch.randn(3, 40, 33, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    together = Stencil(grid, a=a, solid=solid)
    result = cg(together, b, rtol=1e-9, M=geometric_multigrid(together))
    for number in range(3):
        A = Stencil(grid, a=a[number], solid=solid)
        alone = cg(A, b[number], rtol=1e-9, M=geometric_multigrid(A))
        assert abs(alone.iterations - result.iterations_each[number]) <= 1
        torch.testing.assert_close(result.x[number], alone.x, rtol=0, atol=1e-8)


def test_the_interpolation_is_linear_for_a_constant_coefficient():
    level = geometric_multigrid(Stencil(Grid((32,)))).levels[0]
    assert len(geometric_multigrid(Stencil(Grid((16, 16)))).levels) == 2
    coarse = torch.arange(16, dtype=torch.float64)[None]
    fine = level.prolong(coarse)[0]
    torch.testing.assert_close(fine[2:-2], (torch.arange(32) / 2 - 0.25).double()[2:-2])
    r = torch.randn(1, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close((level.restrict(r) * coarse).sum(), (r * level.prolong(coarse)).sum())


def test_every_level_has_the_operator_of_its_grid():
    """Resistances in series and side by side are those of a coarser grid, where the coefficient is constant."""
    levels = geometric_multigrid(Stencil(Grid((64, 64)))).levels
    for number, level in enumerate(levels):
        expected = Stencil(Grid((64 >> number,) * 2))
        for axis in range(2):
            torch.testing.assert_close(level.faces[axis], expected.faces[axis] * 4**number)


def test_networks_may_be_trained_through_it():
    A = Stencil(Grid((12, 12)))
    r = torch.ones(1, 12, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(geometric_multigrid(A), r)


def test_it_does_in_fcg_too():
    A, b = Stencil(Grid((64, 64))), torch.ones(64, 64, dtype=torch.float64)
    assert 5 <= fcg(A, b, rtol=1e-8, M=geometric_multigrid(A)).iterations <= 8


def test_refusals():
    with pytest.raises(InputError, match=r"dtype must be torch.float32 or torch.float64, got torch.float16"):
        geometric_multigrid(Stencil(Grid((8, 8))), dtype=torch.float16)
