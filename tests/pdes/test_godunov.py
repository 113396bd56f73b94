"""Finite volumes: ghosts, limited slopes, fluxes."""

import numpy as np
import pytest
import torch

from opforge.errors import InputError
from opforge.pdes._godunov import around, balance, faces, fastest, hll, padded


def test_ghosts():
    u = np.arange(1.0, 5.0)
    assert padded(u, -1, "periodic").tolist() == [3, 4, 1, 2, 3, 4, 1, 2]
    assert padded(u, -1, "outflow").tolist() == [1, 1, 1, 2, 3, 4, 4, 4]
    assert padded(u, -1, "walls").tolist() == [2, 1, 1, 2, 3, 4, 4, 3]
    assert padded(u, -1, "walls", odd=True).tolist() == [-2, -1, 1, 2, 3, 4, -4, -3]
    assert torch.equal(padded(torch.from_numpy(u), -1, "walls"), torch.from_numpy(padded(u, -1, "walls")))


def test_slopes_are_exact_for_lines_and_0_at_extremes():
    left, right = faces(np.arange(8.0), -1)
    np.testing.assert_allclose(left, np.arange(1.5, 6), atol=1e-15)
    np.testing.assert_allclose(right, left, atol=1e-15)
    left, right = faces(np.array([0.0, 0, 1, 0, 0, 0]), -1)
    assert left.max() == 1.0 and right.max() == 1.0 and left.min() == 0.0


def test_fluxes_balance():
    np.testing.assert_allclose(balance([np.array([1.0, 3.0, 2.0])], -1, 0.5)[0], [-4.0, 2.0])


def test_hll_takes_the_side_that_the_waves_come_from():
    q, f = ([np.array([1.0])], [np.array([2.0])]), ([np.array([5.0])], [np.array([7.0])])
    assert hll(*q, *f, np.array([1.0]), np.array([2.0]))[0] == 5.0
    assert hll(*q, *f, np.array([-2.0]), np.array([-1.0]))[0] == 7.0
    assert hll(*q, *f, np.array([-1.0]), np.array([1.0]))[0] == (5 + 7 - 1) / 2


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
def test_fastest(make):
    speeds = [make(np.array([1.0, 2.0])), make(np.array([3.0, 1.0]))]
    assert fastest(lambda axis: speeds[axis], (0.5, 1.0)) == 5.0


def test_slopes_are_dropped_where_they_are_not_kept():
    u = np.arange(8.0)
    left, right = faces(u, -1, np.array([1.0, 1, 1, 0, 1, 1, 1, 1]))
    np.testing.assert_allclose(left, [1.5, 2.5, 3.0, 4.5, 5.5], atol=1e-15)
    np.testing.assert_allclose(right, [1.5, 3.0, 3.5, 4.5, 5.5], atol=1e-15)


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
def test_cells_and_their_neighbours(make):
    marked = np.zeros((4, 5))
    marked[0, 1] = 1
    beside = {(0, 0), (0, 1), (0, 2), (1, 1)}  # those that share a face
    for walls, more in (("walls", set()), ("periodic", {(3, 1)})):
        found = np.asarray(around(make(marked), 2, walls))
        assert {tuple(map(int, cell)) for cell in np.argwhere(found == 1)} == beside | more
        assert set(np.unique(found)) == {0.0, 1.0}


def test_grids_of_fewer_cells_than_ghosts():
    with pytest.raises(InputError, match="grid must have at least 2 cells per axis for finite volumes, got 1"):
        padded(np.ones((3, 1)), -1, "walls")
