import math

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Darcy


def test_manufactured_forcing_is_the_equation():
    """f = −∇·(a∇u) by fourth-order differences of the closed forms in the interior of a fine grid."""
    grid = Grid((400,), (2.0,), origin=(-1.0,))
    fields, h = Darcy(ndim=1).exact(grid), grid.spacing[0]

    def slope(v):
        return (v[:-4] - 8 * v[1:-3] + 8 * v[3:-1] - v[4:]) / (12 * h)

    flux = fields["a"][2:-2] * slope(fields["u"])
    np.testing.assert_allclose(-slope(flux), fields["f"][4:-4], rtol=0, atol=1e-5 * np.abs(fields["f"]).max())


def test_manufactured_solution_vanishes_on_the_boundary_and_is_not_symmetric():
    u = Darcy(ndim=2).exact(Grid((200, 100), (1.0, 3.0)))["u"]
    assert abs(u[0]).max() < 0.02 * abs(u).max()
    assert abs(u[:, -1]).max() < 0.05 * abs(u).max()
    assert abs(u - u[::-1]).max() > 0.1 * abs(u).max()


def test_one_layer_is_the_parabola():
    grid = Grid((10,), (2.0,), origin=(5.0,))
    x = grid.coordinates()[0] - 5.0
    fields = Darcy(ndim=1, forcing=3.0).layered(grid, [0.5])
    np.testing.assert_allclose(fields["u"], 3.0 * x * (2 - x) / (2 * 0.5), rtol=1e-13)
    np.testing.assert_array_equal(fields["a"], 0.5)


def test_layers_have_continuous_pressure_and_flux():
    equation, values = Darcy(ndim=1, forcing=-2.0), [1.0, 5.0, 0.2]
    grid = Grid((20_000,))
    fields, h = equation.layered(grid, values, [0.3, 0.7]), grid.spacing[0]
    flux = -fields["a"][:-1] * np.diff(fields["u"]) / h
    same = fields["a"][:-1] == fields["a"][1:]
    # q' = f inside the layers, and q goes on through the interfaces
    x_faces = grid.coordinates()[0][:-1] + h / 2
    q = flux[same] - equation.forcing * x_faces[same]
    np.testing.assert_allclose(q, q[0], rtol=1e-6)
    assert np.abs(np.diff(fields["u"])).max() < 20 * h
    assert max(abs(fields["u"][0]), abs(fields["u"][-1])) < 20 * h


def test_right_hand_side_is_the_forcing_or_the_field():
    grid = Grid.cube(2, 4)
    np.testing.assert_array_equal(Darcy(forcing=2.5).right_hand_side({}, grid), np.full(16, 2.5))
    f = np.arange(16.0).reshape(4, 4)
    np.testing.assert_array_equal(Darcy(forcing=2.5).right_hand_side({"f": f}, grid), f.ravel())


def test_field_f_takes_the_place_of_the_constant():
    grid = Grid.cube(1, 8)
    fields = {"a": torch.ones(2, 8), "u": torch.zeros(2, 8), "f": torch.full((2, 8), 3.0)}
    torch.testing.assert_close(Darcy(ndim=1).residual(fields, grid), torch.full((2, 8), 3.0))
    torch.testing.assert_close(Darcy(ndim=1).residual_scale(fields, grid), torch.full((2,), 3 * math.sqrt(8)))


def test_scale_makes_the_residual_of_zero_one():
    grid, equation = Grid.cube(2, 8), Darcy(forcing=-4.0)
    fields = {"a": np.ones((3, 8, 8)), "u": np.zeros((3, 8, 8))}
    norm = np.linalg.norm(equation.residual(fields, grid), axis=(-2, -1))
    np.testing.assert_allclose(norm / equation.residual_scale(fields, grid), 1.0)


def test_single_precision_stays_single():
    grid = Grid.cube(2, 4)
    fields = {"a": torch.ones(4, 4), "u": torch.ones(4, 4)}
    assert Darcy().residual(fields, grid).dtype == torch.float32
    assert Darcy().residual_scale(fields, grid).dtype == torch.float32


@pytest.mark.parametrize("ndim", [0, 4, 2.0, True])
def test_wrong_dimension_is_refused(ndim):
    with pytest.raises(InputError, match="ndim must be 1, 2 or 3"):
        Darcy(ndim=ndim)


