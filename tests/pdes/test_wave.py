"""The wave equation: tendency, media as fields, energy, what is refused."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Wave
from opforge.solvers import Leapfrog, rollout


def test_a_field_takes_the_place_of_the_speed():
    grid, time, rng = Grid((8,)), np.array([0.0, 0.1]), np.random.default_rng(0)
    fields = {"u": rng.standard_normal((2, 8)), "v": rng.standard_normal((2, 8)), "time": time}
    whole = Wave(1, 0.7).residual(fields, grid)
    with_field = Wave(1, 3.0).residual({**fields, "c": np.full(8, 0.7)}, grid)
    np.testing.assert_allclose(with_field, whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic"])
def test_the_tendency_keeps_the_energy(boundary):
    grid, rng, equation = Grid((6, 7)), np.random.default_rng(0), Wave(2, boundary=boundary)
    u, v = rng.standard_normal((2, 6, 7))
    c = rng.uniform(0.5, 2, (6, 7))
    du, dv = equation.tendency(np.stack([u, v]), grid, c[None])
    h = 1e-6
    later = equation.energy({"u": u + h * du, "v": v + h * dv, "c": c}, grid)
    sooner = equation.energy({"u": u - h * du, "v": v - h * dv, "c": c}, grid)
    assert abs(later - sooner) / (2 * h) < 1e-6 * abs(later)
    damped = Wave(2, damping=0.5, boundary=boundary).tendency(np.stack([u, v]), grid, c[None])
    np.testing.assert_allclose(damped[1], dv - 0.5 * v, rtol=0, atol=1e-12)


def test_damping_takes_energy_and_gives_none():
    grid, equation = Grid((24, 20)), Wave(2, damping=0.7, boundary="neumann")
    x, y = grid.mesh()
    start = np.stack([np.exp(-((x - 0.4) ** 2 + (y - 0.5) ** 2) / 0.02), 0 * x])[None]
    states = rollout(Leapfrog(equation, grid, 0.02), start, frames=20, steps=2, start=True)[:, 0]
    fields = {"u": states[:, 0], "v": states[:, 1], "time": 0.04 * np.arange(21)}
    (energy,) = equation.invariants
    assert energy.violation(equation, fields, grid) == 0.0
    assert equation.energy(fields, grid)[-1] < 0.7 * equation.energy(fields, grid)[0]
    fields["v"][-1] *= 1.1
    assert 1e-3 < energy.violation(equation, fields, grid) < 0.2


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"speed": 0.0}, "speed must be"),
        ({"damping": -1.0}, "damping must be"),
        ({"boundary": "open"}, "boundary must be"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        Wave(**parameters)


def test_no_closed_form_with_damping():
    with pytest.raises(InputError, match="no closed form is known"):
        Wave(damping=0.1).exact(Grid((8, 8)))
