"""Fast transforms: exact on boxes of every boundary, bounded by the contrast, around obstacles."""

import itertools

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.solvers import Stencil, cg, fast_transforms
from tests.solvers.preconditioners.test_geometric_multigrid import discs, smooth

ENDS = ["dirichlet", "neumann", "periodic", ("neumann", "dirichlet"), ("dirichlet", "neumann")]


@pytest.mark.parametrize("boundary", list(itertools.product(ENDS, ENDS)))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_exact_where_nothing_stands_in_the_way(boundary, dtype):
    A = Stencil(Grid((9, 8), (1.0, 3.0)), boundary, a=np.full((9, 8), 2.5), dtype=dtype)
    r = torch.randn(2, 9, 8, dtype=dtype, generator=torch.Generator().manual_seed(0))
    if A.floats:
        r = r - r.mean((1, 2), keepdim=True)
    precision = 1e-11 if dtype == torch.float64 else 1e-4
    torch.testing.assert_close(A(fast_transforms(A)(r)), r, rtol=0, atol=precision)


def test_exact_with_a_reaction_in_three_dimensions_each_of_a_batch():
    grid = Grid((5, 6, 4))
    level = np.array([1.0, 7.0]).reshape(2, 1, 1, 1) * np.ones(grid.shape)
    A = Stencil(grid, ["periodic", "neumann", ("neumann", "dirichlet")], a=level, c=3 * level**2)
    r = torch.randn(2, 5, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(A(fast_transforms(A)(r)), r, rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", ["contrast", "obstacles"])
def test_iterations_hardly_grow_with_the_grid(name):
    counts = []
    for n in (32, 128):
        grid = Grid((n, n))
        options = {"a": np.where(smooth(grid) > 0, 9.0, 1.0)} if name == "contrast" else {"solid": discs(grid)}
        A = Stencil(grid, **options)
        b = torch.randn(1, n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        counts.append(cg(A, b, rtol=1e-8, M=fast_transforms(A)).iterations)
    # Chebyshev's bound at a condition of 9: 2 (1/2)^k < 1e-8 times the root of norms' ratio
    assert min(counts) >= 10 and max(counts) <= 34 and counts[1] <= 1.3 * counts[0]
