"""The error of grids: it is measured for the fields that a grid has, and falls."""

import pytest

from opforge.benchmarks.resolution import Case, errors

CASES = [
    Case("fitzhugh_nagumo", {"frames": 5, "end_time": 0.5}, (16, 32), 64),
    Case("allen_cahn", {"frames": 5, "end_time": 4.0, "width": 0.04}, (26, 52), 104),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.recipe)
def test_errors_fall_and_refused_grids_are_marked(case):
    coarse, fine = errors(case)
    assert (coarse["taken"], fine["taken"]) == ("no", "yes")
    assert 0 < 2 * float(fine["end"]) < float(coarse["end"]) < 1
    assert 0 < float(fine["middle"]) < float(coarse["middle"])
