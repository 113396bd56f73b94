"""Every example runs, with small sizes, and ends in the right number."""

import ast
import importlib.util

import numpy as np
import pytest

from tests.sources import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_darcy(tmp_path, capsys):
    sizes = {"samples": 60, "resolution": 16, "epochs": 20, "width": 8, "modes": 4}
    error = load("darcy").main(**sizes, out=tmp_path / "darcy.png", progress=False)
    # Answering every time with the mean pressure gives about 0.25.
    assert 0.02 < error < 0.2
    assert (tmp_path / "darcy.png").stat().st_size > 10_000
    out = capsys.readouterr().out
    assert f"{error:.4f} at 32 x 32, zero-shot" in out
    assert len(out.splitlines()) == 6


def test_smoke_plume(tmp_path, capsys):
    states = load("smoke_plume").main(resolution=32, steps=6, out=tmp_path / "plume.png")
    assert len(states) == 5
    assert 0.01 < np.abs(states["CG"][1]).max() < 0.1  # the smoke has begun to rise
    for state in states.values():
        np.testing.assert_allclose(state, states["CG"], rtol=0, atol=1e-7)
    assert (tmp_path / "plume.png").stat().st_size > 10_000
    rows = [line.rsplit(maxsplit=8) for line in capsys.readouterr().out.splitlines()[1:-1]]
    iterations = {row[0]: int(row[5]) for row in rows}
    assert list(iterations) == list(states)
    assert iterations["DCDM"] < iterations["learned multigrid"] < 12 < iterations["IC-CG"] < iterations["CG"] / 2


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_short_and_tested(path):
    source = path.read_text()
    assert len(source.splitlines()) <= 80
    assert "main" in {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    assert f"test_{path.stem}" in globals()
