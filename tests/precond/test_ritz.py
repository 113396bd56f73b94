"""Ritz vectors: those of the Krylov space, eigenvectors where that is the whole space; combinations of norm 1."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.precond.ritz import ritz_combinations, ritz_vectors
from opforge.solvers import Stencil


def batch_of_two() -> Stencil:
    solid = np.zeros((2, 6, 5))
    solid[0, 2:4, 1:3] = 1
    return Stencil(Grid((6, 5), (6.0, 5.0)), ("dirichlet", ("neumann", "dirichlet")), solid=solid)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def dense(A: Stencil, size: int, which: int) -> torch.Tensor:
    unit = torch.eye(size, dtype=torch.float64).reshape(size, 1, *A.space).expand(-1, 2, *A.space)
    return torch.stack([A(u) for u in unit])[:, which].reshape(size, size)


def test_all_of_them_are_the_eigenvectors_of_each_operator():
    A = batch_of_two()
    fluid = A.fluid.flatten(1)
    for which in (0, 1):
        size = int(fluid[which].sum())  # obstacles have one eigenvalue many times, which a Krylov space has once
        values, vectors = ritz_vectors(A, noise(2, 6, 5) * A.fluid, size)
        matrix = dense(A, 30, which)
        exact = torch.linalg.eigvalsh(matrix[fluid[which] > 0][:, fluid[which] > 0])
        torch.testing.assert_close(values[which], exact, rtol=1e-9, atol=0)
        V = vectors[which].flatten(1)
        torch.testing.assert_close(V @ matrix, values[which][:, None] * V, rtol=0, atol=1e-7)


def test_some_of_them_are_orthonormal_and_diagonalise_the_operator():
    A = Stencil(Grid((24, 31), (24.0, 31.0)), "neumann")
    values, vectors = ritz_vectors(A, noise(3, 24, 31), 60)
    V, AV = vectors.flatten(2), A(vectors.flatten(0, 1)).reshape(3, 60, -1)
    eye = torch.eye(60, dtype=torch.float64).expand(3, 60, 60)
    torch.testing.assert_close(V @ V.mT, eye, rtol=0, atol=1e-12)
    torch.testing.assert_close(V @ AV.mT, torch.diag_embed(values), rtol=0, atol=1e-11)
    left = torch.linalg.vector_norm(AV - values[..., None] * V, dim=2)
    assert bool((values.diff(dim=1) > 0).all()) and left[:, 0].max() < 0.1 and left[:, -1].max() < 0.1


def test_where_the_krylov_space_ends_early_vectors_stay_orthonormal():
    mode = torch.sin(torch.pi * (torch.arange(8, dtype=torch.float64) + 0.5) / 8)
    A = Stencil(Grid((8, 8), (8.0, 8.0)))
    values, vectors = ritz_vectors(A, torch.outer(mode, mode)[None], 5)
    V = vectors.flatten(2)[0]
    torch.testing.assert_close(V @ V.T, torch.eye(5, dtype=torch.float64), rtol=0, atol=1e-12)
    exact = torch.tensor(8 * np.sin(np.pi / 16) ** 2)
    torch.testing.assert_close((values[0] - exact).abs().min(), torch.zeros((), dtype=torch.float64), rtol=0, atol=1e-9)


def test_combinations_have_norm_1_and_more_of_low_frequencies():
    vectors = torch.eye(40, dtype=torch.float64).expand(500, 40, 40)
    b = ritz_combinations(vectors, torch.Generator().manual_seed(1))
    torch.testing.assert_close(torch.linalg.vector_norm(b, dim=1), torch.ones(500, dtype=torch.float64))
    low, high = (b[:, part].square().mean() for part in (slice(0, 10), slice(30, 40)))
    assert 2 < low / high < 30


def test_the_same_generator_gives_the_same():
    vectors = noise(2, 5, 4, 4)
    one, other = (ritz_combinations(vectors, torch.Generator().manual_seed(7)) for _ in range(2))
    torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("count", [0, 31])
def test_count_out_of_range(count):
    with pytest.raises(InputError, match="count must be from 1 to the number of unknowns, 30"):
        ritz_vectors(batch_of_two(), noise(2, 6, 5), count)


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_start_without_direction(value):
    with pytest.raises(InputError, match="start must be finite and not 0"):
        ritz_vectors(batch_of_two(), torch.full((2, 6, 5), value, dtype=torch.float64), 3)
