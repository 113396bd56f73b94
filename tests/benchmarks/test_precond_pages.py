"""Tables of the documentation, from rows as the CSV files have them."""

import pytest

from opforge.benchmarks import _precond_dcdm as dcdm
from opforge.benchmarks import _precond_multigrid as multigrid
from opforge.benchmarks._precond_pages import directions, goals, guesses, put, seconds, training, write
from opforge.benchmarks.precond import DOCS
from opforge.errors import InputError


def row(contestant, total, *, converged="yes", seed="40"):
    names = {"cells": "64x64", "family": "smoke", "right_side": "simulation", "seed": seed, "contestant": contestant}
    return names | {"total_s": total, "iterations": "9", "converged": converged}


def test_seconds_and_iterations_of_systems_that_all_solved():
    rows = [row(multigrid.LEARNED, "0.01234"), row(multigrid.PLAIN, "45.67", converged="no")]
    assert seconds([*rows, row(multigrid.LEARNED, "0.5", seed="41")]) == [
        "| cells | family | learned | none |",
        "|---|---|---|---|",
        "| 64×64 | smoke | 0.012, 9 | > 46, 9 |",
    ]


def test_directions_stand_beside_the_others():
    shared = {"cells": "64x64", "finer": "1.33", "cg_iterations_over_least": "39.7", "cg_iterations_over_most": "89.2"}
    names = (dcdm.DCDM, dcdm.CYCLE, dcdm.CYCLE_CG, dcdm.RUGE_STUEBEN, dcdm.PLAIN)
    rows = [shared | {"contestant": name, "iterations": f"{n}.3", "total_s": "0.1"} for n, name in enumerate(names)]
    line = "| 64×64 | 1.33 | 0.3, 0.1 | 1.3, 0.1 | 2.3, 0.1 | 3.3, 0.1 | 4.3, 0.1 | 40 to 89 |"
    assert directions(rows)[2:] == [line]


def test_goals_and_guesses_and_trainings_have_a_line_each():
    judged = {"bound": "lower", "family": "multigrid", "group": "512x512", "what": "speed", "reached": "31.24"}
    judged |= {"goal": "at least 20", "verdict": "pass", "cases": "4"}
    assert goals([judged, judged | {"family": "training"}])[2:] == [
        "| speed | 512x512 | ≥ 31.2 | at least 20 | pass | 4 |"
    ]
    names = ("cells", "method", "start", "first_residual", "first_energy_error")
    names += ("iterations_1e-4", "iterations_1e-8", "saved", "total_s")
    values = ("64x64", "CG", "operator", "4.8", "0.2", "260", "440", "2", "0.0123")
    assert (
        guesses([dict(zip(names, values, strict=True))])[2]
        == "| 64×64 | CG | operator | 4.8 | 0.2 | 260 | 440 | 2.0 | 0.012 |"
    )
    assert len(training()) == 2 + 4


def test_a_table_takes_the_place_of_the_one_before(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Before.\n\n<!-- goals -->\nold\n<!-- end of goals -->\n\nAfter.\n")
    for lines in (["one", "two"], ["three"]):
        put(page, "goals", lines)
        inside = "\n".join(lines)
        assert page.read_text() == f"Before.\n\n<!-- goals -->\n{inside}\n<!-- end of goals -->\n\nAfter.\n"
    with pytest.raises(InputError, match=r"page\.md must have the lines <!-- dcdm --> and <!-- end of dcdm -->"):
        put(page, "dcdm", ["four"])


def test_the_page_has_a_place_for_every_table(tmp_path):
    page = tmp_path / "linear_solvers.md"
    page.write_text((DOCS / "linear_solvers.md").read_text())
    write(page, {"multigrid": ("how it was", [row(multigrid.LEARNED, "1"), row(multigrid.PLAIN, "2")])}, [])
    text = page.read_text()
    assert "| 64×64 | smoke | 1, 9 | 2, 9 |\n\nhow it was.\n" in text and "| `dcdm_2d` |" in text
    for name in ("dcdm", "guess"):
        put(page, name, ["there"])
