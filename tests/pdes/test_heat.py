"""The heat equation: tendency, coefficient fields, invariants by boundary, what is refused."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Heat


@pytest.mark.parametrize("boundary", ["neumann", "dirichlet", "periodic"])
def test_tendency_is_of_order_2(boundary):
    equation, errors = Heat(2, 0.3, boundary), []
    for n in (48, 96):
        grid = Grid((n, n), (1.0, 2.0))
        u = equation.exact(grid, [0.0])["u"]
        k = np.pi * np.array([1.0, 2.0 / 2.0]) * (2 if boundary == "periodic" else 1)
        error = equation.tendency(u, grid)[0] + 0.3 * np.sum(k**2) * u[0]
        errors.append(np.sqrt(np.mean(error[2:-2, 2:-2] ** 2)))
    assert 1.5 < np.log2(errors[0] / errors[1]) < 2.5


def test_a_field_takes_the_place_of_the_diffusivity():
    grid, time = Grid((8,)), np.array([0.0, 0.1])
    u = np.random.default_rng(0).standard_normal((2, 8))
    whole = Heat(1, 0.7).residual({"u": u, "time": time}, grid)
    with_field = Heat(1, 0.1).residual({"u": u, "time": time, "a": np.full(8, 0.7)}, grid)
    np.testing.assert_allclose(with_field, whole, rtol=0, atol=1e-12)


def test_invariants_go_with_the_boundary():
    names = {b: [i.name for i in Heat(boundary=b).invariants] for b in ("neumann", "dirichlet", "periodic")}
    assert names == {
        "neumann": ["heat", "maximum principle"],
        "dirichlet": ["maximum principle"],
        "periodic": ["heat", "maximum principle"],
    }


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"diffusivity": 0.0}, "diffusivity must be"),
        ({"boundary": "open"}, "boundary must be one of"),
        ({"ndim": 0}, "ndim"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        Heat(**parameters)


@pytest.mark.parametrize("boundary", ["neumann", "dirichlet", "periodic"])
def test_sources_are_part_of_the_residual(boundary):
    """Of the solution with its source it is small, of order 2 in the spacing; without the source it is not."""
    equation, sizes = Heat(1, 0.1, boundary, forced=True), []
    times = np.linspace(0, 0.1, 101)
    for n in (32, 64):
        grid = Grid((n,))
        fields = equation.exact(grid, times)
        assert set(fields) == {"u", "f", "time"}
        sizes.append(np.abs(equation.residual(fields, grid)).max())
        off = np.abs(Heat(1, 0.1, boundary).residual({"u": fields["u"], "time": times}, grid)).max()
        assert off > 50 * sizes[-1]
    assert 1.5 < np.log2(sizes[0] / sizes[1]) < 2.5
    assert Heat(forced=True).invariants == () and [field.name for field in equation.fields] == ["u", "f"]


def test_sources_that_do_not_fit():
    equation, grid, time = Heat(1, forced=True), Grid((8,)), np.array([0.0, 0.1])
    with pytest.raises(InputError, match="fields must contain 'f'"):
        equation.residual({"u": np.zeros((2, 8)), "time": time}, grid)
    with pytest.raises(InputError, match=r"field 'f' must have the frames of 'u', shape \(2, 8\), got \(3, 8\)"):
        equation.residual({"u": np.zeros((2, 8)), "f": np.zeros((3, 8)), "time": time}, grid)
    with pytest.raises(InputError, match="forced must be true or false"):
        Heat(forced=1)
