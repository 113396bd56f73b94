import warnings

import h5py
import numpy as np
import pytest

from opforge import generate, open_dataset
from opforge.core import Grid
from opforge.datasets.generating.sampling import sample_seed
from opforge.datasets.quality.summary import numbers, summarise
from opforge.datasets.quality.verification import verify
from opforge.pdes import Darcy, Invariant


def smallest(equation, fields, grid):
    """How far u falls below 0, relative to its size."""
    u = fields["u"]
    axes = tuple(range(u.ndim - grid.ndim, u.ndim))
    return np.maximum(0.0, -u.min(axis=axes)) / np.abs(u).max(axis=axes)


@pytest.fixture
def promises(monkeypatch):
    """Give Darcy's equation these invariants."""
    return lambda *invariants: monkeypatch.setattr(Darcy, "invariants", invariants)


@pytest.mark.parametrize("block", [1, 2**25])
def test_ranges_are_those_of_all_samples(hand_made, monkeypatch, block):
    monkeypatch.setattr("opforge.datasets.quality.summary._BLOCK_BYTES", block)
    u = 1e3 + np.random.default_rng(0).standard_normal((7, 6, 5))
    u[4, 2, 3], u[2, 0, 0] = 2000.0, -5.0
    found = summarise(hand_made(Grid((6, 5)), {"u": u})).ranges["u"]
    assert (found.min, found.lowest, found.max, found.highest) == (-5.0, 2, 2000.0, 4)
    np.testing.assert_allclose([found.mean, found.std], [u.mean(), u.std()], rtol=1e-12)
    assert found.dtype == "float64"


def test_all_frames_count(waves):
    data = waves(2, frames=4, still=True)
    summary, arrays = summarise(data), data.arrays(range(3))
    assert arrays["u"].shape == (3, 4, 16, 16)
    for name, values in arrays.items():
        np.testing.assert_allclose(summary.ranges[name].max, values.max(), rtol=1e-12)
        np.testing.assert_allclose(summary.ranges[name].std, values.std(dtype=np.float64), rtol=1e-12)
    assert summary.ranges["u"].highest == 2
    assert (summary.residual, summary.promises, summary.checked) == (None, (), False)


def test_residuals_and_checksums_are_those_of_the_file(tmp_path):
    summary = summarise(generate("darcy", 5, 8, out=tmp_path / "d.nc"))
    residuals = open_dataset(tmp_path / "d.nc").to_xarray().solver_residual.values
    assert summary.residual.max == residuals[summary.residual.sample] == residuals.max()
    assert summary.residual.mean == residuals.mean()
    assert summary.checked
    assert not summarise(open_dataset(tmp_path / "d.nc", outputs=("a",))).checked  # u is not read


def test_changed_attributes_are_noticed(tmp_path):
    path = tmp_path / "d.nc"
    assert summarise(generate("darcy", 3, 8, out=path)).as_written is True
    with h5py.File(path, "r+") as file:
        file.attrs["tolerance"] = 1e-12
    found = summarise(open_dataset(path))
    assert found.checked and found.as_written is False


def test_files_of_others_were_not_written_by_opforge(hand_made):
    assert summarise(hand_made(Grid((6, 5)), {"u": np.ones((3, 6, 5))})).as_written is None


