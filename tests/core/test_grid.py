"""Grids: coordinates, spacing, round trips, refusals."""

import json

import numpy as np
import pytest

from opforge.core import Grid
from opforge.errors import InputError

LAYOUTS = ["cells", "nodes", "periodic"]


@pytest.mark.parametrize("points", LAYOUTS)
def test_quadrature_weights_and_points_agree(points):
    grid = Grid((8, 5), (2.0, 3.0), points, (-1.0, 0.5))
    for c, h, n in zip(grid.coordinates(), grid.spacing, grid.shape, strict=True):
        assert c.shape == (n,)
        np.testing.assert_allclose(np.diff(c), h, rtol=1e-13)
    x, y = grid.mesh()
    assert x.shape == y.shape == grid.shape
    assert grid.size == 40
    np.testing.assert_array_equal(x[:, 0], grid.coordinates()[0])


def test_where_the_points_lie():
    assert Grid((2,), (2.0,), "cells").coordinates()[0].tolist() == [0.5, 1.5]
    assert Grid((3,), (2.0,), "nodes").coordinates()[0].tolist() == [0.0, 1.0, 2.0]
    assert Grid((2,), (2.0,), "periodic").coordinates()[0].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("points", LAYOUTS)
def test_round_trips(points):
    grid = Grid((8, 5, 4), (2.0, 3.0, 1.0), points, (-1.0, 0.5, 0.0))
    assert Grid.from_dict(json.loads(json.dumps(grid.to_dict()))) == grid
    again = Grid.from_coordinates([c.astype(np.float32) for c in grid.coordinates()], grid.lengths, points)
    np.testing.assert_allclose(again.origin, grid.origin, atol=1e-6)
    assert (again.shape, again.points) == (grid.shape, points)
    assert grid.with_shape((4, 4, 4)).lengths == grid.lengths


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Grid(()), "1 to 3 axes"),
        (lambda: Grid((4, 4, 4, 4)), "1 to 3 axes"),
        (lambda: Grid((0,)), "at least 1 points"),
        (lambda: Grid(4), "shape must be a sequence of whole numbers, one per axis, got 4"),
        (lambda: Grid((2.9, 3)), r"shape must be a sequence of whole numbers, one per axis, got \(2.9, 3\)"),
        (lambda: Grid("ab"), "shape must be a sequence of whole numbers"),
        (lambda: Grid((4,), lengths="a"), "lengths must be a sequence of numbers"),
        (lambda: Grid((4,), origin=(float("nan"),)), "origin must be finite"),
        (lambda: Grid((1,), points="nodes"), "at least 2 points"),
        (lambda: Grid((4,), (1.0, 1.0)), "one value per axis"),
        (lambda: Grid((4,), (-1.0,)), "lengths must be positive"),
        (lambda: Grid((4,), (float("nan"),)), "lengths must be positive"),
        (lambda: Grid((4,), points="edges"), "points must be one of cells, nodes, periodic, got 'edges'"),
        (
            lambda: Grid.from_coordinates([np.array([0.0, 0.1, 0.9])], (1.0,), "nodes"),
            "coordinate 'x' is not that of a uniform 'nodes' grid",
        ),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize("n", [1, 2, 7, 8])
def test_wavenumbers_are_in_the_order_of_modes(n):
    found = Grid((n,), (0.5,), "periodic").wavenumbers()[0]
    np.testing.assert_allclose(found, 4 * np.pi * np.fft.fftfreq(n, 1 / n), rtol=1e-15)
