"""Positions as further channels."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.layers import append_coordinates


@pytest.mark.parametrize("points", ["cells", "nodes", "periodic"])
@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 4)])
def test_appends_the_positions_of_the_grid(shape, points):
    x = torch.randn(2, *shape, 3, dtype=torch.float64)
    y = append_coordinates(x, points)
    assert y.dtype == x.dtype
    torch.testing.assert_close(y[..., :3], x, rtol=0, atol=0)
    for axis, positions in enumerate(Grid(shape, points=points).mesh()):
        for sample in y:
            np.testing.assert_allclose(sample[..., 3 + axis], positions, rtol=1e-15)


def test_a_constant_comes_last():
    x = torch.randn(2, 4, 3, 1)
    y = append_coordinates(x, "cells", constant=True)
    torch.testing.assert_close(y[..., :-1], append_coordinates(x, "cells"), rtol=0, atol=0)
    torch.testing.assert_close(y[..., -1], torch.ones(2, 4, 3), rtol=0, atol=0)


@pytest.mark.parametrize("points", ["cells", "nodes", "periodic"])
@pytest.mark.parametrize("strict", [True, False])
def test_a_graph_has_them_for_every_grid(points, strict):
    class Appended(torch.nn.Module):
        def forward(self, x):
            return append_coordinates(x, points, constant=True)

    x = torch.randn(2, 8, 9, 1)
    sizes = {1: torch.export.Dim("h", min=3), 2: torch.export.Dim("w", min=3)}
    graph = torch.export.export(Appended(), (x,), dynamic_shapes=(sizes,), strict=strict).module()
    for shape in ((8, 9), (5, 16), (33, 4)):
        x = torch.randn(2, *shape, 1)
        expected = append_coordinates(x, points, constant=True)
        torch.testing.assert_close(graph(x), expected, rtol=1e-6, atol=1e-7)
