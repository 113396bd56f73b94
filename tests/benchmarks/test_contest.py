"""Turns, their statistics, and the comparison of answers, with a clock that only contestants move."""

import gc

import pytest
import torch

from opforge.benchmarks.contest import (
    REFERENCE,
    Case,
    Contestant,
    Effort,
    compare,
    measure,
    quartiles,
    ratios,
    rows,
    take_turns,
)
from opforge.errors import WorkError


class Clock:
    """Stands still but for the work of the contestants, whose calls it keeps."""

    def __init__(self):
        self.now, self.calls = 0.0, []

    def __call__(self):
        return self.now

    def work(self, name, seconds):
        def run():
            self.calls.append(name)
            self.now += seconds

        return run


def turns(effort, **seconds):
    clock = Clock()
    contestants = {name: clock.work(name, s) for name, s in seconds.items()}
    return take_turns(contestants, effort, clock=clock), clock


def test_every_contestant_has_one_turn_a_round():
    times, clock = turns(Effort(least=7, turn=1.0), opforge=1.0, peer=3.0)
    assert times == {"opforge": [1.0] * 7, "peer": [3.0] * 7}
    warm, rounds = clock.calls[:6], [clock.calls[6 + 2 * i : 8 + 2 * i] for i in range(7)]
    assert warm == ["opforge"] * 3 + ["peer"] * 3
    assert all(sorted(one) == ["opforge", "peer"] for one in rounds)
    assert len(set(map(tuple, rounds))) == 2, "the order differs from round to round"


def test_short_calls_are_repeated_and_counted_singly():
    times, clock = turns(Effort(least=7, turn=8.0), opforge=1.0, peer=16.0)
    assert set(times["opforge"]) == {1.0} and set(times["peer"]) == {16.0}
    assert clock.calls.count("opforge") == 3 + 7 * 8
    assert clock.calls.count("peer") == 3 + 7


def test_it_goes_on_until_the_ratios_are_known_or_the_time_is_up():
    def rounds(effort, speeds):
        clock = Clock()
        unsteady = iter(speeds * 100)

        def peer():
            clock.now += next(unsteady)

        return len(take_turns({REFERENCE: clock.work("", 1.0), "peer": peer}, effort, clock=clock)[REFERENCE])

    effort = Effort(seconds=1e9, least=5, most=40, turn=0.1, spread=0.015)
    assert rounds(effort, [2.0]) == 5
    assert rounds(effort, [1.0, 3.0, 2.0]) == 40
    assert 5 < rounds(effort, [2.0, 2.05, 2.1]) < 40
    # 27 s after nine rounds, 29 s after ten: both are too short
    assert rounds(Effort(seconds=30.0, least=5, most=40, turn=0.1), [1.0, 3.0, 2.0]) == 11


def test_garbage_is_not_collected_in_a_turn():
    seen = []
    assert gc.isenabled()
    take_turns({REFERENCE: lambda: seen.append(gc.isenabled())}, Effort(seconds=0.0, turn=0.0))
    assert seen == [True] * 3 + [False] * 7
    assert gc.isenabled()


def test_a_ratio_is_one_of_medians_with_the_rounds_quartiles():
    times = {REFERENCE: [1.0, 2.0, 4.0, 2.0, 2.0], "peer": [4.0, 2.0, 4.0, 6.0, 5.0]}
    assert ratios(times, "peer") == [4.0, 1.0, 1.0, 3.0, 2.5]
    first, second = rows(times)
    assert (first["contestant"], first["ratio"], first["median_ms"], first["rounds"]) == (REFERENCE, 1.0, 2000.0, 5)
    assert (second["ratio"], second["ratio_q1"], second["ratio_q3"]) == (2.0, 1.0, 3.0)
    assert (second["q1_ms"], second["median_ms"], second["q3_ms"]) == (4000.0, 4000.0, 5000.0)


def test_quartiles_do_not_depend_on_the_order():
    assert quartiles([5.0, 1.0, 4.0, 2.0, 3.0]) == (2.0, 3.0, 4.0)


def contestant(value, **options):
    return Contestant(lambda: None, lambda: [torch.tensor([value, 1.0])], **options)


def test_answers_that_differ_are_refused():
    made = {REFERENCE: contestant(1.0), "peer": contestant(1.001)}
    with pytest.raises(WorkError, match=r"here: peer and opforge differ by 0\.00071; they must compute the same"):
        compare(made, "here")


def test_an_answer_that_is_no_number_is_refused():
    with pytest.raises(WorkError, match="differ by nan"):
        compare({REFERENCE: contestant(1.0), "peer": contestant(float("nan"))}, "here")


def test_an_answer_is_compared_with_what_is_expected_of_it():
    odd = contestant(5.0, expected=lambda: [torch.tensor([5.0, 1.0])])
    assert compare({REFERENCE: contestant(1.0), "peer": odd}, "here") == {REFERENCE: 0.0, "peer": 0.0}


def test_a_row_says_all_of_its_contestant():
    made = {REFERENCE: lambda: contestant(1.0), "peer": lambda: contestant(1.0, note="odd", backend=lambda: "gemm")}
    case = Case("family", "group", "small", ("forward",), lambda way: made)
    first, second = measure(case, "forward", Effort(seconds=0.0, least=2))
    assert [first[k] for k in ("family", "group", "case", "pass")] == ["family", "group", "small", "forward"]
    assert (first["note"], second["note"], second["difference"]) == ("", "odd", 0.0)
    assert (first["backend"], second["backend"]) == ("", "gemm")
    assert list(first) == list(second)
