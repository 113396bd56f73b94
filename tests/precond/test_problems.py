"""Families of random systems: seeds that never meet, fields that are what they say."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError, UnknownNameError
from opforge.pdes._regions import fluid_regions
from opforge.precond.problems import (
    FAMILIES,
    random_boundary,
    random_right_hand_side,
    random_system,
)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", [(48, 40), (14, 12, 16)])
def test_the_same_seed_gives_the_same_system_and_others_do_not(family, shape):
    grid = Grid(shape)
    one, again, other, train = (
        random_system(family, grid, seed, split=split)
        for seed, split in [(0, "test"), (0, "test"), (1, "test"), (0, "train")]
    )
    torch.testing.assert_close(one.diagonal, again.diagonal, rtol=0, atol=0)
    assert not torch.equal(one.diagonal, other.diagonal) and not torch.equal(one.diagonal, train.diagonal)


@pytest.mark.parametrize(("family", "ratio"), [("contrast 10", 10), ("contrast 100", 100)])
def test_contrasts(family, ratio):
    for seed in range(8):
        a = random_system(family, Grid((64, 64)), seed).a
        assert 0.9 * ratio < float(a.max() / a.min()) <= ratio * 1.0001
        assert 0.05 < float((a > ratio**0.5).double().mean()) < 0.95


def test_obstacles_leave_one_region():
    for seed in range(10):
        A = random_system("obstacles", Grid((64, 64)), seed, boundary="periodic")
        assert 0.002 < 1 - float(A.fluid.mean()) < 0.6
        solid = A.fluid.numpy() < 0.5
        assert fluid_regions(solid, (True, True))[1] == 1


def test_right_hand_sides_suit_singular_systems():
    A = random_system(["obstacles", "contrast 10"], Grid((20, 20)), 0, boundary="neumann")
    b = random_right_hand_side(A, 0)
    torch.testing.assert_close(b.sum((1, 2)), torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-11)
    assert float((b * (1 - A.fluid)).abs().max()) == 0.0 and 0.5 < float(b.std()) < 1.5


def test_boundaries_are_all_drawn():
    rng = np.random.default_rng(0)
    assert len({str(random_boundary(rng, 1)) for _ in range(60)}) == 4


def test_refusals():
    with pytest.raises(UnknownNameError, match="unknown family 'contrast 1000'; did you mean 'contrast 100'"):
        random_system("contrast 1000", Grid((8, 8)), 0)
    with pytest.raises(InputError, match="split must be 'train' or 'test', got 'validate'"):
        random_system("obstacles", Grid((8, 8)), 0, split="validate")
