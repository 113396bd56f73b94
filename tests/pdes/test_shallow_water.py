"""The shallow water equations: rest, Stoker's solution, conserved and primitive, what is refused."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import ShallowWater
from opforge.pdes.shallow_water import stoker


def test_a_lake_with_islands_stays():
    grid, rng = Grid((12, 13)), np.random.default_rng(0)
    b = 2 * rng.random((12, 13))
    h = np.maximum(1.0 - b, 0.0)
    assert 0.2 < (h == 0).mean() < 0.8
    lake = np.stack([h, 0 * b, 0 * b])
    rates = ShallowWater(boundary="walls").conserved_rate(lake, grid, b)
    assert max(np.abs(rate).max() for rate in rates) < 1e-13


@pytest.mark.parametrize("gravity", [1.0, 9.81])
@pytest.mark.parametrize("boundary", ["outflow", "walls", "periodic"])
def test_a_lake_at_rest_stays(boundary, gravity):
    grid, rng = Grid((8, 9)), np.random.default_rng(0)
    b = 0.5 * rng.random((8, 9))
    if boundary != "walls":  # ghosts of depth and surface are those of a flat bottom then
        b[[0, 1, -2, -1]] = b[:, [0, 1, -2, -1]] = 0.2
    lake = np.stack([1.2 - b, 0 * b, 0 * b])
    assert np.abs(ShallowWater(boundary=boundary, gravity=gravity).tendency(lake, grid, b)).max() < 1e-13 * gravity


def test_stoker_satisfies_the_jump_conditions():
    h, u, s = stoker(2.0, 1.0, 9.81)
    np.testing.assert_allclose(s * (h - 1.0), h * u, rtol=1e-12)
    np.testing.assert_allclose(s * h * u, h * u**2 + 9.81 / 2 * (h**2 - 1), rtol=1e-12)
    fields = ShallowWater(1, gravity=1.0).dam_break(Grid((100,)), [0.1])
    assert fields["h"].shape == (1, 100) and fields["h"][0, 0] == 2.0 and fields["h"][0, -1] == 1.0


def test_conserved_and_back():
    state = np.random.default_rng(0).uniform(0.5, 2, (3, 3, 4, 5))
    equation = ShallowWater()
    np.testing.assert_allclose(equation.primitive(equation.conserved(state, 2), 2), state, rtol=1e-14)


def test_a_field_is_the_bottom():
    grid, rng = Grid((12,)), np.random.default_rng(0)
    b = 0.1 * rng.random(12)
    fields = {"h": 1 - b + np.zeros((2, 1)), "u": np.zeros((2, 12)), "time": np.array([0.0, 0.1])}
    equation = ShallowWater(1, boundary="walls")
    assert np.abs(equation.residual({**fields, "b": b}, grid)).max() < 1e-14
    assert np.abs(equation.residual(fields, grid)).max() > 1e-3


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"gravity": 0.0}, "gravity must be"),
        ({"boundary": "open"}, "boundary must be one of"),
        ({"ndim": 3}, "ndim must be"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        ShallowWater(**parameters)


def test_negative_depths_are_refused():
    with pytest.raises(InputError, match=r"depth h must be at least 0 everywhere \(0 is a dry bed\), got -0\.1"):
        ShallowWater(1).check_physical(np.full((1, 2, 4), -0.1), 1)


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
def test_dry_ground_has_no_velocity(make):
    equation = ShallowWater(1, boundary="walls")
    conserved = make(np.array([[2.0, 0.0, 1e-15, -1e-17], [1.0, 0.0, 1e-3, 0.0]]))
    np.testing.assert_array_equal(equation.primitive(conserved, 1), [[2.0, 0.0, 1e-15, 0.0], [0.5, 0.0, 0.0, 0.0]])
    assert np.asarray(equation.physical(conserved, 1)).all()
    assert np.isfinite(np.asarray(equation.tendency(equation.primitive(conserved, 1), Grid((4,))))).all()


def test_ritter_is_the_rarefaction_over_a_dry_bed():
    grid, g, t = Grid((2000,)), 9.81, 0.05
    fields = ShallowWater(1, gravity=g).dam_break(grid, [t], 1.0, 0.0)
    h, u = fields["h"][0], fields["u"][0]
    wet = h > 0
    np.testing.assert_allclose(u[wet] + 2 * np.sqrt(g * h[wet]), 2 * np.sqrt(g), rtol=1e-12)  # Riemann's invariant
    np.testing.assert_allclose(grid.coordinates()[0][wet].max(), 0.5 + 2 * np.sqrt(g) * t, atol=1e-3)
    np.testing.assert_allclose(h.mean(), 0.5, atol=1e-4)
