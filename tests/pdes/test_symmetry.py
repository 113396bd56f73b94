import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.pdes import Reflection, Shift, Transposition

CASES = [(Reflection(axis), ndim) for ndim in (1, 2, 3) for axis in range(ndim)]
CASES += [(Transposition(0, 1), 2), (Transposition(0, 1), 3), (Transposition(0, 2), 3), (Transposition(1, 2), 3)]
SHIFTS = [(Shift(axis, parts), ndim) for ndim in (1, 2, 3) for axis in range(ndim) for parts in (2, 4, 8)]


@pytest.mark.parametrize(("symmetry", "ndim"), CASES, ids=lambda v: getattr(v, "name", v))
def test_twice_is_the_identity(symmetry, ndim):
    u = np.random.default_rng(0).standard_normal((2, 3, *(4,) * ndim))
    np.testing.assert_array_equal(symmetry(symmetry({"u": u}, ndim), ndim)["u"], u)


@pytest.mark.parametrize(("symmetry", "ndim"), SHIFTS, ids=lambda v: getattr(v, "name", v))
def test_all_parts_of_a_shift_are_the_identity(symmetry, ndim):
    u = np.random.default_rng(0).standard_normal((2, 3, *(8,) * ndim))
    moved, seen = {"u": u}, 0
    for _ in range(symmetry.parts):
        moved = symmetry(moved, ndim)
        seen += (moved["u"] != u).any()
    np.testing.assert_array_equal(moved["u"], u)
    assert seen == symmetry.parts - 1


@pytest.mark.parametrize(("symmetry", "ndim"), SHIFTS, ids=lambda v: getattr(v, "name", v))
def test_shift_moves_the_function_to_greater_coordinates(symmetry, ndim):
    grid = Grid.cube(ndim, 16, points="periodic")
    for axis, x in enumerate(grid.mesh()):
        expected = (x - 1 / symmetry.parts) % 1 if axis == symmetry.axis else x
        np.testing.assert_allclose(symmetry({"u": x}, ndim)["u"], expected, atol=1e-15)


@pytest.mark.parametrize(("symmetry", "ndim"), CASES + SHIFTS, ids=lambda v: getattr(v, "name", v))
def test_torch_and_numpy_agree(symmetry, ndim):
    u = np.random.default_rng(0).standard_normal((2, *(8,) * ndim))
    moved = symmetry({"u": torch.from_numpy(u)}, ndim)["u"]
    torch.testing.assert_close(moved, torch.from_numpy(symmetry({"u": u}, ndim)["u"].copy()), rtol=0, atol=0)


@pytest.mark.parametrize(("symmetry", "ndim"), CASES, ids=lambda v: getattr(v, "name", v))
def test_moves_the_function_not_the_array(symmetry, ndim):
    """Values move with their points: a function of x alone becomes one of the mirrored or exchanged coordinate."""
    grid = Grid.cube(ndim, 5)
    x = dict(enumerate(grid.mesh()))
    moved = {axis: symmetry({"u": values}, ndim)["u"] for axis, values in x.items()}
    for axis in range(ndim):
        if isinstance(symmetry, Reflection):
            expected = 1 - x[axis] if axis == symmetry.axis else x[axis]
        else:
            swap = {symmetry.axis1: symmetry.axis2, symmetry.axis2: symmetry.axis1}
            expected = x[swap.get(axis, axis)]
        np.testing.assert_allclose(moved[axis], expected, atol=1e-15)


def test_where_they_apply():
    assert Reflection(1).applies_to(Grid((4, 6)))
    assert not Reflection(2).applies_to(Grid((4, 6)))
    assert not Reflection(0).applies_to(Grid((4,), points="periodic"))
    assert Transposition(0, 1).applies_to(Grid((4, 4)))
    assert not Transposition(0, 1).applies_to(Grid((4, 6)))
    assert not Transposition(0, 1).applies_to(Grid((4, 4), (1.0, 2.0)))
    assert not Transposition(1, 2).applies_to(Grid((4, 4)))
    assert Shift(1, 4).applies_to(Grid((5, 8), points="periodic"))
    assert not Shift(0, 4).applies_to(Grid((6,), points="periodic"))
    assert not Shift(0, 2).applies_to(Grid((4,)))
    assert not Shift(1, 2).applies_to(Grid((4,), points="periodic"))


def test_names():
    assert Reflection(2).name == "reflection z"
    assert Transposition(0, 2).name == "transposition xz"
    assert Shift(1, 4).name == "shift y 1/4"
