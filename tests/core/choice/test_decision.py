"""Which back end is chosen, in which order of reasons, and when it is measured."""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from opforge.core import plan_cache, set_backend
from opforge.core.choice import decision
from opforge.core.choice.decision import Candidate, Question, answer, contest, decide, tuning
from opforge.core.choice.operations import OPERATIONS
from opforge.core.choice.remembered import RememberedChoice
from opforge.errors import InputError

OP = "made_up"
FAR = (Candidate("torch", 40.0), Candidate("gemm", 10.0), Candidate("best", 1.0, why_not="needs a grid of 7"))
CLOSE = (Candidate("gemm", 10.0), Candidate("torch", 20.0), Candidate("dense", 90.0))


def no_trial(name):
    raise AssertionError(f"{name} is measured")


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    monkeypatch.setitem(OPERATIONS, OP, "nowhere:question")
    yield
    set_backend(OP, None)
    decision._given.clear()


@pytest.fixture
def times(tuned, monkeypatch):
    """Stands in for measuring: ``times.answers`` are the medians, ``times.asked`` the contestants each time."""

    times = SimpleNamespace(asked=[], answers={"gemm": 3.0, "torch": 2.0, "dense": 1.0})

    def medians(trial, names, *, budget=0.3):
        times.asked.append(list(names))
        return {name: times.answers[name] for name in names}

    monkeypatch.setattr(decision, "medians", medians)
    return times


def close(key="8x8", candidates=CLOSE, trial=no_trial):
    return Question(OP, key, candidates, trial)


# --- without measuring ---------------------------------------------------------------------------------------------


def test_the_cheapest_that_can_serve():
    assert answer(Question(OP, "7", FAR)) == "gemm"
    assert decide(Question(OP, "7", FAR)).why == "cost model: torch costs 4 times as much; OPFORGE_TUNE=off"


def test_the_only_one_that_can_serve():
    only = (Candidate("gemm", 1.0, why_not="no"), Candidate("fftw", 2.0, install="pip install pyfftw"), FAR[0])
    assert decide(Question(OP, "only", only)) == decision.Decision("torch", "no other can serve")


def test_nobody_can_serve():
    nobody = (Candidate("gemm", 1.0, why_not="too fine"), Candidate("fftw", 2.0, install="pip install pyfftw"))
    expected = (
        r"no back end can serve this made_up \(8x8\): gemm: too fine; fftw: not installed, run: pip install pyfftw"
    )
    with pytest.raises(InputError, match=expected):
        answer(Question(OP, "8x8", nobody))


def test_asked_for_by_name_comes_first():
    set_backend(OP, "gemm")
    assert answer(close(), "torch") == "torch"
    assert decide(close(), "torch").why == "asked for by name"


def test_then_the_one_that_was_set():
    assert answer(close()) == "gemm"
    set_backend(OP, "dense")
    assert answer(close()) == "dense"
    with set_backend(OP, "torch"):
        assert answer(close()) == "torch"
        assert decide(close()).why == "chosen with set_backend"
    with set_backend(OP, None):
        assert answer(close()) == "gemm"


REFUSED = (*FAR, Candidate("fftw", 1.0, install="pip install pyfftw"))


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("tcrch", InputError, "unknown backend 'tcrch'; did you mean 'torch'"),
        ("best", InputError, "cannot serve this made_up: needs a grid of 7"),
        ("fftw", ImportError, "is not installed; run: pip install pyfftw"),
    ],
)
def test_no_silent_change_of_the_back_end(name, error, message):
    question = Question(OP, "8x8", REFUSED)
    with pytest.raises(error, match=message):
        answer(question, name)
    with set_backend(OP, name), pytest.raises(error, match=message):
        answer(question)
    set_backend(OP, name)
    with pytest.raises(error, match=message):
        answer(question)


def test_the_error_says_whence_the_name_came():
    with set_backend(OP, "best"), pytest.raises(InputError, match="backend 'best', chosen with set_backend, cannot"):
        answer(Question(OP, "8x8", REFUSED))


