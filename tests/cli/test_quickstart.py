import json
import shlex
from dataclasses import replace

import pytest
import xarray

from opforge.cli import quickstart as module
from opforge.cli.quickstart import FAST, FULL, Plan
from opforge.errors import InputError

TINY = replace(
    FAST,
    resolution=16,
    fine_resolution=32,
    train_samples=12,
    validation_samples=3,
    test_samples=4,
    epochs=2,
    width=4,
    modes=3,
    depth=2,
)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(module, "FAST", TINY)


def test_full_settings_are_those_of_the_readme():
    assert (FULL.resolution, FULL.fine_resolution, FULL.train_samples, FULL.test_samples) == (64, 128, 1000, 100)


def test_quickstart_writes_everything_and_its_commands_give_the_same(opforge, tiny, tmp_path):
    done = opforge("quickstart", "--fast", "--device", "cpu")
    assert done.status == 0, done.err
    folder = tmp_path / "quickstart"
    expected = {"train.nc", "validation.nc", "test16.nc", "test32.nc", "run", "metrics.json"}
    expected |= {"prediction16.png", "prediction32.png", "learning_curve.png"}
    assert {path.name for path in folder.iterdir()} == expected
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["seconds"] + 0.05 >= sum(metrics["phases"].values()) > 0  # each is rounded
    assert set(metrics["resolutions"]) == {"16", "32"}
    for result in metrics["resolutions"].values():
        assert all(result[name] > 0 for name in ("relative_l2", "h1", "max_error", "residual"))
        assert result["samples"] == 4
    assert "zero-shot" in done.out and "its mean output" in done.out
    _same_by_the_printed_commands(opforge, done.err, metrics, folder)


def _same_by_the_printed_commands(opforge, said, metrics, folder):
    """Run what the quickstart printed, in another folder, and compare data, errors and pictures."""
    commands = [shlex.split(line) for line in said.splitlines() if line.startswith("  opforge ")]
    (folder.parent / "again").mkdir()
    results = {}
    for _, *words in commands:
        words = [word.replace("quickstart/", "again/") for word in words]
        if words[0] == "evaluate":
            results[words[2]] = json.loads(opforge(*words, "--json", "-").out)["metrics"]
        else:
            assert opforge("--quiet", *words).status == 0
    for name in ("train.nc", "validation.nc", "test16.nc", "test32.nc"):
        with xarray.open_dataset(folder / name) as one, xarray.open_dataset(folder.parent / "again" / name) as two:
            xarray.testing.assert_identical(one, two)
    for resolution, result in metrics["resolutions"].items():
        for name in ("relative_l2", "h1", "max_error", "residual"):
            assert results[f"again/test{resolution}.nc"][name] == pytest.approx(result[name], rel=1e-6)
    assert len(list(folder.parent.glob("*.png"))) == 3


def test_both_tests_are_the_same_functions():
    plan = Plan(FULL, "q", seed=0, device="auto")
    assert plan.data["test64.nc"] == (100, 64, 1)
    assert plan.data["test128.nc"] == (100, 128, 1)
    assert plan.data["train.nc"] == (1000, 64, 0)
    seeds = {seed for name, (_, _, seed) in plan.data.items() if not name.startswith("test")}
    assert 1 not in seeds, "training and validation never see the test's samples"


def test_existing_folder_is_kept_unless_forced(opforge, refused, tiny, tmp_path):
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "notes.txt").write_text("precious")
    assert "output folder 'q' exists and is not empty" in refused("quickstart", "--fast", "--out", "q")
    assert opforge("--quiet", "quickstart", "--fast", "--out", "q", "--force").status == 0
    assert (tmp_path / "q" / "notes.txt").read_text() == "precious"


def test_quiet_prints_the_table_alone(opforge, tiny):
    done = opforge("--quiet", "quickstart", "--fast")
    assert (done.status, done.err) == (0, "")
    assert len(done.out.splitlines()) == 5


def test_unknown_device_is_refused_before_anything_is_written(refused):
    assert "device" in refused("quickstart", "--device", "gpu")


@pytest.mark.parametrize("seed", [-1, 2**63 - 1])
def test_a_seed_out_of_range_is_refused_before_anything_is_written(refused, seed):
    assert "--seed must lie between" in refused("quickstart", "--fast", "--out", "q", "--seed", seed)


def test_nothing_is_left_where_nothing_was_made(opforge, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise InputError("the disk is full")

    monkeypatch.setattr("opforge.generate", full, raising=False)
    assert opforge("--quiet", "quickstart", "--fast", "--out", "q").status == 2
    assert list(tmp_path.iterdir()) == []
