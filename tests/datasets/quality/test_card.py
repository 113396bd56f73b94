import hashlib
import re
import shlex
import warnings

import h5netcdf
import numpy as np
import pytest

from opforge import generate, open_dataset
from opforge.cli import main
from opforge.core import Grid
from opforge.datasets.quality.card import command, data_card, markdown
from opforge.datasets.quality.spectra import spectra
from opforge.datasets.quality.summary import summarise
from opforge.datasets.quality.tables import Table
from opforge.datasets.quality.verification import verify


def card_of(data, paths, **options):
    return data_card(data, paths, summarise(data, paths), spectra(data), **options)


def tables(card):
    """The tables of a card: lists of rows of cells."""
    blocks = [block.splitlines() for block in card.split("\n\n") if block.startswith("|")]
    return [[re.split(r"(?<!\\)\|", line)[1:-1] for line in block] for block in blocks]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"coefficient": "lognormal", "sigma": 2.5, "dtype": "float64"},
        {"shard": (2, 3), "forcing": -2.0},
        {"coefficient": "lognormal", "sigma": 170.0, "on_error": "skip"},
        {"ndim": 1},
    ],
)
@pytest.mark.filterwarnings("ignore:.*samples failed and were left out")
def test_its_command_makes_the_file_again(tmp_path, monkeypatch, options):
    ndim = options.get("ndim", 2)
    data = generate("darcy", 7, (8, 6)[:ndim], seed=3, out=tmp_path / "d.nc", **options)
    assert (data.samples < 7) == ("on_error" in options or "shard" in options)
    words = shlex.split(command(data, summarise(data), "again.nc"))
    monkeypatch.chdir(tmp_path)
    assert words[0] == "opforge" and main(["--quiet", *words[1:]]) == 0
    assert (tmp_path / "again.nc").read_bytes() == (tmp_path / "d.nc").read_bytes()


