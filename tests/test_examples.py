"""Every example runs, with small sizes, and ends in the right number."""

import ast
import importlib.util

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


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_short_and_tested(path):
    source = path.read_text()
    assert len(source.splitlines()) <= 80
    assert "main" in {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    assert f"test_{path.stem}" in globals()