def test_failed_samples_are_counted_with_their_reasons(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = generate("darcy", 6, 8, coefficient="lognormal", sigma=150.0, on_error="skip", out=tmp_path / "d.nc")
    summary = summarise(data)
    assert summary.samples + summary.failed == 6 and 0 < summary.failed < 6
    assert len(summary.reasons) == summary.failed
    assert all("(seed " in reason and "sigma" in reason for reason in summary.reasons)


@pytest.mark.parametrize("shard", [None, (2, 2)])
def test_samples_have_the_numbers_of_their_seeds(tmp_path, shard):
    """One numbering, whatever failed before and wherever the file begins."""
    options = {"coefficient": "lognormal", "sigma": 170.0, "on_error": "skip", "out": tmp_path / "d.nc", "shard": shard}
    with pytest.warns(UserWarning, match="samples failed"):
        data = generate("darcy", 14, 8, seed=3, **options)
    found, content = summarise(data), data.to_xarray()
    seeds = [sample_seed(3, i) for i in range(14)]
    expected = [seeds.index(seed) for seed in content.seed.values]
    assert expected != list(range(len(data))) and numbers(data).tolist() == expected
    assert found.residual.sample == expected[int(content.solver_residual.values.argmax())]
    assert found.ranges["u"].highest == expected[int(content.u.values.max((1, 2)).argmax())]
    assert found.ranges["u"].lowest == expected[int(content.u.values.min((1, 2)).argmin())]
    assert found.promises[0].sample in expected
    failed = {int(reason.split(" ")[1]) for reason in found.reasons}
    assert failed.isdisjoint(expected) and failed | {*expected} == {*range(7 if shard else 0, 14)}
    again = verify(data, 2)
    assert again.samples == (expected[0], expected[len(expected) // 2])
    assert again.reproduced == "the same, bit by bit"


def test_an_invariant_that_holds(promises):
    promises(Invariant("positivity", "u >= 0", smallest, 1e-10))
    (found,) = summarise(generate("darcy", 4, 8)).promises
    assert (found.name, found.statement, found.violation, found.holds) == ("positivity", "u >= 0", 0.0, True)


@pytest.mark.parametrize(("recipe", "resolution"), [("darcy", 16), ("advection", 32)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_generated_samples_keep_what_their_equation_promises(recipe, resolution, dtype):
    promises = summarise(generate(recipe, 4, resolution, dtype=dtype)).promises
    assert promises and all(found.holds for found in promises)


@pytest.mark.parametrize("block", [1, 2**25])
def test_the_sample_that_violates_an_invariant_most_is_named(promises, hand_made, monkeypatch, block):
    monkeypatch.setattr("opforge.datasets.quality.summary._BLOCK_BYTES", block)
    promises(Invariant("positivity", "u >= 0", smallest, 1e-10))
    u = np.ones((5, 4, 4))
    u[1, 0, 0], u[3, 2, 2] = -0.25, -0.5
    (found,) = summarise(hand_made(Grid((4, 4)), {"a": 0 * u + 1, "u": u}, equation=Darcy())).promises
    assert (found.violation, found.sample, found.holds) == (0.5, 3, False)


def test_a_violation_that_is_no_number_is_no_promise_kept(promises, hand_made):
    promises(Invariant("nothing", "0 = 0", lambda equation, fields, grid: np.array([0.0, np.nan, 1.0]), 1e-10))
    u = np.ones((3, 4, 4))
    (found,) = summarise(hand_made(Grid((4, 4)), {"a": u, "u": u}, equation=Darcy())).promises
    assert np.isnan(found.violation) and found.sample == 1 and not found.holds


@pytest.mark.parametrize(("dtype", "widened"), [(np.float32, True), (np.float64, False)])
def test_tolerance_allows_for_the_rounding_of_what_is_stored(promises, hand_made, dtype, widened):
    promises(Invariant("positivity", "u >= 0", smallest, 1e-10))
    u = np.ones((1, 4, 4), dtype)
    u[0, 0, 0] = -1e-7
    (found,) = summarise(hand_made(Grid((4, 4)), {"a": 0 * u + 1, "u": u}, equation=Darcy())).promises
    assert found.holds == widened
    assert 1e-10 < found.tolerance < (1e-6 if widened else 1.01e-10)


def test_invariants_get_the_times_of_fields_that_evolve(promises, hand_made):
    promises(Invariant("clock", "u = t", lambda equation, fields, grid: _late(fields), 1e-10))
    times = [0.0, 0.5, 2.0]
    u = np.broadcast_to(np.array(times)[:, None], (2, 3, 8)).copy()
    u[1] += 0.25
    (found,) = summarise(hand_made(Grid((8,)), {"a": np.ones((2, 8)), "u": u}, times, equation=Darcy(ndim=1))).promises
    assert (found.violation, found.sample) == (0.25, 1)


def _late(fields):
    return np.abs(fields["u"] - fields["time"][:, None]).max(axis=(1, 2))


def test_an_equation_of_fields_that_are_not_there_promises_nothing(promises, hand_made):
    promises(Invariant("positivity", "u >= 0", smallest, 1e-10))
    assert summarise(hand_made(Grid((4,)), {"u": np.ones((2, 4))}, equation=Darcy(ndim=1))).promises == ()


def test_invariants_are_not_asked_of_every_second_point(promises):
    promises(Invariant("positivity", "u >= 0", smallest, 1e-10))
    assert summarise(generate("darcy", 2, 8).every(2)).promises == ()


def test_ranges_of_drawn_parameters(loaded, tmp_path):
    data = generate(loaded, 9, 16, out=tmp_path / "d.nc")
    found, values = summarise(data), data.drawn["shift"]
    assert tuple(found.drawn) == ("forcing", "shift") and tuple(found.ranges) == ("a", "u") and found.checked
    shift = found.drawn["shift"]
    assert (shift.min, shift.max, shift.dtype) == (values.min(), values.max(), "float64")
    np.testing.assert_allclose((shift.mean, shift.std), (values.mean(), values.std()), rtol=1e-12)
    assert (shift.lowest, shift.highest) == (values.argmin(), values.argmax())
    assert summarise(generate("darcy", 2, 8)).drawn == {}


@pytest.mark.parametrize("block", [1, 2**25])
def test_invariants_are_given_the_drawn_parameters(loaded, promises, monkeypatch, block):
    def largest(equation, fields, grid):
        return np.abs(8 * fields["u"].max(-1) / fields["forcing"] - 1)

    monkeypatch.setattr("opforge.datasets.quality.summary._BLOCK_BYTES", block)
    promises(Invariant("largest", "max u = forcing / 8", largest, 0.01))
    assert all(promise.holds for promise in summarise(generate(loaded, 5, 64)).promises)
