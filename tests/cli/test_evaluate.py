import json
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch

import opforge as package
from opforge.cli.evaluate import mean_output_metrics, recorded_metrics, same_functions
from opforge.core import Grid
from opforge.errors import InputError
from opforge.models import FNO
from opforge.training import evaluate


def test_table_has_both_resolutions_and_a_yardstick(opforge, made):
    done = opforge("--quiet", "evaluate", made.run, made.fine)
    assert done.status == 0
    header, *rows = (line.split("\t") for line in done.out.splitlines())
    assert header == ["data", "resolution", "samples", "relative L2", "H1", "max error", "residual", "data's residual"]
    assert [row[:3] for row in rows] == [
        ["validation part: operator", "16 x 16", "3"],
        ["fine.nc: operator, at the training's resolution", "16 x 16", "4"],
        ["fine.nc: operator", "32 x 32", "4"],
        ["fine.nc: its mean output", "32 x 32", "4"],
    ]
    assert all(float(number) > 0 for row in rows for number in row[3:])


def test_json_agrees_with_the_library(opforge, made):
    found = json.loads(opforge("evaluate", made.run, made.fine, "--json", "-").out)
    expected = package.training.evaluate(package.load(made.run), package.open_dataset(made.fine))
    for name in ("relative_l2", "h1", "max_error", "residual"):
        assert found["metrics"][name] == pytest.approx(expected[name], rel=1e-9)
    assert found["metrics"]["resolution"] == [32, 32]
    assert found["validation"]["samples"] == 3
    same = package.generate("darcy", 4, 16, seed=1)
    expected = package.training.evaluate(package.load(made.run), same)["relative_l2"]
    assert found["training_resolution"]["relative_l2"] == pytest.approx(expected, rel=1e-6)


def test_samples_that_were_trained_on_are_named(opforge, made):
    done = opforge("evaluate", made.run, made.data, "--json", "-")
    assert "was trained on (same recipe and seed): not a test" in done.err
    assert json.loads(done.out)["seen_in_training"] is True
    done = opforge("evaluate", made.run, made.fine, "--json", "-")
    assert "trained on" not in done.err
    assert json.loads(done.out)["seen_in_training"] is False


def test_json_file_is_kept_unless_forced(opforge, refused, made, tmp_path):
    assert opforge("evaluate", made.run, made.data, "--json", "m.json").status == 0
    assert "JSON file 'm.json' exists" in refused("evaluate", made.run, made.data, "--json", "m.json")
    assert opforge("evaluate", made.run, made.data, "--json", "m.json", "--force").status == 0
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]


def test_mean_output_is_the_best_constant_guess(made):
    data = package.open_dataset(made.data)
    _, outputs = data.batch(range(len(data)))
    expected = (outputs - outputs.mean(0)).double().flatten(1).norm(dim=1) / outputs.double().flatten(1).norm(dim=1)
    metrics = mean_output_metrics(data, batch_size=5)
    assert metrics.relative_l2 == pytest.approx(float(expected.mean()), rel=1e-5)
    torch.testing.assert_close(torch.tensor(metrics.per_sample["relative_l2"]), expected, rtol=1e-5, atol=0.0)


def test_nothing_is_generated_anew_where_it_would_not_be_the_same():
    data = package.generate("darcy", 4, 16)
    assert same_functions(data, data.grid, progress=False) is None
    assert same_functions(data, None, progress=False) is None
    assert same_functions(data.subset([1, 3]), Grid((8, 8)), progress=False) is None
    again = same_functions(data, Grid((8, 8)), progress=False)
    assert (len(again), again.grid.shape, again.provenance["seed"]) == (4, (8, 8), 0)
    stranger = SimpleNamespace(provenance={"samples": 4}, grid=data.grid)
    assert same_functions(stranger, Grid((8, 8)), progress=False) is None


def test_run_without_recorded_errors(tmp_path):
    assert recorded_metrics(tmp_path) is None
    for damaged in ("{", '{"validation": {}}', "[]"):
        (tmp_path / "metrics.json").write_text(damaged)
        with pytest.raises(InputError, match=r"metrics.json is damaged"):
            recorded_metrics(tmp_path)


def altered(made, path, change):
    path.write_bytes(made.data.read_bytes())
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def test_other_channels_are_refused(refused, made, tmp_path):
    def two_inputs(file):
        file.copy("a", "b")
        file.attrs["inputs"] = "a b"

    path = altered(made, tmp_path / "two.nc", two_inputs)
    line = refused("evaluate", made.run, path)
    assert "was trained for 1 inputs (a)" in line and "has 2 (a, b)" in line


def test_other_dimension_is_refused(opforge, refused, made):
    words = ("generate", "darcy", "-n", 2, "--resolution", 16, "--set", "ndim=1", "-o", "line.nc")
    assert opforge("--quiet", *words).status == 0
    assert "was trained in 2-D" in refused("evaluate", made.run, "line.nc")


