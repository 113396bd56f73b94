"""Fields of a fine grid on a coarser one: linear functions, means, flows without divergence."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets.restriction import restricted, restricted_faces, restricted_halves
from opforge.pdes import IncompressibleFlow


@pytest.mark.parametrize("points", ["cells", "nodes", "periodic"])
def test_restriction_in_three_dimensions(points):
    coarse = Grid((3, 4, 5), points=points)
    fine = coarse.with_shape([2 * n - (points == "nodes") for n in coarse.shape])
    x, y, z = fine.mesh()
    mesh = coarse.mesh()
    u = restricted(np.stack([2 * x - y + 3 * z] * 2), fine)
    np.testing.assert_allclose(u, np.stack([2 * mesh[0] - mesh[1] + 3 * mesh[2]] * 2), rtol=1e-12, atol=1e-12)


def test_means_over_many_cells():
    u = np.random.default_rng(0).random((2, 6, 9))
    expected = u.reshape(2, 2, 3, 3, 3).mean((2, 4))
    np.testing.assert_allclose(restricted(u, Grid((6, 9)), 3), expected, rtol=1e-14)


@pytest.mark.parametrize("factor", [2, 4])
def test_what_flows_in_flows_out_of_greater_cells_too(factor):
    equation, fine, coarse = IncompressibleFlow(boundary="free slip"), Grid((16, 8)), Grid((16 // factor, 8 // factor))
    fields = equation.exact(fine, [0.0, 1.0])
    found = {name: restricted_faces(fields[name], axis, fine, factor) for axis, name in enumerate("uv")}
    assert np.abs(equation.divergence(found, coarse)).max() < 1e-13
    assert found["u"].shape == (2, *coarse.shape)
    # at the same places: closer than half a cell would be
    np.testing.assert_allclose(found["u"], equation.exact(coarse, [0.0, 1.0])["u"], rtol=0, atol=0.15)


@pytest.mark.parametrize("points", ["nodes", "periodic"])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_half_spacings_stay_in_the_middle(points, factor):
    coarse = Grid((5, 4), (2.0, 1.0), points)
    fine = coarse.with_shape([factor * (n - 1) + 1 if points == "nodes" else factor * n for n in coarse.shape])
    x, y = ((c + (axis == 0) * h / 2) for axis, (c, h) in enumerate(zip(fine.mesh(), fine.spacing, strict=True)))
    u = np.stack([2 * x - 3 * y] * 2)
    x, y = ((c + (axis == 0) * h / 2) for axis, (c, h) in enumerate(zip(coarse.mesh(), coarse.spacing, strict=True)))
    expected = 2 * x - 3 * y
    if points == "nodes":
        expected[-1] = 0.0
    np.testing.assert_allclose(restricted_halves(u, (0,), fine, factor)[1], expected, rtol=0, atol=1e-13)
