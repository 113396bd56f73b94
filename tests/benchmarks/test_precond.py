"""The benchmark of preconditioners as a whole, on tiny grids."""

import pytest
import torch

from opforge.benchmarks import _precond_multigrid as multigrid
from opforge.benchmarks import precond
from opforge.benchmarks._precond_systems import random_problem, smoke_problem
from opforge.benchmarks._precond_turns import Effort
from opforge.benchmarks.precond import Settings, run, settings_of
from opforge.benchmarks.results import read_csv
from opforge.errors import InputError

pytest.importorskip("numba")


def test_multigrid_solves_every_system_by_every_method(tmp_path, monkeypatch):
    monkeypatch.setattr(precond, "_QUICK", {2: (24,), 3: (8,)})
    monkeypatch.setattr(multigrid, "_WARM", {2: 24, 3: 8})
    monkeypatch.setattr(multigrid, "DRAWN", {("24x24", "obstacles")})
    said = []
    judged = run(Settings(parts=("multigrid", "pages"), threads=1, quick=True, out=tmp_path), said.append)
    _, rows = read_csv("precond_multigrid.csv", folder=tmp_path)
    assert len(rows) == 2 * 4 * 9 and {row["converged"] for row in rows} == {"yes"}
    assert all(1e-13 < float(row["residual"]) <= 1e-8 for row in rows)
    assert all(0 < float(row["min_s"]) <= float(row["total_s"]) <= float(row["max_s"]) for row in rows)
    assert {row["ratio"] for row in rows if row["contestant"] == multigrid.LEARNED} == {"1"}
    assert judged[0]["what"] == "iterations to 1e-8, most" and judged[0]["verdict"] == "pass"
    assert sum("iterations, converged" in line for line in said) == len(rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "convergence_24x24.png",
        "precond.csv",
        "precond_histories.csv",
        "precond_multigrid.csv",
    ]
    assert 2_000 < (tmp_path / "convergence_24x24.png").stat().st_size < 100_000


def test_conjugate_directions_solve_every_region(tmp_path):
    run(Settings(parts=("dcdm",), threads=1, quick=True, ndim=(2,), out=tmp_path), lambda text: None)
    _, rows = read_csv("precond_dcdm.csv", folder=tmp_path)
    of = {row["contestant"]: row for row in rows}
    assert len(of) == 5 and {row["converged"] for row in rows} == {"yes"}
    assert all(1e-8 < float(row["residual"]) <= 1e-4 for row in rows)
    assert 2 <= float(of["DCDM"]["iterations"]) <= 5 < 50 < float(of["CG"]["iterations"])
    assert float(of["CG"]["cg_iterations_over_least"]) == 1.0 and float(of["DCDM"]["cg_iterations_over_least"]) > 8
    assert of["DCDM"]["finer"] == "0.667"


def test_an_operators_guess_is_tried_in_every_iteration(tmp_path):
    run(Settings(parts=("guess",), threads=1, quick=True, out=tmp_path), lambda text: None)
    how, rows = read_csv("precond_guess.csv", folder=tmp_path)
    assert "8 systems of contrast 10 at 16²" in how and "% at 32²" in how
    assert len(rows) == 3 * 5
    zero = [row for row in rows if row["start"] == "0"]
    assert {(row["first_residual"], row["first_energy_error"], row["saved"]) for row in zero} == {("1", "1", "0")}
    of = {(row["method"], row["start"]): float(row["first_energy_error"]) for row in rows}
    for method in {row["method"] for row in rows}:
        assert of[method, "operator, scaled"] < min(1.0, of[method, "operator"])
        assert of[method, "0, one V-cycle"] < 0.5
    assert all(float(row["residual"]) <= 1e-8 for row in rows)


def test_a_restricted_run_writes_nothing_unless_told_where():
    assert Settings().folder == precond.FOLDER
    for words in (["--quick"], ["--ndim", "2"], ["--sizes", "64"]):
        assert settings_of(words).folder is None
        assert settings_of([*words, "--out", "here"]).folder is not None
    assert settings_of(["--parts", "dcdm", "pages"]) == Settings(parts=("dcdm", "pages"))


def test_sizes_are_those_that_a_part_has():
    settings = settings_of(["--sizes", "64", "512"])
    assert list(settings.of({2: (64, 128, 512), 3: (32, 64)})) == [(2, 64), (2, 512), (3, 64)]
    with pytest.raises(InputError, match=r"sizes must be some that dcdm has in \(3,\) dimensions, got \(17,\)"):
        run(settings_of(["--parts", "dcdm", "--sizes", "17", "--ndim", "3"]))


def test_what_was_measured_before_is_kept_beside_a_new_part(tmp_path):
    for part in ("dcdm", "multigrid"):
        settings = Settings((part,), threads=1, quick=True, ndim=(3,), out=tmp_path)
        judged = run(settings, lambda text: None)
    assert {line["family"] for line in judged} == {"multigrid", "training"}
    run(Settings(("pages",), out=tmp_path), lambda text: None)
    rows = read_csv("precond.csv", folder=tmp_path)[1]
    assert [row["what"] for row in rows] == [line["what"] for line in judged]


def test_a_gpu_that_is_not_there_is_told():
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(InputError, match="--gpu needs a CUDA device that torch sees, got none"):
        run(settings_of(["--gpu"]))


def test_batches_of_the_gpu_part_are_solved():
    rows = multigrid.gpu_rows((8,), Effort(rounds=1), device="cpu")
    assert len(rows) == 3 * 3 and {row["converged"] for row in rows} == {"yes"}
    assert all(1e-13 < float(row["residual"]) <= 1e-8 for row in rows)


def test_unknown_parts_and_threads_are_refused():
    with pytest.raises(InputError, match="unknown part 'multigird'; did you mean 'multigrid'"):
        Settings(parts=("multigird",))
    for name in ("threads", "blas"):
        with pytest.raises(InputError, match=f"{name} must be at least 1, got 0"):
            Settings(**{name: 0})


def test_threads_are_as_many_as_asked_for_and_as_before_afterwards():
    from threadpoolctl import threadpool_info

    def blas():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    before = torch.get_num_threads(), blas()
    with precond._threads(Settings(threads=before[0] + 1, blas=1)):
        assert (torch.get_num_threads(), blas()) == (before[0] + 1, {1})
    assert (torch.get_num_threads(), blas()) == before


@pytest.mark.parametrize("make", [random_problem, smoke_problem])
def test_plain_iterations_are_the_same_by_either_product(make, monkeypatch):
    system = make("obstacles", 2, 20, 40) if make is random_problem else make(2, 20, 40)
    counts = []
    for large in (2**15, 0):
        monkeypatch.setattr(multigrid, "_LARGE", large)
        result = multigrid.plain(system, 1e-8).solve(None, None)
        assert result.x.shape == (400,) and 1e-10 < system.residual(result.x) <= 1e-8
        counts.append(result.iterations)
    assert counts[0] > 50 and abs(counts[1] - counts[0]) <= 2, counts
