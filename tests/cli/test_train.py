import json

import h5py
import numpy as np
import pytest

import opforge as package
from opforge.cli.train import build, make_loss, make_optimiser, split
from opforge.errors import InputError, UnknownNameError

SMALL = ("--set", "width=4", "--set", "modes=3", "--device", "cpu")


def trained(opforge, data, out, *words, epochs=2):
    return opforge("--quiet", "train", "fno", data, "--epochs", epochs, *SMALL, "-o", out, *words)


def weights(run):
    from safetensors.torch import load_file

    return load_file(run / "checkpoint" / "weights.safetensors")


def test_run_folder_and_result(opforge, made, tmp_path):
    done = trained(opforge, made.data, "runs/a", "--json", "result.json", "--loss", "h1", "--schedule", "cosine")
    assert done.status == 0 and done.err == ""
    header, row = (line.split("\t") for line in done.out.splitlines())
    assert header == ["run", "epochs", "training loss", "validation relative L2", "H1"]
    assert row[:2] == ["runs/a", "2"]
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["validation"]["samples"] == 1, "a tenth of 12 samples"
    assert 0 < result["validation"]["relative_l2"] < 2
    folder = tmp_path / "runs" / "a"
    kept = json.loads((folder / "metrics.json").read_text())["validation"]
    assert kept == {name: value for name, value in result["validation"].items() if name != "seconds"}
    description = json.loads((folder / "checkpoint" / "checkpoint.json").read_text())
    assert description["model"]["config"]["width"] == 4
    assert description["training"]["loss"]["name"] == "RelativeH1"
    assert description["training"]["optimiser"]["schedule"]["name"] == "Cosine"
    assert description["training"]["symmetries"]


def test_same_command_same_weights_and_another_seed_others(opforge, made, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert trained(opforge, made.data, name, "--seed", seed).status == 0
    a, b, c = (weights(tmp_path / name) for name in "abc")
    for key in a:
        np.testing.assert_array_equal(a[key], b[key])
    assert any(not np.array_equal(a[key], c[key]) for key in a)


def test_interrupted_run_goes_on_with_resume(opforge, made, tmp_path, monkeypatch):
    from opforge.training.loop import Trainer

    assert trained(opforge, made.data, "whole", epochs=3).status == 0
    epoch = Trainer.train_epoch

    def interrupted(self, number, *args):
        if number == 3:
            raise KeyboardInterrupt
        return epoch(self, number, *args)

    monkeypatch.setattr(Trainer, "train_epoch", interrupted)
    done = opforge("train", "fno", made.data, "--epochs", 3, *SMALL, "-o", "parts")
    assert done.status == 130
    assert "--resume" in done.err and done.err.endswith("opforge: interrupted\n")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert trained(opforge, made.data, "parts", "--resume", epochs=3).status == 0
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    for key in whole:
        np.testing.assert_array_equal(whole[key], parts[key])


def test_without_symmetries_and_validation(opforge, made, tmp_path):
    done = trained(opforge, made.data, "a", "--no-symmetries", "--validation", "0", "--json", "-")
    assert json.loads(done.out)["validation"] is None
    description = json.loads((tmp_path / "a" / "checkpoint" / "checkpoint.json").read_text())
    assert not description["training"]["symmetries"]


def test_validation_file(opforge, made, tmp_path):
    done = trained(opforge, made.data, "a", "--validation", made.fine, "--json", "-")
    assert json.loads(done.out)["validation"]["resolution"] == [32, 32]


def test_existing_run_is_kept_unless_forced(opforge, refused, made, tmp_path):
    assert trained(opforge, made.data, "a").status == 0
    words = ("train", "fno", made.data, "--epochs", "1", *SMALL, "-o", "a")
    assert "run folder 'a' exists and is not empty; use --force" in refused(*words)
    assert opforge("--quiet", *words, "--force").status == 0
    assert len((tmp_path / "a" / "history.jsonl").read_text().splitlines()) == 1


def test_resume_with_other_settings_is_refused(opforge, refused, made):
    assert trained(opforge, made.data, "a").status == 0
    line = refused("train", "fno", made.data, "--epochs", "2", *SMALL, "--seed", "3", "-o", "a", "--resume")
    assert "seed" in line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("fon",), "unknown model 'fon'; did you mean 'fno'?"),
        (("fno", "--set", "widht=4"), "unknown setting of fno 'widht'; did you mean 'width'?"),
        (("fno", "--set", "in_channels=4"), "unknown setting of fno 'in_channels'"),
        (("fno", "--set", "modes=100"), "modes must be at most"),
        (("fno", "--set", "width=0"), "width must be at least 1"),
        (("fno", "--set", "width=wide"), "width"),
        (("fno", "--loss", "l3"), "unknown loss 'l3'"),
        (("fno", "--schedule", "cosin"), "unknown schedule 'cosin'; did you mean 'cosine'?"),
        (("fno", "--epochs", "0"), "epochs"),
        (("fno", "--batch-size", "0"), "batch_size"),
        (("fno", "--learning-rate", "0"), "learning_rate"),
        (("fno", "--device", "gpu"), "device"),
        (("fno", "--validation", "1.5"), "--validation expects a part"),
        (("fno", "--validation", "0.99"), "leaves none to train on"),
        (("fno", "--validation", "other.nc"), "validation file 'other.nc' does not exist"),
        (("fno", "--resume"), "run"),
    ],
)
def test_bad_input_is_refused(refused, made, words, expected):
    modes = () if "modes=100" in words else ("--set", "modes=3")
    assert expected in refused("train", words[0], made.data, *words[1:], *modes, "-o", "run")


