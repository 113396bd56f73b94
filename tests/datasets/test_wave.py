"""Samples of waves: media, what is refused."""

import h5py
import numpy as np
import pytest

from opforge.datasets import WaveRecipe, generate, open_dataset
from opforge.datasets.quality.summary import summarise
from opforge.errors import InputError, WorkError
from opforge.solvers.stepping.waves import ExactWave, Leapfrog


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


@pytest.mark.parametrize("medium", ["homogeneous", "random"])
def test_a_solver_that_gains_energy_fails_on_its_first_sample(monkeypatch, medium):
    for kind in (ExactWave, Leapfrog):
        monkeypatch.setattr(kind, "advance", lambda self, state, step=kind.advance: 1.0001 * step(self, state))
    with pytest.raises(WorkError, match=r"sample 0 .* the energy \(½v² \+ .*does not change\) is violated by"):
        generate("wave", 2, 32, ndim=1, medium=medium, frames=5, tolerance=0.9, workers=1)


@pytest.mark.parametrize("medium", ["homogeneous", "random"])
def test_a_sample_of_a_file_that_lost_energy_is_found(tmp_path, medium):
    (kept,) = summarise(generate("wave", 3, 32, medium=medium, frames=4, out=tmp_path / "d.nc", workers=1)).promises
    assert kept.name == "energy" and kept.holds and 1e-11 < kept.violation < kept.tolerance < 1e-6
    (tmp_path / "d.nc").rename(tmp_path / "changed.nc")
    with h5py.File(tmp_path / "changed.nc", "r+") as file:
        file["v"][1, 2] *= 0.999
        del file["checksum"]  # which notices any change
    (broken,) = summarise(open_dataset(tmp_path / "changed.nc")).promises
    assert (broken.holds, broken.sample) == (False, 1) and 1e-4 < broken.violation < 4e-3


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
