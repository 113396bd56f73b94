import warnings
from dataclasses import dataclass, replace
from typing import ClassVar

import h5py
import numpy as np
import pytest

from opforge import generate, open_dataset
from opforge.core import Grid
from opforge.datasets import Recipe, Sample
from opforge.datasets.quality.verification import restricted, verify
from opforge.errors import InputError, WorkError
from opforge.pdes import Darcy
from tests.datasets.drawn import Loaded, changed

TIMES = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Known(Recipe):
    """sin 2πx at three times, with errors that are known: h² of the grid, ``tolerance`` of the steps."""

    tolerance: float = 1e-3
    limit: int = 10**6

    name: ClassVar[str] = "known"
    summary: ClassVar[str] = "known errors"
    inputs: ClassVar[tuple[str, ...]] = ("u",)
    outputs: ClassVar[tuple[str, ...]] = ("u",)
    evolving: ClassVar[tuple[str, ...]] = ("u",)
    solver: ClassVar[str] = "none"
    bytes_per_point: ClassVar[int] = 8

    @property
    def equation(self):
        return Darcy(ndim=1)

    @property
    def times(self):
        return np.array(TIMES)

    def sample(self, rng, grid):
        if grid.size > self.limit:
            raise WorkError("the grid is too fine")
        wave = rng.uniform(1, 2) * np.sin(2 * np.pi * grid.coordinates()[0])
        errors = 1 + grid.spacing[0] ** 2 + self.tolerance * np.array(TIMES)
        return Sample({"u": errors[:, None] * wave}, 0.0)


@pytest.fixture
def known(monkeypatch, hand_made):
    """Samples of `Known` on 16 nodes or periodic points, in single precision."""

    def make(points="periodic", **parameters):
        recipe = Known(**parameters)
        monkeypatch.setattr("opforge.datasets.quality.verification.make_recipe", lambda *_: recipe)
        grid = Grid((16,), points=points)
        able = replace(recipe, limit=16)
        u = np.array([able.sample(np.random.default_rng(i), grid).fields["u"] for i in range(4)])
        data = hand_made(grid, {"u": u.astype(np.float32)}, TIMES, provenance={"recipe": "known", "samples": 4})
        data._source._others["seed"] = (np.arange(4), {})
        return data

    return make


@pytest.mark.parametrize("points", ["periodic", "nodes"])
def test_errors_of_steps_and_grid_are_told_apart(known, points):
    found = verify(known(points), 4)
    h = 1 / 16 if points == "periodic" else 1 / 15
    size = 1e-3 * np.sqrt(1.25 / 3)  # of the error of steps, over the three times
    assert found.reproduced == "the same, bit by bit" and found.samples == (0, 1, 2, 3)
    assert found.step["u"].mean == pytest.approx(0.9 * size, rel=0.01)
    assert found.grid["u"].max == pytest.approx(0.75 * h**2, rel=0.01)
    assert found.second["u"].max == pytest.approx(0.75 * h**2 / 4, rel=0.01)
    assert found.order["u"] == pytest.approx(2.0, abs=0.02)
    assert found.notes == (
        f"Version unknown of opforge made the file, this is {package_version()}; recipes may differ.",
    )


def package_version():
    from opforge import __version__

    return __version__


def test_what_cannot_be_made_is_said(known, monkeypatch):
    found = verify(known(limit=40))
    assert set(found.grid) == {"u"} and found.second == {} and found.order == {}
    assert found.notes[1:] == ("Not made on a grid four times as fine: the grid is too fine.",)
    monkeypatch.setattr("opforge.datasets.generating.arguments.total_memory", lambda: 16 * 8)
    found = verify(known())
    assert set(found.step) == {"u"} and found.grid == {}
    assert len(found.notes) == 2 and "resolution 32" in found.notes[1] and "memory" in found.notes[1]
    found = verify(known(limit=1))
    assert (found.reproduced, found.again, found.step) == ("not made again", {}, {})


def test_the_finest_grid_is_left_out_where_it_is_not_cheap(known, monkeypatch):
    monkeypatch.setattr("opforge.datasets.quality.verification._CHEAP", 3 * 64 - 1)
    found = verify(known())
    assert set(found.grid) == {"u"} and found.second == {} and len(found.notes) == 1
    monkeypatch.setattr("opforge.datasets.quality.verification._CHEAP", 3 * 64)
    assert set(verify(known()).second) == {"u"}


def test_darcy_is_made_again_and_converges():
    found = verify(generate("darcy", 5, 16, coefficient="lognormal", alpha=6.0, tau=1.0), 2)
    assert found.reproduced == "the same, bit by bit" and found.again["u"].max == 0
    assert found.samples == (0, 2) and found.notes == ()
    assert found.step["a"].max == 0 and 0 < found.step["u"].max < 1e-7
    assert found.order["u"] == pytest.approx(2.0, abs=0.15)
    assert found.grid["u"].mean <= found.grid["u"].max


def test_an_exact_solution_changes_by_rounding_only():
    found = verify(generate("advection", 2, 32, frames=5))
    assert found.reproduced == "the same, bit by bit" and found.order == {}
    assert found.step["u"].max == 0 and found.grid["u"].max < 1e-13 and found.second["u"].max < 1e-13


