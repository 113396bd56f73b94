"""Systems of the benchmark: unseen ones, and pressure systems of smoke."""

import numpy as np
import pytest
import torch

from opforge.benchmarks import _precond_systems as systems
from opforge.benchmarks._precond_systems import SMOKE, random_problem, smoke_problem
from opforge.core import Grid
from opforge.precond import random_system
from opforge.solvers import amg, cg, geometric_multigrid


def test_random_systems_are_those_of_the_test_split():
    system = random_problem("contrast 100", 2, 24, 40)
    torch.testing.assert_close(system.A.a, random_system("contrast 100", Grid((24, 24)), 40, split="test").a)
    assert not torch.equal(system.A.a, random_system("contrast 100", Grid((24, 24)), 40, split="train").a)
    assert system.names == {"cells": "24x24", "family": "contrast 100", "right_side": "random", "seed": 40}


def test_the_residual_is_that_of_the_matrix():
    system = random_problem("obstacles", 2, 20, 41)
    x = np.random.default_rng(0).standard_normal(400)
    expected = np.linalg.norm(system.flat - system.matrix @ x) / np.linalg.norm(system.flat)
    assert system.residual(x) == pytest.approx(expected, rel=1e-12)
    assert system.residual(torch.from_numpy(x).reshape(1, 20, 20)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.filterwarnings("ignore:A takes constants to 0")
@pytest.mark.parametrize(("ndim", "n"), [(2, 20), (3, 16)])
def test_smoke_gives_a_pressure_system_that_is_solved(ndim, n):
    pytest.importorskip("numba")
    system = smoke_problem(ndim, n, 40)
    assert (system.family, system.b.shape) == (SMOKE, (1, *(n,) * ndim))
    # nothing flows through walls, and obstacles have no divergence
    assert abs(float(system.b.sum())) < 1e-10 * float(system.b.abs().sum())
    assert system.A.fluid is not None and float((system.b * (1 - system.A.fluid)).abs().max()) == 0.0
    found = cg(system.A, system.b, rtol=1e-8, M=geometric_multigrid(system.A))
    assert 5 <= found.iterations <= 15 and system.residual(found.x) <= 1e-8
    held = cg(system.matrix, system.flat, rtol=1e-8, M=amg(system.matrix))
    assert 5 <= held.iterations <= 15 and system.residual(held.x) <= 1e-8
    # the same but for constants: of no influence in the definite matrix, where the cell that is held has 0
    difference = torch.from_numpy(held.x).reshape(found.x.shape) - found.x
    assert float(system.A(difference).norm()) <= 3e-8 * float(system.b.norm())


def test_smoke_on_a_finer_grid_goes_on_from_the_same_flow():
    x, y = np.meshgrid(np.arange(6.0), np.arange(6.0), indexing="ij")
    state = np.stack([3 * x - y, x + 2 * y])[None]
    finer = systems._finer(state, 12)
    assert finer.shape == (1, 2, 12, 12)
    means = finer.reshape(1, 2, 6, 2, 6, 2).mean((3, 5))
    np.testing.assert_allclose(means[..., 1:-1, 1:-1], state[..., 1:-1, 1:-1], rtol=1e-12)
    np.testing.assert_allclose(
        np.diff(finer[0, :, 1:-1, 1:-1], axis=1), np.broadcast_to([[[1.5]], [[0.5]]], (2, 9, 10))
    )
