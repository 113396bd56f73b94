import json

import h5py
import numpy as np
import pytest

import opforge as package
from opforge.cli.inspection import milestones, of_file, of_run, read_history
from opforge.errors import InputError


def test_file(opforge, made):
    found = json.loads(opforge("inspect", made.data, "--json", "-").out)
    x, y = (field.double() for field in package.open_dataset(made.data).batch(range(12)))
    assert found["dimensions"] == {"sample": 12, "x": 16, "y": 16}
    assert found["grid"]["shape"] == [16, 16]
    assert found["variables"]["a"]["min"] == 3 and found["variables"]["a"]["max"] == 12
    for name, values in (("a", x), ("u", y)):
        assert found["variables"][name]["mean"] == pytest.approx(float(values.mean()), rel=1e-9)
    assert found["variables"]["u"]["units"] == "1"
    assert 0 < found["solver_residual"]["max"] < 1e-7
    assert found["provenance"]["seed"] == 0


def test_file_as_tables(opforge, made):
    out = opforge("inspect", made.data).out
    for shown in ("permeability", "pressure", "sample 12, x 16, y 16", "solver residual", "coefficient=threshold"):
        assert shown in out


def test_run(opforge, made):
    found = of_run(made.run)
    operator = package.load(made.run)
    assert found["parameters"] == sum(p.numel() for p in operator.model.parameters())
    assert found["model"]["config"]["width"] == 4
    assert [line["epoch"] for line in found["history"]] == [1, 2]
    out = opforge("inspect", made.run).out
    for shown in ("fno", f"{found['parameters']:,}", "a -> u", "16 x 16 cells", "RelativeLp", "validation loss"):
        assert shown in out


def test_range_is_that_of_all_samples(made, tmp_path, monkeypatch):
    monkeypatch.setattr("opforge.cli.inspection.CHUNK", 5)
    copy = tmp_path / "copy.nc"
    copy.write_bytes(made.data.read_bytes())
    with h5py.File(copy, "r+") as file:
        file["u"][11, 0, 0] = -7.0
        del file["checksum"]
    assert of_file(copy)["variables"]["u"]["min"] == -7.0
    assert of_file(made.data)["variables"] == of_file(made.data)["variables"]


def test_nan_is_named(refused, made, tmp_path):
    copy = tmp_path / "copy.nc"
    copy.write_bytes(made.data.read_bytes())
    with h5py.File(copy, "r+") as file:
        file["u"][11, 0, 0] = np.nan
    line = refused("inspect", copy)
    assert "'u'" in line and "sample 11" in line


def test_what_is_neither_is_refused(refused, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("x")
    for name, expected in (("none", "does not exist"), ("folder", "checkpoint"), ("text", "HDF5")):
        assert expected in refused("inspect", name)


def test_damaged_history(tmp_path):
    assert read_history(tmp_path) == []
    for damaged in ('{"epoch": 1}\n{"epo', '{"epoch": 1}\n', "[1]\n"):
        (tmp_path / "history.jsonl").write_text(damaged)
        with pytest.raises(InputError, match=r"history.jsonl is damaged"):
            read_history(tmp_path)


def test_milestones_keep_the_ends():
    history = [{"epoch": e} for e in range(1, 101)]
    kept = milestones(history)
    assert len(kept) == 8 and kept[0]["epoch"] == 1 and kept[-1]["epoch"] == 100
    assert milestones(history[:3]) == history[:3]
