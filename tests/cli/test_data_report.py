import json
import warnings
from dataclasses import replace

import h5py
import numpy as np
import pytest

import opforge
from opforge.cli.console import Report
from opforge.cli.data_report import as_values, look_at, show
from opforge.core import Grid
from opforge.datasets.files.columns import checksums
from opforge.datasets.files.header import Header
from opforge.datasets.files.writer import FileWriter


def write(path, u):
    """A file of opforge's own layout whose field u (4, 3, 8) evolves."""
    times = (0.0, 0.5, 2.0)
    header = Header(("u",), ("u",), Grid((8,), points="periodic"), 4, times=times, evolving=("u",))
    arrays = {
        "u": u.astype(np.float32),
        "solver_residual": np.zeros(4),
        "seed": np.arange(4, dtype=np.uint64),
    }
    with FileWriter(path, header, np.dtype(np.float32)) as writer:
        writer.put(0, {**arrays, "checksum": checksums(arrays)})
    return path


def test_fields_that_evolve(tmp_path, capsys):
    found = look_at(write(tmp_path / "w.nc", np.random.default_rng(0).standard_normal((4, 3, 8))))
    values = json.loads(json.dumps(as_values(found), allow_nan=False))
    assert values["dimensions"] == {"sample": 4, "time": 3, "x": 8} and values["times"] == [0.0, 0.5, 2.0]
    assert (values["inputs"], values["outputs"], list(values["variables"])) == (["u"], ["u"], ["u"])
    assert values["checksums_agree"] is True and values["invariants"] == []
    show(found, Report())
    out = capsys.readouterr().out
    for words in ("sample 4, time 3, x 8", "0 to 2", "input and output, evolves", "every sample agrees"):
        assert words in out


def test_ranges_are_those_of_all_samples(made, tmp_path):
    copy = tmp_path / "copy.nc"
    copy.write_bytes(made.data.read_bytes())
    with h5py.File(copy, "r+") as file:
        file["u"][11, 0, 0] = -7.0
        del file["checksum"]
    values = as_values(look_at(copy))
    assert values["variables"]["u"]["min"] == -7.0 and values["variables"]["u"]["lowest"] == 11
    assert values["checksums_agree"] is None


def test_everything_is_plain_numbers(made):
    values = json.loads(json.dumps(as_values(look_at(made.data, verified=1)), allow_nan=False))
    spectrum = values["spectra"]["u"]
    assert len(spectrum["wavenumbers"]) == len(spectrum["energy"]) and spectrum["verdict"]
    assert spectrum["nyquist"] == pytest.approx(15 * np.pi)
    assert values["verification"]["grid"]["u"]["max"] > 0


def test_a_field_that_is_constant(tmp_path, capsys):
    found = look_at(write(tmp_path / "w.nc", np.ones((4, 3, 8))))
    spectrum = json.loads(json.dumps(as_values(found), allow_nan=False))["spectra"]["u"]
    assert (spectrum["verdict"], spectrum["decay"], spectrum["top_third"]) == ("constant", None, 0.0)
    show(found, Report())
    assert "constant" in capsys.readouterr().out


def test_failed_samples_are_shown_with_their_reasons(tmp_path, capsys):
    path = tmp_path / "d.nc"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opforge.generate("darcy", 6, 8, coefficient="lognormal", sigma=150.0, on_error="skip", out=path)
    found = look_at(path)
    values = as_values(found)["failed"]
    assert values["samples"] == len(values["reasons"]) > 0
    show(found, Report())
    out = capsys.readouterr().out
    assert f"{values['samples']} samples" in out
    assert all(f"sample {reason.split()[1]} (seed" in out for reason in values["reasons"])


def test_broken_promises_are_shown(made, capsys):
    from opforge.datasets.quality.summary import Promise

    found = look_at(made.data)
    broken = replace(found.summary, promises=(Promise("positivity", "u >= 0", 0.5, 7, 1e-9),))
    show(replace(found, summary=broken), Report())
    out = capsys.readouterr().out
    assert "invariants" in out and "positivity" in out and "NO" in out
    assert as_values(replace(found, summary=broken))["invariants"][0]["holds"] is False


def test_quiet_is_tables_only(made, capsys):
    show(look_at(made.data, verified=1), Report(quiet=True))
    lines = capsys.readouterr().out.splitlines()
    assert all("\t" in line for line in lines)
    assert "made again\tthe same, bit by bit" in lines


def test_a_shard_says_which_samples_it_has(tmp_path, capsys):
    opforge.generate("darcy", 5, 8, shard=(2, 2), out=tmp_path / "d.nc")
    show(look_at(tmp_path / "d.nc"), Report())
    assert "3: a shard, samples 2 to 4 of 5" in capsys.readouterr().out


def test_drawn_parameters_are_shown(tmp_path, loaded, capsys):
    data = opforge.generate(loaded, 3, 16, out=tmp_path / "d.nc")
    found = look_at(tmp_path / "d.nc", verified=1)
    values = json.loads(json.dumps(as_values(found), allow_nan=False))
    assert list(values["variables"]) == ["a", "u"] and list(values["drawn"]) == ["forcing", "shift"]
    forcing = values["drawn"]["forcing"]
    assert forcing["min"] == data.drawn["forcing"].min() and forcing["units"] == "Pa m-2"
    assert values["verification"]["again"]["shift"]["max"] == 0
    show(found, Report())
    out = capsys.readouterr().out
    assert "drawn for each sample" in out and "strength of the load" in out
    assert "forcing=drawn for each sample, 1." in out
    assert values["provenance"]["equation_parameters"] == {"ndim": 1}, "no constant is given for it"
    assert "`dataset.drawn`" in found.card


def test_without_drawn_parameters_nothing_is_said_of_them(made, capsys):
    found = look_at(made.data)
    assert as_values(found)["drawn"] == {}
    show(found, Report())
    assert "drawn" not in capsys.readouterr().out
