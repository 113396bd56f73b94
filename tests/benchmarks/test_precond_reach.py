"""Verdicts on learned preconditioners, from rows as the CSV files have them."""

import json

import pytest

from opforge.benchmarks import _precond_dcdm as dcdm
from opforge.benchmarks import _precond_multigrid as multigrid
from opforge.benchmarks._precond_reach import cases, fastest, judge, training_minutes


def row(contestant, ratio, *, cells="512x512", family="obstacles", iterations=9, converged="yes", seed=40):
    names = {"cells": cells, "family": family, "right_side": "random", "seed": str(seed), "contestant": contestant}
    return names | {"ratio": str(ratio), "iterations": str(iterations), "converged": converged}


def directions(cells, iterations, least, finer="4"):
    numbers = {"iterations": str(iterations), "cg_iterations_over_least": str(least), "finer": finer, "runs": "4"}
    return {"cells": cells, "contestant": dcdm.DCDM, "converged": "yes"} | numbers


def of(lines, family):
    return [
        (line["what"].split(",")[0], line["reached"], line["verdict"]) for line in lines if line["family"] == family
    ]


def test_the_most_iterations_of_all_systems_count():
    rows = [row(multigrid.LEARNED, 1, iterations=15), row(multigrid.LEARNED, 1, iterations=7, seed=41)]
    assert of(judge(rows, []), "multigrid") == [("iterations to 1e-8", 15, "pass")]
    rows.append(row(multigrid.LEARNED, 1, iterations=16, seed=42))
    assert of(judge(rows, []), "multigrid") == [("iterations to 1e-8", 16, "FAIL")]
    rows.append(row(multigrid.LEARNED, 1, iterations=3, converged="no", seed=43))
    assert of(judge(rows, []), "multigrid") == [("iterations to 1e-8", float("inf"), "FAIL")]


def test_speed_is_that_over_the_fastest_in_the_worst_case():
    rows = [
        row(multigrid.RUGE_STUEBEN, 5.0), row(multigrid.CHOLESKY, 3.5), row(multigrid.PLAIN, 40.0),
        row(multigrid.RUGE_STUEBEN, 2.9, family="smoke"), row(multigrid.PLAIN, 19.0, family="smoke"),
    ]  # fmt: skip
    speeds = [line for line in judge(rows, []) if line["group"] == "512x512"]
    assert [(line["reached"], line["verdict"], line["cases"]) for line in speeds] == [
        (2.9, "FAIL", 2),
        (19.0, "FAIL", 2),
    ]
    assert [line["reached"] for line in judge(rows[:3], []) if line["verdict"] == "pass"][:2] == [3.5, 40.0]
    assert of(judge([row(multigrid.RUGE_STUEBEN, 2.0, cells="64x64")], []), "multigrid") == []


def test_what_was_stopped_is_a_lower_bound():
    stopped = [row(multigrid.PLAIN, 60.0, converged="no")]
    (line,) = (line for line in judge(stopped, []) if line["family"] == "multigrid")
    assert (line["reached"], line["bound"], line["verdict"]) == (60.0, "lower", "pass")
    assert fastest([*stopped, row(multigrid.CHOLESKY, 30.0)], (multigrid.PLAIN, multigrid.CHOLESKY)) == (30.0, False)


def test_systems_are_told_apart_by_size_family_right_side_and_seed():
    rows = [row("a", 1), row("b", 1), row("a", 1, seed=41), row("a", 1, family="smoke"), row("a", 1, cells="64x64")]
    assert [len(case) for case in cases(rows)] == [2, 1, 1, 1]


def test_goals_of_conjugate_directions():
    rows = [directions("128x128", 3.0, 5.0, "2.67"), directions("512x512", 4.4, 8.5, "10.7")]
    assert [(reached, verdict) for _, reached, verdict in of(judge([], rows), "dcdm")] == [
        (8.5, "pass"),
        (pytest.approx(4.4 / 3), "pass"),
    ]
    rows[1]["iterations"] = "4.6"
    assert of(judge([], rows), "dcdm")[1][2] == "FAIL"
    rows[1]["converged"] = "no"
    assert of(judge([], rows), "dcdm") == []


def test_every_shipped_preconditioner_has_its_training_judged():
    lines = of(judge([], []), "training")
    assert len(lines) == 4 and all(0 < minutes <= 60 and verdict == "pass" for _, minutes, verdict in lines)
    assert set(training_minutes(lambda name: json.dumps({"seconds": 90})).values()) == {1.5}
