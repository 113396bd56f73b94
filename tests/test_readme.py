"""What the README says is so: its Python runs, its commands exist, its set-up lines are the ones that CI runs."""

import re
import shlex
import subprocess

import pytest

from opforge.cli import main
from tests.sources import ROOT

README = (ROOT / "README.md").read_text()

# The README's sizes -> sizes for a test; each must occur, or the README has changed and this table must too.
SMALLER = {
    "samples=1000, resolution=64": "samples=8, resolution=16",
    "samples=100, resolution=128": "samples=4, resolution=32",
    "width=32, modes=12": "width=4, modes=3",
    "epochs=20": "epochs=1",
    "-n 1000 --resolution 64": "-n 8 --resolution 16",
    "-n 100 --resolution 128": "-n 4 --resolution 32",
    "--epochs 20 --set width=32 --set modes=12": "--epochs 1 --set width=4 --set modes=3",
}


def blocks(language, text=README):
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


DATA = (ROOT / "docs" / "data.md").read_text()
DATA_SMALLER = {
    "-n 10000 --resolution 64": "-n 6 --resolution 16",
    "-n 10000 --resolution 1024": "-n 3 --resolution 32",
    "fisher -n 1000 --resolution 64": "fisher -n 2 --resolution 32",
    "-n 100 --resolution 192 --set side=1.25": "-n 2 --resolution 64 --set side=0.4 --set end_time=20",
    "navier_stokes -n 1000 --resolution 64": "navier_stokes -n 2 --resolution 32 --set end_time=1",
    "train fno": "train fno --epochs 1 --set width=4 --set modes=4",
}


def someone_elses_file():
    """What the page calls mine.nc, in the current folder."""
    import numpy as np
    import xarray

    grid = {"lon": (np.arange(24) + 0.5) / 24, "lat": (np.arange(32) + 0.5) / 32}
    values = (("member", "lon", "lat"), np.random.default_rng(0).random((10, 24, 32)))
    xarray.Dataset({"k": values, "p": values}, grid).to_netcdf("mine.nc", engine="h5netcdf")


def test_the_python_of_the_page_about_data_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    someone_elses_file()
    for block in blocks("python", DATA):
        exec(compile(block, "data.md", "exec"), {})


def test_the_commands_of_the_page_about_data_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    someone_elses_file()
    lines = [line for block in blocks("sh", DATA) for line in block.splitlines() if line.startswith("opforge ")]
    assert len(lines) >= 6
    for line in lines:
        for large, small in DATA_SMALLER.items():
            line = line.replace(large, small)
        if "--dask" not in line:
            assert main(["--quiet", *shlex.split(line, comments=True)[1:]]) == 0, line


def smaller(text):
    for large, small in SMALLER.items():
        text = text.replace(large, small)
    return text


def test_sizes_to_replace_are_those_of_the_readme():
    code = "".join(blocks("python") + blocks("sh"))
    assert [size for size in SMALLER if size not in code] == []


def test_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks("python"):
        exec(compile(smaller(block), "README.md", "exec"), names)
    assert names["pressure"].shape == (4, 32, 32)
    assert "relative_l2" in capsys.readouterr().out


def test_command_lines_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks("sh") for line in smaller(block).splitlines() if line.startswith("opforge ")]
    assert len(lines) >= 8
    for line in lines:
        assert main(["--quiet", *shlex.split(line)[1:]]) == 0, line


def set_up_lines():
    return [line for block in blocks("sh") for line in block.splitlines() if line.startswith("python3.11 -m venv")]


def test_two_set_up_lines_one_ends_in_the_quickstart_and_one_in_pytest():
    assert [re.split(r"[ /]", line)[-1] for line in set_up_lines()] == ["quickstart", "pytest"]
    for line in set_up_lines():
        assert "-c constraints.txt" in line


def test_ci_runs_the_readme_line():
    done = subprocess.run([ROOT / ".ci" / "run", "--show"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [set_up_lines()[1]]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/index.md"])
def test_links_lead_somewhere(page):
    path = ROOT / page
    targets = re.findall(r"\]\(([^)#]+)\)", path.read_text())
    assert [target for target in targets if "://" not in target and not (path.parent / target).exists()] == []


def test_constraints_pin_every_requirement():
    import configparser

    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"]
    required = "\n".join([config["options"]["install_requires"], *extras.values()])
    names = {re.split(r"[<>=;\[ ]", line)[0].lower() for line in required.splitlines() if line}
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), "exact versions, without local parts"
    assert names - {line.split("==")[0].lower() for line in lines} == set()
    assert "torch==2.13.0" in lines