def test_damaged_data_is_refused(refused, made, tmp_path):
    content = made.data.read_bytes()
    (tmp_path / "text.nc").write_text("no HDF5 at all")
    (tmp_path / "cut.nc").write_bytes(content[: len(content) // 2])
    (tmp_path / "empty.nc").touch()
    altered(made, tmp_path / "lacks.nc", lambda file: file.__delitem__("u"))
    altered(made, tmp_path / "nan.nc", lambda file: file["a"].__setitem__((7, 0, 0), np.inf))
    for name, expected in (
        ("text.nc", "not an HDF5 file"),
        ("cut.nc", "cut off"),
        ("empty.nc", "empty"),
        ("lacks.nc", "'u' is missing"),
        ("nan.nc", "sample 7"),
    ):
        line = refused("evaluate", made.run, name)
        assert name in line and expected in line
    assert "'a'" in line, "the variable with the infinity"


def test_damaged_runs_are_refused(refused, made, tmp_path):
    import shutil

    for name in ("bare", "cut", "garbled"):
        shutil.copytree(made.run, tmp_path / name)
    shutil.rmtree(tmp_path / "bare" / "checkpoint")
    weights = tmp_path / "cut" / "checkpoint" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    (tmp_path / "garbled" / "checkpoint" / "checkpoint.json").write_text("{}")
    for name, expected in (("bare", "checkpoint"), ("cut", "cut off"), ("garbled", "format"), ("none", "exist")):
        line = refused("evaluate", name, made.data)
        assert name in line and expected in line


def steps(**options):
    return package.generate("advection", 12, 32, frames=6, end_time=1.0, **options)


@pytest.fixture
def stepper(tmp_path):
    """A run that was trained from each frame to the next, and a file of other functions."""
    pairs = steps().windows()
    package.fit(FNO.for_data(pairs, width=8, modes=9), pairs, 20, out="run", progress=False)
    steps(seed=1, out="t.nc")
    return package.load("run")


def test_a_run_is_measured_on_the_pairs_of_frames_that_it_was_trained_on(opforge, stepper):
    assert opforge("evaluate", "run", "t.nc", "--json", "m.json").status == 0
    found = json.loads(Path("m.json").read_text())["metrics"]
    expected = evaluate(stepper, package.open_dataset("t.nc").windows())
    assert (found["samples"], found["relative_l2"]) == (60, pytest.approx(expected.relative_l2, rel=1e-6))
    assert found["relative_l2"] < 0.5 * evaluate(stepper, package.open_dataset("t.nc")).relative_l2, "not to the end"
    assert opforge("plot", "run", "--data", "t.nc", "-o", "p.png").status == 0


def test_frames_of_another_interval_are_refused(opforge, refused, stepper):
    package.generate("advection", 3, 32, frames=4, end_time=1.0, out="other.nc")
    assert "interval 0.2 from one to the next, they are 0.333333 apart" in refused("evaluate", "run", "other.nc")
    package.generate("darcy", 3, 32, ndim=1, out="still.nc")
    assert "a, u do not" in refused("evaluate", "run", "still.nc")


@pytest.mark.parametrize(
    ("recipe", "settings", "windows"),
    [
        ("heat", ("ndim=1", "coefficient=lognormal"), "1:1"),
        ("burgers", ("frames=21",), "2:2"),
    ],
)
def test_residual_of_a_run_trained_step_by_step(opforge, recipe, settings, windows):
    parameters = [word for setting in settings for word in ("--set", setting)]
    for seed, name in ((0, "data.nc"), (1, "test.nc")):
        words = ("generate", recipe, "-n", 12, "--resolution", 32, "--seed", seed, *parameters, "-o", name)
        assert opforge("--quiet", *words).status == 0
    words = ("train", "fno", "data.nc", "--windows", windows, "--epochs", 40, "--set", "width=8", "--set", "modes=6")
    assert opforge("--quiet", *words, "--validation", "0.25", "-o", "run").status == 0
    found = json.loads(opforge("evaluate", "run", "test.nc", "--json", "-").out)
    pairs = package.open_dataset("test.nc").windows(*map(int, windows.split(":")))
    expected = evaluate(package.load("run"), pairs)
    for part in (found["metrics"], found["validation"], found["mean_output"]):
        assert part["residual_note"] is None
        assert 0 < 2 * part["data_residual"] < part["residual"] < 2
    assert found["metrics"]["residual"] == pytest.approx(expected.residual, rel=1e-6)
    assert found["metrics"]["residual"] < 0.5 * found["mean_output"]["residual"]


def test_a_run_from_the_first_frame_to_the_last_has_no_residual(opforge):
    package.generate("wave", 12, 32, ndim=1, out="data.nc", progress=False)
    assert opforge("--quiet", "train", "fno", "data.nc", "--epochs", 2, "--set", "modes=6", "-o", "run").status == 0
    done = opforge("evaluate", "run", "data.nc")
    assert "note: there is no residual: frames that are 1 apart in time are too far apart" in done.err
    rows = [line.split("\t") for line in opforge("--quiet", "evaluate", "run", "data.nc").out.splitlines()]
    assert [row[-2] for row in rows[1:]] == ["-"] * 3 and all(float(row[-1]) > 0.5 for row in rows[1:])


def test_runs_of_earlier_versions_have_no_residual_of_their_data(opforge, made, tmp_path):
    import shutil

    shutil.copytree(made.run, tmp_path / "old")
    path = tmp_path / "old" / "metrics.json"
    kept = json.loads(path.read_text())
    del kept["validation"]["data_residual"], kept["validation"]["residual_note"]
    path.write_text(json.dumps(kept))
    _, first, *_ = opforge("--quiet", "evaluate", "old", made.fine).out.splitlines()
    assert first.split("\t")[0] == "validation part: operator" and first.endswith("\t-")