@pytest.mark.parametrize("value", ["of", "OFF", "always"])
def test_an_unknown_mode_is_named(monkeypatch, value):
    answer(close())
    monkeypatch.setenv("OPFORGE_TUNE", value)
    with pytest.raises(InputError, match=f"OPFORGE_TUNE must be auto or off, got '{value}'; unset it for auto"):
        answer(close())


def test_an_unset_mode_is_auto(monkeypatch):
    for value in ("", "auto"):
        monkeypatch.setenv("OPFORGE_TUNE", value)
        assert tuning() == "auto"
    monkeypatch.delenv("OPFORGE_TUNE")
    assert tuning() == "auto"


def test_off_neither_measures_nor_reads_nor_writes(times, monkeypatch, tuned):
    monkeypatch.setenv("OPFORGE_TUNE", "off")
    tuned.mkdir()
    plan_cache.path.write_text("a damaged file, which reading would complain of")
    assert answer(close()) == "gemm"
    assert contest(close()).medians == times.answers, "measured, since asked for, and not remembered"
    assert answer(close()) == "gemm"
    assert [path.name for path in tuned.iterdir()] == [plan_cache.path.name]
    assert plan_cache.path.read_text().startswith("a damaged")
    plan_cache.path.unlink()


# --- measuring -----------------------------------------------------------------------------------------------------


def test_what_is_close_is_measured_once_and_remembered(times):
    assert [answer(close()) for _ in range(3)] == ["torch"] * 3
    assert times.asked == [["gemm", "torch"]], "dense is no closer than a factor of 9"
    assert plan_cache.entries() == [RememberedChoice(OP, "8x8", "torch", {"gemm": 3.0, "torch": 2.0})]
    assert decide(close()).why == "measured: gemm takes 1.5 times as long"
    decision._given.clear()  # another process
    assert answer(close()) == "torch"
    assert decide(close()).why == "measured earlier: gemm takes 1.5 times as long"
    assert len(times.asked) == 1


def test_what_is_not_close_is_not_measured(times):
    assert answer(Question(OP, "8x8", FAR, no_trial)) == "gemm"
    assert decide(Question(OP, "8x8", FAR)).why == "cost model: torch costs 4 times as much"
    assert times.asked == [] and plan_cache.entries() == []


def test_each_kind_of_call_has_its_answer(times):
    assert answer(close("8x8")) == "torch"
    times.answers = times.answers | {"torch": 4.0}
    assert [answer(close("9x9")), answer(close("8x8"))] == ["gemm", "torch"]


def test_what_is_forgotten_is_measured_again(times):
    answer(close())
    for forget in (plan_cache.clear, lambda: plan_cache.forget(OP)):
        forget()
        times.answers = times.answers | {"gemm": 5.0 - times.answers["gemm"]}
        assert answer(close()) == min(("gemm", "torch"), key=times.answers.get)
    assert len(times.asked) == 3


def test_other_candidates_make_it_another_question(times):
    assert answer(close()) == "torch"
    without = (CLOSE[0], replace(CLOSE[1], why_not="uninstalled"), CLOSE[2])
    assert answer(close(candidates=without)) == "gemm"
    closer = (*CLOSE[:2], Candidate("dense", 11.0))
    assert answer(close(candidates=closer)) == "dense", "the earlier measurement left dense out"
    assert times.asked == [["gemm", "torch"], ["gemm", "dense", "torch"]]


def test_a_contest_tries_what_the_model_holds_for_dear_too(times):
    assert answer(close()) == "torch"
    assert contest(close()).backend == "dense"
    assert answer(close()) == "dense"
    decision._given.clear()
    assert answer(close()) == "dense"
    assert times.asked == [["gemm", "torch"], ["gemm", "torch", "dense"]]
    hopeless = (*CLOSE[:2], Candidate("dense", 101.0))
    assert contest(close("9x9", hopeless)).backend == "torch"


def test_a_contest_of_one(times):
    only = close(candidates=(CLOSE[0], replace(CLOSE[1], why_not="no"), Candidate("dense", 101.0)))
    assert contest(only).medians == {}
    assert contest(Question(OP, "8x8", CLOSE)).why.endswith("these calls cannot be measured")
    assert times.asked == []


