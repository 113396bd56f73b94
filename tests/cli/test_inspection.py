import json
import os
import shutil

import h5py
import numpy as np
import pytest

import opforge as package
from opforge.cli.inspection import is_run, milestones, of_run, read_history
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


def overwritten(path):
    with open(path, "r+b") as file:
        file.seek(300)
        file.write(b"\xff" * 512)


def changed(change):
    """A change through HDF5, which leaves the structure in order."""

    def make(path):
        with h5py.File(path, "r+", libver="latest") as file:
            change(file)

    return make


# what the line says -> what was done to a file of opforge
DAMAGED = {
    "cut off or damaged": overwritten,
    "bytes are there": lambda path: os.truncate(path, path.stat().st_size // 2),
    "'big' takes 100.0 MB": changed(lambda file: file.attrs.update(big=np.zeros(12_500_000))),
    "'text' takes 100.0 MB": changed(lambda file: file["a"].attrs.update(text="x" * 100_000_000)),
    "variable 'more' is a link to another file": changed(
        lambda file: file.__setitem__("more", h5py.ExternalLink("other.nc", "/a"))
    ),
    "variable 'u' is a group": changed(lambda file: (file.pop("u"), file.create_group("u"))),
    "coordinate 'x' is not that of the attribute 'grid'": changed(lambda file: file["x"].write_direct(np.zeros(16))),
    "does not agree with its checksum": changed(lambda file: file["u"].write_direct(np.zeros((12, 16, 16), "f4"))),
    r"solver_residual, seed, checksum, n\nm": changed(lambda file: file.move("u", "n\nm")),
    "the dimension 'sample' is missing": changed(lambda file: [file.pop(name) for name in list(file)]),
}


@pytest.mark.parametrize("expected", DAMAGED)
def test_what_is_damaged_or_odd_is_one_line(refused, made, tmp_path, expected):
    copy = tmp_path / "copy.nc"
    copy.write_bytes(made.data.read_bytes())
    DAMAGED[expected](copy)
    assert expected in refused("inspect", copy)


@pytest.fixture
def shards(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for i in (1, 2):
        package.generate("darcy", 5, 16, shard=(i, 2), out=folder / f"d-{i}.nc")
    return folder


@pytest.mark.parametrize("named", ["shards", "shards/d-*.nc"])
def test_sets_of_shards_are_one_dataset(opforge, shards, made, named):
    found = json.loads(opforge("inspect", named, "--json", "-").out)
    assert found["dimensions"] == {"sample": 5, "x": 16, "y": 16} and len(found["files"]) == 2
    assert found["bytes"] == sum(path.stat().st_size for path in shards.iterdir())
    assert "2 files" in opforge("inspect", named).out


def test_folders_of_runs_and_of_data_are_told_apart(shards, made, tmp_path):
    assert is_run(made.run) and is_run(made.run / "checkpoint") and is_run(tmp_path)
    assert not is_run(shards) and not is_run(made.data)
    shutil.copytree(made.run / "checkpoint", shards / "checkpoint")
    assert is_run(shards)


def test_verification(opforge, made):
    done = opforge("inspect", made.data, "--verify", "-n", 2)
    assert done.status == 0
    for shown in ("made again", "the same, bit by bit", "data error", "Samples 0, 6", "order"):
        assert shown in done.out
    found = json.loads(opforge("inspect", made.data, "--verify", "--json", "-").out)["verification"]
    assert len(found["samples"]) == 3 and found["again"]["u"] == {"mean": 0.0, "max": 0.0}
    assert json.loads(opforge("inspect", made.data, "--json", "-").out)["verification"] is None


def test_card_goes_to_stdout_or_to_a_file(opforge, refused, made, tmp_path):
    printed = opforge("inspect", made.data, "--card").out
    assert printed.startswith("# Data card: data.nc\n")
    done = opforge("inspect", made.data, "--card", "-o", "card.md")
    assert (done.status, done.out) == (0, "") and "wrote card.md" in done.err
    assert (tmp_path / "card.md").read_text(encoding="utf-8") == printed
    assert "data card 'card.md' exists; use --force" in refused("inspect", made.data, "--card", "-o", "card.md")


def test_picture(opforge, made, tmp_path):
    done = opforge("inspect", made.data, "--picture", "p.png")
    assert done.status == 0 and "wrote p.png" in done.err and "permeability" in done.out
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("{data}", "-n", "2"), "--samples needs --verify"),
        (("{data}", "--verify", "-n", "0"), "--samples must be at least 1, got 0"),
        (("{data}", "-o", "x.md"), "--out is the file for --card"),
        (("{data}", "--card", "--json", "-"), "--card and --json - both write to stdout"),
        (("{data}", "--picture", "x.gif"), "must end in one of .png, .pdf, .svg"),
        (("{data}", "--picture", "none/x.png"), "the folder of picture"),
        (("{data}", "--card", "-o", "."), "data card '.' is a folder"),
        (("{run}", "--verify"), "--verify is for data files"),
        (("{run}", "--card"), "--card is for data files"),
        (("{run}", "--picture", "x.png"), "--picture is for data files"),
        (("none-*.nc",), "no file fits the pattern none-*.nc"),
    ],
)
def test_options_that_do_not_go_together(refused, made, words, expected):
    assert expected in refused("inspect", *(word.format(**vars(made)) for word in words))


def test_only_generated_data_can_be_verified(refused, made, tmp_path):
    copy = tmp_path / "copy.nc"
    copy.write_bytes(made.data.read_bytes())
    with h5py.File(copy, "r+") as file:
        del file.attrs["recipe"]
        file["u"][11, 0, 0] = np.nan  # it is refused before the samples are read
    assert "names no recipe" in refused("inspect", copy, "--verify")


def test_a_shard_without_a_good_sample_says_what_it_is_and_why(opforge, refused, tmp_path):
    options = {"coefficient": "lognormal", "sigma": 1e4, "on_error": "skip", "workers": 1}
    for i in (1, 2):
        with pytest.warns(UserWarning, match="samples failed"):
            package.generate("darcy", 5, (8, 6), shard=(i, 2), out=tmp_path / f"{i}.nc", **options)
    found = json.loads(opforge("inspect", "2.nc", "--json", "-").out)
    assert found["dimensions"] == {"sample": 0, "x": 8, "y": 6} and found["failed"]["samples"] == 3
    assert [reason.split(" (")[0] for reason in found["failed"]["reasons"]] == ["sample 2", "sample 3", "sample 4"]
    assert found["as_written"] is True and found["checksums_agree"] is None
    tables, card = opforge("inspect", "2.nc"), opforge("inspect", "2.nc", "--card")
    assert tables.status == card.status == 0
    for shown in ("0: a shard, samples 2 to 4 of 5", "permeability", "lognormal", *found["failed"]["reasons"]):
        assert shown in tables.out and shown in card.out
    assert "all 3 samples failed when they were generated" in tables.out and "All 3 samples failed" in card.out
    assert "open_dataset" not in card.out and "opforge generate" not in card.out
    of_all = json.loads(opforge("inspect", "?.nc", "--json", "-").out)["failed"]
    assert [reason.split(" (")[0] for reason in of_all["reasons"]] == [f"sample {i}" for i in range(5)]
    for option in (("--verify",), ("--picture", "p.png")):
        assert f"{option[0]} needs samples, all 3 of '2.nc' failed" in refused("inspect", "2.nc", *option)
    assert "all 5 of them failed (sample 0 (seed" in refused("plot", "?.nc", "-o", "p.png")


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
