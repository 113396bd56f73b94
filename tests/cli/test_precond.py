"""`opforge precond` and `opforge solve`: what they print and write, and what they refuse."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from opforge.core import Grid
from opforge.precond import load, random_system
from opforge.solvers import Stencil


def test_the_shipped_ones_are_listed(opforge):
    done = opforge("--quiet", "precond", "list")
    header, *rows = [line.split("\t") for line in done.out.splitlines()]
    assert done.status == 0 and header[:3] == ["name", "kind", "dimensions"]
    assert [row[0] for row in rows] == ["dcdm_2d", "dcdm_3d", "multigrid_2d", "multigrid_3d"]
    assert [row[2] for row in rows] == ["2", "3", "2", "3"]
    assert all(row[-1] == f"opforge precond train {row[0]}" for row in rows)
    assert 0.5 < sum(float(row[6]) for row in rows) < 300  # kB


def test_help(opforge):
    assert "evaluate" in opforge("precond").out
    for command in ("list", "train", "evaluate"):
        assert f"opforge precond {command}" in opforge("precond", command, "--help").out
    assert opforge("precond", "trian").err.strip().endswith("Did you mean 'train'? (see opforge precond --help)")


def test_training_writes_both_files_or_nothing(opforge, tmp_path):
    words = ("precond", "train", "multigrid_2d", "-o", str(tmp_path / "mine"), "--steps", "2")
    small = ("--set", "cells=12,16", "--set", "families=['contrast 10']")
    done = opforge(*words, *small)
    assert done.status == 0 and "2/2" in done.err and "trained in 0.0 minutes" in done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.json", "mine.safetensors"]
    assert load(tmp_path / "mine").about["steps"] == 2
    before = (tmp_path / "mine.safetensors").read_bytes()
    again = opforge(*words, *small)
    assert again.status == 2 and "mine.safetensors' exists; use --force" in again.err
    assert opforge(*words, *small, "--force", "--seed", "1").status == 0
    assert (tmp_path / "mine.safetensors").read_bytes() != before
    listed = opforge("--quiet", "precond", "list", str(tmp_path / "mine"))
    assert "--set cells=12,16" in listed.out.splitlines()[-1]


def test_a_training_that_is_interrupted_writes_nothing(opforge, tmp_path, monkeypatch):
    import opforge.precond.multigrid_training as training

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "error_reduction", stopped)
    assert opforge("precond", "train", "multigrid_2d", "-o", str(tmp_path / "mine")).status == 130
    assert list(tmp_path.iterdir()) == []


def test_evaluation(opforge, tmp_path):
    target, picture = tmp_path / "found.json", tmp_path / "found.png"
    options = ("--resolution", "40x36", "-n", "2", "--family", "contrast 10", "--boundary", "neumann")
    written = ("--json", str(target), "--picture", str(picture))
    done = opforge("precond", "evaluate", "multigrid_2d", *options, "--against", "jacobi", *written)
    assert done.status == 0 and "2 systems, contrast 10, neumann, 40 x 36, relative residual 1e-08" in done.out
    found = json.loads(target.read_text())
    learned, jacobi = found["methods"]
    assert (found["preconditioner"], found["resolution"], found["rtol"]) == ("multigrid_2d", [40, 36], 1e-8)
    assert (learned["method"], jacobi["method"]) == ("multigrid_2d", "jacobi")
    assert learned["most"] <= 12 < jacobi["iterations, mean"] and learned["converged"] == 2
    assert max(learned["largest residual"], jacobi["largest residual"]) <= 1e-8
    assert learned["both, ms"] > 0 and picture.stat().st_size > 5000


def test_evaluation_of_directions(opforge):
    done = opforge("--quiet", "precond", "evaluate", "dcdm_2d", "--resolution", "32", "-n", "1")
    rows = [line.split("\t") for line in done.out.splitlines()]
    assert [row[0] for row in rows] == ["method", "dcdm_2d", "geometric_multigrid", "cg"]
    assert 2 <= int(rows[1][2]) <= 5 and float(rows[1][7]) <= 1e-4


def system(folder):
    A = random_system("contrast 10", Grid((20, 18)), seed=20)
    scipy.sparse.save_npz(folder / "A.npz", A.matrix())
    b = np.random.default_rng(0).standard_normal((360, 2))
    np.save(folder / "b.npy", b)
    return A.matrix(), b


@pytest.mark.parametrize(("options", "method"), [((), "direct"), (("--grid", "20x18"), "learned_multigrid")])
def test_a_matrix_from_a_file(opforge, tmp_path, options, method):
    A, b = system(tmp_path)
    words = ("solve", str(tmp_path / "A.npz"), str(tmp_path / "b.npy"), "-o", str(tmp_path / "x.npy"))
    done = opforge("--quiet", *words, *options, "--json", str(tmp_path / "x.json"))
    assert done.status == 0 and f"method\t{method}" in done.out
    x = np.load(tmp_path / "x.npy")
    assert np.linalg.norm(b - A @ x) < 2e-8 * np.linalg.norm(b)
    assert json.loads((tmp_path / "x.json").read_text())["method"] == method
    assert "x.npy' exists; use --force" in opforge(*words).err


@pytest.mark.filterwarnings("default")
def test_a_tolerance_that_is_not_reached(opforge, tmp_path):
    system(tmp_path)
    words = ("solve", str(tmp_path / "A.npz"), str(tmp_path / "b.npy"), "-o", str(tmp_path / "x.npy"))
    done = opforge(*words, "--method", "jacobi", "--maxiter", "3")
    assert done.status == 1 and "asked for was 1e-08: 2 of 2 systems, the first of them number 0: maxiter=3" in done.err
    assert np.isfinite(np.load(tmp_path / "x.npy")).all()
    fallen = opforge(*words, "--method", "ssor", "--maxiter", "3", "--fallback", "direct", "--force")
    assert fallen.status == 0 and "warning: ssor makes things worse" in fallen.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("precond", "train", "multigrid_5d", "-o", "m"), "unknown preconditioner 'multigrid_5d'; did you mean"),
        (
            ("precond", "train", "dcdm_2d", "-o", "m", "--set", "stps=3"),
            "unknown setting of dcdm_2d 'stps'; did you mean",
        ),
        (("precond", "train", "dcdm_2d", "-o", "none/m"), "the folder of output 'none/m.safetensors' does not exist"),
        (("precond", "evaluate", "nope"), "unknown preconditioner 'nope'"),
        (
            ("precond", "evaluate", "multigrid_2d", "--resolution", "8x8x8"),
            "--resolution must have 2 axes for multigrid",
        ),
        (("precond", "evaluate", "multigrid_2d", "--resolution", "a"), "--resolution expects a whole number"),
        (("precond", "evaluate", "multigrid_2d", "--family", "none"), "unknown family 'none'"),
        (("precond", "evaluate", "multigrid_2d", "--against", "rs"), "unknown method 'rs'"),
        (("precond", "evaluate", "multigrid_2d", "--boundary", "open"), "boundary must be one of"),
        (("precond", "evaluate", "multigrid_2d", "--picture", "p.gif"), "must end in one of .png, .pdf, .svg"),
        (("solve", "b.npy", "b.npy", "-o", "x.npy"), "A must be square, got shape (6,)"),
        (("solve", "A.npz", "b.npy", "-o", "x.npy"), "A.npz must be a sparse matrix of scipy.sparse.save_npz"),
        (("solve", "M.npz", "b.npy", "-o", "x.npy"), "b must have the shape (16,) or (16, systems)"),
        (("solve", "M.npz", "c.npy", "-o", "x.txt"), "must end in one of .npy"),
        (
            ("solve", "M.npz", "c.npy", "-o", "x.npy", "--grid", "3x3"),
            "grid must have as many cells as A has unknowns, 16",
        ),
        (
            ("solve", "M.npz", "c.npy", "-o", "x.npy", "--method", "jacoby"),
            "unknown method 'jacoby'; did you mean 'jacobi'",
        ),
        (("solve", "none.npz", "c.npy", "-o", "x.npy"), "none.npz"),
    ],
)
def test_what_is_refused(opforge, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    np.save("b.npy", np.ones(6))
    np.save("c.npy", np.ones(16))
    Path("A.npz").write_bytes(b"PK no")
    scipy.sparse.save_npz("M.npz", Stencil(Grid((4, 4))).matrix())
    before = sorted(path.name for path in tmp_path.iterdir())
    done = opforge(*words)
    assert done.status == 2 and said in done.err and done.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before