def test_its_command_gives_one_value_per_axis(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = generate("advection", 2, 18, out="a.nc", ndim=2, velocity=(1.0, -0.5), frames=3)
    words = shlex.split(command(open_dataset("a.nc"), summarise(data), "again.nc"))
    assert main(["--quiet", *words[1:]]) == 0
    assert (tmp_path / "again.nc").read_bytes() == (tmp_path / "a.nc").read_bytes()


def test_card_of_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = generate("darcy", 3, 8, out="d.nc")
    card = card_of(data, [data.path], verification=verify(data, 1))
    for words in (
        "# Data card: d.nc",
        "> −∇·(a ∇u) = f in the grid's box, u = 0 on its boundary.",
        "permeability",
        "8 x 8, points: cells",
        "Every sample agrees with its checksum.",
        hashlib.sha256((tmp_path / "d.nc").read_bytes()).hexdigest(),
        "opforge generate darcy -n 3 --resolution 8 --seed 0 -o d.nc",
        "the same, bit by bit",
    ):
        assert words in card
    found = tables(card)
    assert len(found) == 7 and all(len({len(row) for row in rows}) == 1 and len(rows) > 2 for rows in found)
    assert all(set("".join(rows[1])) == {"-"} for rows in found)
    titles = [line for line in card.splitlines() if line.startswith("#")]
    assert titles[1:] == [
        "## What it is",
        "## How it was made",
        "## How good it is",
        "### Invariants",
        "### Spectra",
        "### Data error",
        "## Files",
    ]


def test_its_python_opens_the_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i in (1, 2):
        generate("darcy", 4, 8, shard=(i, 2), out=tmp_path / f"d-{i}.nc")
    paths = [tmp_path / "d-1.nc", tmp_path / "d-2.nc"]
    card = card_of(open_dataset("d-*.nc"), paths, place="d-*.nc")
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    found = {}
    exec(code, found)
    assert found["dataset"].samples == 4 and found["x"].shape == (1, 8, 8)
    assert "-o dataset.nc" in card
    assert "a shard, samples 2 to 3 of 4" in card_of(open_dataset(paths[1]), paths[1:])


def test_reasons_of_failures_are_listed(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = generate("darcy", 6, 8, coefficient="lognormal", sigma=150.0, on_error="skip", out=tmp_path / "d.nc")
    failed = 6 - data.samples
    card = card_of(data, [data.path], verification=verify(data, 4))
    assert f"{failed} samples failed when they were generated" in card
    good = [i for i in range(6) if f"- sample {i} (seed" not in card]
    assert len(good) == data.samples == 4 and good != [0, 1, 2, 3]
    assert "Numbers of samples: sample i is the one that (seed, i) makes; dataset[k]" in card
    assert f"Samples {', '.join(map(str, good))} made again from their seeds" in card
    assert int(re.findall(r"largest .* \(sample (\d)\)", card)[0]) in good
    assert len(re.findall(r"^- sample \d+ \(seed \d+\): .*sigma", card, re.MULTILINE)) == failed


def test_a_file_of_another_program(tmp_path):
    with h5netcdf.File(tmp_path / "f.nc", "w") as file:
        file.dimensions = {"sample": 2, "time": 3, "x": 8}
        for name in ("k", "v"):
            dimensions = ("sample", "x") if name == "k" else ("sample", "time", "x")
            sizes = [file.dimensions[axis].size for axis in dimensions]
            file.create_variable(name, dimensions, data=np.random.default_rng(0).uniform(size=sizes))
    data = open_dataset(tmp_path / "f.nc", inputs=("k",), outputs=("v",))
    assert command(data, summarise(data), "f.nc") is None
    card = card_of(data, [data.path])
    assert "2 samples of k → v." in card and "The file does not say." in card and "3 frames, 0 to 2" in card
    assert "opforge generate" not in card and "checksum" not in card


def test_units_of_space_and_time(waves, tmp_path):
    (tmp_path / "w.nc").write_bytes(b"waves")
    card = card_of(waves(2, lengths=(2.0, 1.0)), [tmp_path / "w.nc"])
    assert "| box | 0 ≤ x ≤ 2, 0 ≤ y ≤ 1 (m) |" in card and "| times | 5 frames, 0 to 2 s |" in card


def test_cells_keep_the_table_whole():
    rows = tables(markdown(Table("", ("a|b", "c"), (("|u|\nv", 1.0), (None, "x")), ("Below.",))))[0]
    assert [len(row) for row in rows] == [2, 2, 2, 2]
    assert rows[2] == [" \\|u\\| v ", " 1 "] and rows[3] == [" - ", " x "]


def test_grid_of_nodes(hand_made, tmp_path):
    (tmp_path / "w.nc").write_bytes(b"")
    card = card_of(hand_made(Grid((5,), (3.0,), "nodes", (1.0,)), {"u": np.ones((2, 5))}), [tmp_path / "w.nc"])
    assert "5, points: nodes" in card and "1 ≤ x ≤ 4 (m)" in card and "| constant |" in card


def test_drawn_parameters_are_in_the_card(tmp_path, loaded):
    data = generate(loaded, 3, 16, out=tmp_path / "d.nc")
    card = card_of(data, [data.path])
    assert "`dataset.drawn`" in card and "| forcing | strength of the load | Pa m-2 | 1." in card
    least, most = data.drawn["forcing"].min(), data.drawn["forcing"].max()
    assert f"| equation parameters | ndim=1, forcing=drawn for each sample, {least:.4g} to {most:.4g} |" in card
    assert "drawn" not in card_of(generate("darcy", 2, 8), [], place="d.nc")


@pytest.mark.parametrize(
    "part",
    [
        lambda data: data.every(space=2),
        lambda data: data.every(1, 3),
        lambda data: data.subset([5, 2, 2]),
        lambda data: data.subset(slice(1, None)),
    ],
)
def test_a_part_of_a_dataset_is_not_said_to_be_made_by_a_command(tmp_path, part):
    whole = generate("advection", 6, 32, frames=7, out=tmp_path / "whole.nc")
    assert command(whole, summarise(whole), "f.nc") is not None
    part(whole).to_xarray().to_netcdf(tmp_path / "part.nc", engine="h5netcdf")
    data = open_dataset(tmp_path / "part.nc")
    assert command(data, summarise(data), "f.nc") is None
    assert "The same numbers are made by" not in card_of(data, [tmp_path / "part.nc"])