def test_inputs_that_jump_change_with_the_grid():
    found = verify(generate("darcy", 3, 16), 2)
    assert found.grid["a"].mean > 0.05 > found.grid["u"].mean > 1e-4


@pytest.mark.parametrize(
    ("factor", "words"),
    [(1 + 2e-7, "the same to rounding"), (1 + 1e-5, "DIFFERENT by 1e-05")],
)
def test_a_file_that_was_changed(tmp_path, factor, words):
    generate("darcy", 2, 8, out=tmp_path / "d.nc")
    with h5py.File(tmp_path / "d.nc", "r+") as file:
        file["u"][1] *= np.float32(factor)
        del file["checksum"]
    assert words in verify(open_dataset(tmp_path / "d.nc")).reproduced


def test_other_machines_solve_to_the_tolerance(tmp_path):
    generate("darcy", 1, 8, out=tmp_path / "d.nc", dtype="float64")
    with h5py.File(tmp_path / "d.nc", "r+") as file:
        file["u"][0] *= 1 + 1e-8
        del file["checksum"]
    assert verify(open_dataset(tmp_path / "d.nc")).reproduced == "the same to the solver's tolerance"


def test_samples_that_failed_are_left_out(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = generate("darcy", 6, 8, coefficient="lognormal", sigma=150.0, on_error="skip", out=tmp_path / "d.nc")
    assert data.samples < 6
    assert verify(data, 6).reproduced == "the same, bit by bit"


def test_bad_input_is_refused(hand_made):
    foreign = hand_made(Grid((8,)), {"u": np.ones((2, 8))})
    with pytest.raises(InputError, match="names no recipe"):
        verify(foreign)
    data = generate("darcy", 2, 8)
    with pytest.raises(InputError, match="samples must be at least 1, got 0"):
        verify(data, 0)
    with pytest.raises(InputError, match="all points and frames"):
        verify(data.every(2))
    named = hand_made(Grid((8,)), {"u": np.ones((2, 8))}, provenance={"recipe": "darcy", "samples": 2})
    with pytest.raises(InputError, match="no variable 'seed'"):
        verify(named)
    unknown = hand_made(Grid((8,)), {"u": np.ones((2, 8))}, provenance={"recipe": "drcy", "samples": 2})
    with pytest.raises(InputError, match="unknown recipe 'drcy'; did you mean 'darcy'"):
        verify(unknown)


@pytest.mark.parametrize("points", ["cells", "nodes", "periodic"])
def test_restriction_in_three_dimensions(points):
    coarse = Grid((3, 4, 5), points=points)
    fine = coarse.with_shape([2 * n - (points == "nodes") for n in coarse.shape])
    x, y, z = fine.mesh()
    mesh = coarse.mesh()
    u = restricted(np.stack([2 * x - y + 3 * z] * 2), fine)
    np.testing.assert_allclose(u, np.stack([2 * mesh[0] - mesh[1] + 3 * mesh[2]] * 2), rtol=1e-12, atol=1e-12)


def test_a_file_that_lacks_frames_is_refused_in_words(tmp_path):
    data = generate("advection", 2, 32, frames=7)
    data.every(1, 3).to_xarray().to_netcdf(tmp_path / "thin.nc", engine="h5netcdf")
    with pytest.raises(InputError, match=r"field 'u' has the shape \(3, 32\), its recipe makes \(7, 32\)"):
        verify(open_dataset(tmp_path / "thin.nc"), 1)


def test_drawn_parameters_are_made_again(tmp_path, loaded):
    data = generate(loaded, 5, 16, out=tmp_path / "d.nc")
    found = verify(data, 5)
    assert found.reproduced == "the same, bit by bit"
    assert found.again.keys() == {"a", "u", "forcing", "shift"} and found.again["shift"].max == 0
    assert found.step.keys() == found.grid.keys() == {"a", "u"}
    assert verify(generate(loaded, 3, 16)).reproduced == "the same, bit by bit"


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (1 + 2.0**-52, "the same to rounding"),
        (1 + 1e-9, "DIFFERENT: the drawn parameter 'shift' by 1e-09 (relative)"),
        (0.0, "DIFFERENT: the drawn parameter 'shift' by 1 (relative)"),
    ],
)
def test_a_drawn_parameter_that_was_changed(tmp_path, loaded, factor, words):
    path = generate(loaded, 2, 16, out=tmp_path / "d.nc").path

    def change(file):
        file["shift"][1] *= factor
        del file["checksum"]

    found = verify(open_dataset(changed(path, change)))
    assert found.reproduced == words and found.again["u"].max == 0


def test_a_parameter_that_is_not_drawn_any_more(loaded, monkeypatch):
    data = generate(loaded, 2, 16)
    make = Loaded.sample
    monkeypatch.setattr(Loaded, "sample", lambda self, rng, grid: replace(make(self, rng, grid), drawn={}))
    assert "DIFFERENT: the drawn parameter" in verify(data).reproduced