@pytest.mark.parametrize(
    ("forcing", "message"),
    [
        (0.0, r"forcing must not be 0 \(the solution would be 0\)"),
        *((wrong, "forcing must be a finite number") for wrong in (math.inf, math.nan, None, "0.1", True, [1.0])),
    ],
)
def test_wrong_forcing_is_refused(forcing, message):
    with pytest.raises(InputError, match=message):
        Darcy(forcing=forcing)


@pytest.mark.parametrize("points", ["nodes", "periodic"])
def test_other_points_are_refused(points):
    with pytest.raises(InputError, match="grid must have points='cells'"):
        Darcy().exact(Grid.cube(2, 8, points=points))


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_coefficient_must_be_positive(wrong):
    a = np.ones((4, 4))
    a[1, 2] = wrong
    with pytest.raises(InputError, match="field 'a' must be positive and finite"):
        Darcy().operator({"a": a}, Grid.cube(2, 4))


def test_operator_takes_one_sample():
    with pytest.raises(InputError, match="field 'a' must have the grid's shape"):
        Darcy().operator({"a": np.ones((2, 4, 4))}, Grid.cube(2, 4))


@pytest.mark.parametrize(
    ("coefficients", "interfaces"),
    [([1.0, 2.0], []), ([1.0, 2.0], [1.5]), ([1.0, -2.0], [0.5]), ([1, 2, 3], [0.6, 0.4])],
)
def test_layers_that_do_not_fit_are_refused(coefficients, interfaces):
    with pytest.raises(InputError, match="interfaces must increase inside the interval"):
        Darcy(ndim=1).layered(Grid((8,)), coefficients, interfaces)


def test_layers_need_one_dimension():
    with pytest.raises(InputError, match="grid must have one axis"):
        Darcy(ndim=2).layered(Grid.cube(2, 8), [1.0])


MAXIMUM_PRINCIPLE = Darcy.invariants[0]


@pytest.mark.parametrize(
    ("forcing", "u", "expected"),
    [
        (1.0, [0.0, 1.0, 4.0], 0.0),
        (1.0, [-1.0, 1.0, 4.0], 0.25),
        (1.0, [-4.0, 1.0, 2.0], 1.0),
        (-3.0, [-1.0, -2.0, 0.0], 0.0),
        (-3.0, [-4.0, -2.0, 1.0], 0.25),
        (2.0, [0.0, 0.0, 0.0], 0.0),
    ],
)
def test_violation_of_the_maximum_principle(forcing, u, expected):
    equation, grid = Darcy(ndim=1, forcing=forcing), Grid((3,))
    assert MAXIMUM_PRINCIPLE.violation(equation, {"u": np.array(u)}, grid) == expected


@pytest.mark.parametrize(
    ("f", "expected"),
    [([1.0, 0.0, 2.0], 0.5), ([-1.0, -2.0, 0.0], 1.0), ([1.0, -1e-9, 2.0], 0.0), ([0.0, 0.0, 0.0], 0.5)],
)
def test_maximum_principle_goes_by_the_field_f(f, expected):
    """Of the constant forcing it has no part; a forcing of both signs leaves nothing to check."""
    fields = {"u": np.array([-1.0, 1.0, 2.0]), "f": np.array(f)}
    for forcing in (1.0, -1.0):
        assert MAXIMUM_PRINCIPLE.violation(Darcy(ndim=1, forcing=forcing), fields, Grid((3,))) == expected


def test_maximum_principle_takes_each_samples_forcing():
    u, f = np.array([[-1.0, 2.0], [-1.0, 2.0], [-1.0, 2.0]]), np.array([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    violation = MAXIMUM_PRINCIPLE.violation(Darcy(ndim=1), {"u": u, "f": f}, Grid((2,)))
    np.testing.assert_allclose(violation, [0.5, 1.0, 0.0])


def test_numbers_that_were_drawn_for_each_sample_are_no_fields():
    fields = {"a": np.ones((3, 8)), "u": np.ones((3, 8))}
    residual = Darcy(ndim=1).residual(fields, Grid((8,)))
    np.testing.assert_array_equal(Darcy(ndim=1).residual({**fields, "shift": np.ones(3)}, Grid((8,))), residual)
    for name, shape in (("shift", (2,)), ("u", (3,))):
        with pytest.raises(InputError, match=f"field '{name}' must end in the grid's shape"):
            Darcy(ndim=1).residual({**fields, name: np.ones(shape)}, Grid((8,)))