def test_long_calls_are_measured_only_on_request(times):
    long = close(candidates=tuple(replace(c, cost=4e7 * c.cost) for c in CLOSE))
    assert decide(long).why == "cost model: torch costs 2 times as much; close, but too long to be measured unasked"
    assert times.asked == []
    assert contest(long).backend == answer(long) == "dense"


def test_looking_does_not_measure(times):
    assert decide(close(), measure=False).why.endswith("close: the first call measures")
    assert times.asked == []
    assert answer(close()) == "torch"


def test_nothing_is_measured_while_torch_traces(times):
    with FakeTensorMode():
        assert answer(close()) == "gemm"
        assert decide(close()).why.endswith("close, but nothing is measured while torch traces")
    assert answer(close()) == "torch", "the answer of a trace is not kept"
    with FakeTensorMode():
        assert answer(close()) == "torch"
        decision._given.clear()
        assert answer(close()) == "torch", "what is remembered serves a trace too"
    assert len(times.asked) == 1


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("no memory"), ValueError("no memory")])
def test_a_failing_measurement_does_not_fail_the_call(tuned, error):
    def trial(name):
        raise error

    message = rf"made_up \(8x8\) could not be measured, and the cost model decides: {type(error).__name__}: no memory"
    with pytest.warns(RuntimeWarning, match=message):
        assert answer(close(trial=trial)) == "gemm"
    assert answer(close(trial=trial)) == "gemm", "without trying, and warning, again"
    assert plan_cache.entries() == []
    assert not decision._turn_of_this_process().locked()
    with pytest.raises(type(error), match="no memory"):
        contest(close(trial=trial))


def test_a_trial_may_ask_questions_itself(tuned):
    inner = close("inner", trial=lambda name: lambda: None)
    asked = []

    def trial(name):
        return lambda: asked.append(answer(inner))

    answer(close("outer", trial=trial))
    assert set(asked) == {"gemm"}, "by the cost model: two measurements at once would disturb each other"
    assert [entry.key for entry in plan_cache.entries()] == ["outer"]
    answer(inner)
    assert [entry.key for entry in plan_cache.entries()] == ["outer", "inner"]


def test_other_threads_do_not_wait_for_a_measurement(times, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def medians(trial, names, *, budget=0.3):
        begun.set()
        assert go_on.wait(10)
        return {"gemm": 2.0, "torch": 1.0}

    monkeypatch.setattr(decision, "medians", medians)
    found = []
    thread = threading.Thread(target=lambda: found.append(answer(close())))
    thread.start()
    assert begun.wait(10)
    assert answer(close()) == "gemm"
    go_on.set()
    thread.join()
    assert found == [answer(close())] == ["torch"]


def test_calls_are_really_measured(tuned):
    made = []

    def trial(name):
        made.append(name)
        x = torch.randn(64, 64 if name == "gemm" else 64 * 64, dtype=torch.float32, requires_grad=True)
        return lambda: x.square().sum().backward()

    with torch.no_grad():
        assert answer(close(trial=trial)) == "gemm"
    (entry,) = plan_cache.entries()
    assert made == ["gemm", "torch"] and 0 < entry.medians["gemm"] < entry.medians["torch"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_measures_for_itself(tuned):
    """Even when the fork happened in the middle of a measurement, whose lock the child then has a copy of."""
    code = """
import os
from opforge.core.choice import decision
from opforge.core.choice.decision import Candidate, Question, answer

decision.medians = lambda trial, names, budget=0.3: {"gemm": 2.0, "torch": 1.0}
with decision._turn_of_this_process():
    child = os.fork()
    if child == 0:
        name = answer(Question("made_up", "8x8", (Candidate("gemm", 1.0), Candidate("torch", 2.0)), print))
        os._exit(0 if name == "torch" else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert [entry.backend for entry in plan_cache.entries()] == ["torch"]


def test_the_choice_needs_no_torch_where_nothing_is_measured():
    code = """
import sys
from opforge.core.choice.decision import Candidate, Question, answer
answer(Question("made_up", "8x8", (Candidate("gemm", 1.0), Candidate("torch", 9.0))))
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
