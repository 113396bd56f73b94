"""Turns of solvers: how many each has, what is timed, where a slow one is stopped."""

import numpy as np
import pytest

from opforge.benchmarks._precond_turns import Effort, Method, Record, take_turns
from opforge.solvers import SolveResult, cg


class Clock:
    """Time that passes when a solver says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def method(clock, setup, each, needed, *, slow=False, said=None):
    """A solver that takes ``setup`` seconds and then ``each`` an iteration, of which it needs so many."""

    def set_up():
        clock.now += setup
        return "M"

    def solve(M, most):
        assert M == "M"
        count = needed if most is None else min(most, needed)
        clock.now += each * count
        if said is not None:
            said.append(most)
        return SolveResult(np.zeros(1), count == needed, count, np.ones(count + 1))

    return Method(set_up, solve, slow)


def test_set_up_and_solution_are_timed_apart():
    clock = Clock()
    records = take_turns(
        {"one": method(clock, 2.0, 0.5, 6)}, lambda x: 3e-9, Effort(rounds=3, budget=100.0), clock=clock
    )
    assert (records["one"].set_ups, records["one"].solves) == ([2.0] * 3, [3.0] * 3)
    assert records["one"].row() == {
        "iterations": 6, "converged": "yes", "residual": "3.00e-09", "setup_s": "2", "solve_s": "3", "total_s": "5",
        "min_s": "5", "max_s": "5", "runs": 3,
    }  # fmt: skip


def test_a_method_has_turns_until_its_budget_is_spent():
    clock = Clock()
    methods = {"fast": method(clock, 0.0, 0.1, 10), "slower": method(clock, 1.0, 0.3, 10)}
    records = take_turns(methods, lambda x: 0.0, Effort(rounds=5, budget=6.0), clock=clock)
    assert {name: len(record.totals) for name, record in records.items()} == {"fast": 5, "slower": 2}


def test_slow_methods_have_a_budget_of_their_own():
    clock = Clock()
    methods = {"slow": method(clock, 0.0, 0.2, 10, slow=True), "other": method(clock, 0.0, 0.2, 10)}
    records = take_turns(methods, lambda x: 0.0, Effort(rounds=5, budget=100.0, slow_budget=3.0), clock=clock)
    assert {name: len(record.totals) for name, record in records.items()} == {"slow": 2, "other": 5}


def test_a_slow_method_is_stopped_at_the_limit():
    clock, said = Clock(), []
    slow = method(clock, 1.0, 0.5, 1000, slow=True, said=said)
    record = take_turns({"slow": slow}, lambda x: 0.1, Effort(rounds=5, slow_budget=6.0, limit=40.0), clock=clock)[
        "slow"
    ]
    assert said == [20, 80]  # a few iterations to know their time, then as many as the limit holds
    assert (record.row()["converged"], record.row()["solve_s"], record.row()["runs"]) == ("no", "40", 1)


def test_a_slow_method_that_turns_out_fast_is_not_stopped():
    clock, said = Clock(), []
    quick = method(clock, 1.0, 0.5, 15, slow=True, said=said)
    take_turns({"quick": quick}, lambda x: 0.1, Effort(rounds=1), clock=clock)
    assert said == [20, None]


def test_a_limit_ends_conjugate_gradients_without_a_warning():
    A, b = np.diag(np.arange(1.0, 2001)), np.ones(2000)
    way = Method(lambda: None, lambda M, most: cg(A, b, rtol=1e-12, maxiter=most), slow=True)
    record = take_turns({"cg": way}, lambda x: float(np.linalg.norm(b - A @ x)), Effort(rounds=1, limit=0.0))["cg"]
    assert record.row()["converged"] == "no" and record.row()["iterations"] == 20


def test_medians_are_those_of_all_turns():
    record = Record([1.0, 2.0, 9.0], [1.0, 1.0, 1.0], SolveResult(np.zeros(1), True, 1, np.ones(2)))
    row = record.row()
    assert (row["setup_s"], row["total_s"], row["min_s"], row["max_s"]) == ("2", "3", "2", "10")
    with pytest.raises(ValueError):
        Record([1.0], []).totals  # noqa: B018
