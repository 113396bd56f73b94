"""Samples of waves: media, what is refused."""

import numpy as np
import pytest

from opforge.datasets import WaveRecipe
from opforge.errors import InputError


@pytest.mark.parametrize("ndim", [1, 2])
def test_a_random_medium_is_an_input(ndim):
    recipe = WaveRecipe(ndim=ndim, medium="random", frames=5)
    assert (recipe.inputs, recipe.outputs) == (("c", "u", "v"), ("u", "v"))
    made = recipe.samples([np.random.default_rng(i) for i in range(2)], recipe.grid(48))
    assert made.fields["c"].shape == (2, *(48,) * ndim)
    assert 0.02 < np.log(made.fields["c"]).std() < 1.0
    assert 0 < made.residuals.max() < 5e-2


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"boundary": "periodic", "ndim": 1},
        {"boundary": "neumann", "draw": "speed", "ndim": 1},
        {"medium": "random"},
        {"medium": "random", "boundary": "periodic", "ndim": 1},
        {"medium": "random", "boundary": "neumann", "ndim": 3, "frames": 4},
    ],
)
def test_energy_is_kept(options):
    """To rounding by both solvers, seen in single precision too; a thousandth more of the last frame is noticed."""
    recipe = WaveRecipe(**options)
    grid, (energy,) = recipe.grid(32), recipe.equation.invariants
    made = recipe.samples([np.random.default_rng(i) for i in range(2)], grid)
    fields = {**made.fields, **made.drawn, "time": recipe.times}
    assert energy.violation(recipe.equation, fields, grid).max() < 1e-12
    stored = {name: x.astype(np.float32).astype(float) if name in "cuv" else x for name, x in fields.items()}
    assert 1e-11 < energy.violation(recipe.equation, stored, grid).max() < 2e-7
    fields["u"][1, -1] *= 1.001
    first, second = energy.violation(recipe.equation, fields, grid)
    assert first < 1e-12 and 2e-4 < second < 4e-3
    assert [row for row, _ in energy.broken(recipe.equation, fields, grid)] == [1]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"oversampling": 2}, "oversampling must be left out: fields on a coarser grid do not keep the energy, got 2"),
        ({"medium": "foam"}, "medium must be one of homogeneous, random"),
        ({"speed": -1.0}, "speed must be"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        WaveRecipe(**parameters)
