"""A data file, other functions on a finer grid, and a run: made once, read by many tests."""

from types import SimpleNamespace

import pytest

from opforge.cli import main


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Paths ``data`` (12 samples, 16 x 16), ``fine`` (4 samples, 32 x 32), ``run`` (a tiny FNO, 2 epochs)."""
    folder = tmp_path_factory.mktemp("made")
    paths = SimpleNamespace(data=folder / "data.nc", fine=folder / "fine.nc", run=folder / "run")
    for path, samples, resolution, seed in ((paths.data, 12, 16, 0), (paths.fine, 4, 32, 1)):
        words = ["generate", "darcy", "-n", samples, "--resolution", resolution, "--seed", seed, "-o", path]
        assert main(["--quiet", *map(str, words)]) == 0
    words = ["train", "fno", paths.data, "--epochs", 2, "--set", "width=4", "--set", "modes=3", "-o", paths.run]
    assert main(["--quiet", *map(str, words), "--validation", "0.25", "--device", "cpu"]) == 0
    return paths


@pytest.fixture
def opforge(capsys, monkeypatch, tmp_path):
    """Run a command in an empty folder: ``opforge("list", "models")`` -> status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        capsys.readouterr()
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return SimpleNamespace(status=status, out=captured.out, err=captured.err)

    return run


@pytest.fixture
def refused(opforge, tmp_path):
    """Run a command that must be refused: status 2, one line on stderr, nothing written; returns the line."""

    def run(*words):
        before = {path: path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))}
        done = opforge(*words)
        assert (done.status, done.out) == (2, ""), done
        lines = done.err.splitlines()
        assert len(lines) == 1 and lines[0].startswith("opforge: "), done.err
        assert {path: path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))} == before
        return lines[0]

    return run
