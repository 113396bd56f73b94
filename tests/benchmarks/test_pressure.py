"""The benchmark of pressure solvers measures each of them."""

from opforge.benchmarks.pressure import QUICK, rows_of


def test_every_solver_has_its_row():
    for case in QUICK:
        rows = rows_of(case, 1)
        assert len({row["solver"] for row in rows}) == 3
        assert [row["iterations"] > 0 for row in rows] == [False, True, True]
        assert all(float(row["solve_s"]) > 0 for row in rows)
