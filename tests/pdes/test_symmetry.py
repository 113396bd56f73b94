import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.pdes import Reflection, Transposition

CASES = [(Reflection(axis), ndim) for ndim in (1, 2, 3) for axis in range(ndim)]
CASES += [(Transposition(0, 1), 2), (Transposition(0, 1), 3), (Transposition(0, 2), 3), (Transposition(1, 2), 3)]


@pytest.mark.parametrize(("symmetry", "ndim"), CASES, ids=lambda v: getattr(v, "name", v))
def test_twice_is_the_identity(symmetry, ndim):
    u = np.random.default_rng(0).standard_normal((2, 3, *(4,) * ndim))
    np.testing.assert_array_equal(symmetry(symmetry({"u": u}, ndim), ndim)["u"], u)


@pytest.mark.parametrize(("symmetry", "ndim"), CASES, ids=lambda v: getattr(v, "name", v))
def test_torch_and_numpy_agree(symmetry, ndim):
    u = np.random.default_rng(0).standard_normal((2, *(4,) * ndim))
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


def test_names():
    assert Reflection(2).name == "reflection z"
    assert Transposition(0, 2).name == "transposition xz"
