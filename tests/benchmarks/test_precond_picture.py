"""Histories that are drawn are those that were measured."""

import numpy as np
import pytest
import torch

from opforge.benchmarks._precond_multigrid import LEARNED, PLAIN, Curve, counts
from opforge.benchmarks._precond_picture import draw
from opforge.benchmarks._precond_systems import System
from opforge.benchmarks._precond_turns import Record
from opforge.core import Grid
from opforge.solvers import SolveResult, Stencil


def curve(count, contestant=LEARNED, family="obstacles"):
    A = Stencil(Grid((8, 8)))
    residuals = np.geomspace(1.0, 1e-8, count + 1)[:, None]
    record = Record([1.0, 3.0], [8.0, 10.0], SolveResult(None, True, count, residuals))
    return Curve.of(System(family, "random", 40, A, torch.ones(1, 8, 8)), contestant, record)


@pytest.mark.parametrize("count", [1, 8, 499, 500, 501, 1234])
def test_a_history_keeps_its_ends_and_its_shape(count):
    kept, at = curve(count), counts(count)
    assert len(kept.residuals) == len(at) <= 251
    assert (at[0], at[1], at[-1]) == (0, 1, count) and np.all(np.diff(at) > 0)
    np.testing.assert_allclose(kept.residuals, 10.0 ** (-8 * at / count), rtol=1e-10)


def test_a_start_that_is_the_solution_has_one_residual():
    assert counts(0).tolist() == [0]


def test_a_history_reads_back():
    before = curve(700)
    after = Curve.read({name: str(value) for name, value in before.row().items()})
    assert (after.cells, after.family, after.contestant, after.iterations) == ("8x8", "obstacles", LEARNED, 700)
    assert (after.setup_s, after.solve_s) == (2.0, 9.0)
    np.testing.assert_allclose(after.residuals, before.residuals, rtol=5e-3)


def test_lines_begin_where_the_set_up_ends():
    figure = draw([curve(8), curve(100, PLAIN), curve(8, family="smoke")])
    assert len(figure.axes) == 4
    over_time, over_iterations = figure.axes[:2]
    assert len(over_time.lines) == 3 and len(over_iterations.lines) == 3  # the tolerance is one
    x = np.asarray(over_time.lines[0].get_xdata())
    assert (x[0], x[-1]) == (2.0, 11.0)
    assert list(over_iterations.lines[0].get_xdata()) == list(range(1, 9))