def test_missing_data_file(refused):
    assert "data file 'none.nc' does not exist" in refused("train", "fno", "none.nc", "-o", "run")


def test_nan_is_named_with_its_sample_and_variable(refused, made, tmp_path):
    copy = tmp_path / "nan.nc"
    copy.write_bytes(made.data.read_bytes())
    with h5py.File(copy, "r+") as file:
        file["u"][5, 3, 3] = np.nan
    line = refused("train", "fno", copy, *SMALL, "-o", "run")
    assert "'u'" in line and "sample 5" in line


def test_split_takes_the_last_part(made):
    import opforge

    data = opforge.open_dataset(made.data)
    train, held_out = split(data, "0.25")
    assert (len(train), len(held_out)) == (9, 3)
    np.testing.assert_array_equal(held_out[0][0], data[9][0])
    assert split(data, "0") == (data, None)


def test_build_make_loss_make_optimiser(made):
    import opforge

    data = opforge.open_dataset(made.data)
    model = build("fno", data, {"width": 4, "modes": (3, 2)}, seed=0)
    assert model.config["modes"] == [3, 2]
    assert make_optimiser(1e-3, "cosine").rate(0, 10) == pytest.approx(1e-3)
    assert type(make_loss("l2")).__name__ == "RelativeLp"
    with pytest.raises(UnknownNameError, match="model"):
        build("none", data, {}, seed=0)
    with pytest.raises(InputError, match="modes"):
        build("fno", data, {"modes": (3, 2, 1)}, seed=0)


@pytest.mark.parametrize(
    "wrong",
    [
        ("--epochs", 0),
        ("--batch-size", 0),
        ("--loss", "l3"),
        ("--schedule", "x"),
        ("--learning-rate", -1),
        ("--set", "points=nodes"),
        ("--set", "width=100000000"),
        ("--resume",),
    ],
)
def test_a_refused_replacement_leaves_the_run_as_it_was(opforge, refused, made, tmp_path, wrong):
    assert trained(opforge, made.data, "run").status == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    refused("train", "fno", made.data, "--set", "modes=3", "-o", "run", "--force", *wrong)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_step_by_step_in_time(opforge, refused, made, tmp_path):
    words = ["--set", "width=4", "--set", "modes=2", "--epochs", "1"]
    frames = ["--resolution", "32", "--set", "frames=9"]
    assert opforge("generate", "advection", "-n", "10", *frames, "-o", "d.nc").status == 0
    assert opforge("train", "fno", "d.nc", "-o", "run", "--windows", "2:1", *words).status == 0
    operator = package.load("run")
    assert (operator.inputs, operator.outputs) == (("u[-1]", "u[0]"), ("u",))
    assert opforge("evaluate", "run", "d.nc").status == 0
    assert (
        opforge("train", "fno", "d.nc", "-o", "other", "--windows", "1:2", "--validation", "d.nc", *words).status == 0
    )
    for value, expected in (
        ("2", "--windows expects GIVEN:WANTED, such as 2:1 for two frames in and one out, got '2'"),
        ("a:1", "got 'a:1'"),
        ("9:1", "frames"),
        ("0:1", "at least 1 frame"),
    ):
        assert expected in refused("train", "fno", "d.nc", "-o", "no", "--windows", value, *words)
    assert "windows need fields that change with time" in refused(
        "train", "fno", made.data, "-o", "no", "--windows", "1:1", *words
    )
