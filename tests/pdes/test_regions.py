"""Regions of fluid: what hangs together, round periodic axes too, and what encloses it."""

import numpy as np
import pytest

from opforge.pdes._regions import fluid_regions, with_one_region, without_pockets


def test_regions_across_periodic_sides_are_one():
    solid = np.zeros((6, 6), bool)
    solid[2], solid[4] = True, True  # rows 0, 1 and 5 meet across the side, row 3 is a pocket
    assert [fluid_regions(solid, wrapped)[1] for wrapped in ((True, False), (False, False), (False, True))] == [2, 3, 3]
    assert with_one_region(solid, (True, False)).sum() == 18
    assert with_one_region(solid, (False, False)).sum() == 24


def test_pockets_are_filled():
    solid = np.zeros((9, 9), bool)
    solid[4] = True
    held = (("dirichlet", "neumann"), ("neumann", "neumann"))
    assert without_pockets(solid, held)[4:].all() and not without_pockets(solid, held)[:4].any()
    wall = (("neumann", "neumann"),) * 2
    assert without_pockets(np.roll(solid, 1, 0), wall)[5:].all()  # the larger part stays
    around = (("periodic", "periodic"), ("neumann", "neumann"))
    np.testing.assert_array_equal(without_pockets(solid, around), solid)


@pytest.mark.parametrize("wrapped", [(False, False), (True, False), (True, True)])
def test_regions_are_those_of_a_flood(wrapped):
    """Two cells have one number just where a walk through open neighbours leads from one to the other."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        solid = rng.random((9, 8)) < 0.45
        regions, count = fluid_regions(solid, wrapped)
        assert set(np.unique(regions[~solid])) == set(range(1, count + 1)) and not regions[solid].any()
        for number in range(1, count + 1):
            reached = np.zeros_like(solid)
            reached.ravel()[np.flatnonzero(regions == number)[0]] = True
            while True:
                grown = reached.copy()
                for axis in (0, 1):
                    for step in (1, -1):
                        moved = np.roll(reached, step, axis)
                        if not wrapped[axis]:
                            np.moveaxis(moved, axis, 0)[0 if step == 1 else -1] = False
                        grown |= moved
                grown &= ~solid
                if (grown == reached).all():
                    break
                reached = grown
            np.testing.assert_array_equal(reached, regions == number)


def test_nothing_but_obstacles():
    solid = np.ones((3, 3), bool)
    assert fluid_regions(solid, (True, True))[1] == 0
    assert with_one_region(solid, (True, True)).all() and without_pockets(solid, (("dirichlet",) * 2,) * 2).all()
