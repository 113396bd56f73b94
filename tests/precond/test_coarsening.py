"""Coarse couplings: sums of squares of differences, exact where functions are linear."""

import pytest
import torch

from opforge.core import Grid
from opforge.precond._coarsening import Couplings, join, resistances
from opforge.solvers import Stencil


def couplings(A):
    return Couplings(list(A.faces), A.extra, A.wrapped)


def energy(A, u):
    """½ uᵀA u of couplings, without extra."""
    total = torch.zeros((), dtype=u.dtype)
    for axis, k in zip(range(-A.ndim, 0), A.faces, strict=True):
        inner = k.narrow(axis, 1, u.shape[axis] - 1)
        total = total + (inner * u.diff(dim=axis) ** 2).sum()
    return total


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic"])
def test_a_constant_coefficient_stays_that_of_its_grid(boundary):
    """Away from the sides, where interpolation is not linear."""
    A = couplings(Stencil(Grid((32, 32)), boundary))
    for axis in (-2, -1):
        _, A = join(A, axis, resistances)
    expected = Stencil(Grid((16, 16)), boundary)
    for axis in range(2):
        inner = (slice(None),) * 2 if boundary == "periodic" else (slice(2, -2),) * 2
        torch.testing.assert_close(A.faces[axis][inner] / 4, expected.faces[axis][inner])


def test_the_energy_of_linear_functions_is_kept():
    """Interpolated linearly, a linear function has the same energy on both grids, away from the sides."""
    grid = Grid((32, 24))
    A = couplings(Stencil(grid, "periodic"))
    _, coarse = join(A, -2, resistances)
    x, y = torch.arange(32.0).double(), torch.arange(24.0).double()
    fine = 2 * x[:, None] + 3 * y
    pairs = 2 * (2 * x[:16, None] + 0.5) + 3 * y
    one, other = A.faces[0][1:-1], coarse.faces[0][1:-1]
    torch.testing.assert_close((one * fine.diff(dim=0) ** 2).mean() * 2, (other * pairs.diff(dim=0) ** 2).mean())
    one, other = A.faces[1][:, 1:-1], coarse.faces[1][:, 1:-1]
    torch.testing.assert_close((one * fine.diff(dim=1) ** 2).mean() * 2, (other * pairs.diff(dim=1) ** 2).mean())


def test_conductances_are_not_negative_whatever_the_shares():
    generator = torch.Generator().manual_seed(0)

    def rule(A, on):
        return *(torch.rand(on.across.shape, generator=generator) for _ in range(2)), 1.0

    A = Couplings([torch.rand(14, 8), torch.rand(13, 9)], torch.rand(13, 8), (False, False))
    for axis in (-2, -1, -2):
        _, A = join(A, axis, rule)
        assert all(float(k.min()) >= 0 for k in [*A.faces, A.extra])
    assert 0 < float(energy(A, torch.randn(A.space, generator=generator))) < 1e3


def test_closed_faces_stay_closed():
    solid = torch.zeros(16, 16)
    solid[7:9] = 1
    _, coarse = join(couplings(Stencil(Grid((16, 16)), "neumann", solid=solid)), -1, resistances)
    assert float(coarse.faces[0][7:10].abs().max()) == 0.0
    assert float(coarse.faces[0][3].min()) > 0
