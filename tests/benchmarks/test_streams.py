"""The benchmark of streams compares each grid with one twice as fine."""

from opforge.benchmarks.streams import rows_of


def test_a_row_has_the_errors_of_its_grid():
    (row,) = rows_of("limited", 0.02, (16, 32), seeds=(0,))
    assert (row["cells"], row["cell Reynolds number"]) == ("32x16", "3.12")
    assert 0.01 < float(row["u, mean"]) < float(row["v, mean"]) < 0.6
    assert row["v, least"] == row["v, greatest"] == row["v, mean"]
