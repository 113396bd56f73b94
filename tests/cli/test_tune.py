import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from opforge.core import plan_cache
from opforge.core.choice import decision, operations
from opforge.core.choice.decision import Candidate, Question, answer
from opforge.core.choice.operations import Case
from opforge.core.choice.remembered import RememberedChoice
from opforge.errors import InputError

CANDIDATES = (Candidate("gemm", 10.0), Candidate("torch", 20.0), Candidate("dense", 90.0))


def question(shape, *, modes=3, batch=1, dtype=torch.float32, device="cpu"):
    if max(shape) <= 2 * modes:
        raise InputError(f"modes must be lower on {shape}, got {modes}")
    key = f"{'x'.join(map(str, shape))} modes {modes} batch {batch} {dtype} {device}"
    return Question("made_up", key, CANDIDATES, lambda name: lambda: None)


@pytest.fixture(autouse=True)
def made_up(monkeypatch, tuned):
    """Two operations, one of them with nothing to choose, and medians that need no measuring."""
    single = Question("single", "any size", CANDIDATES[:1])
    module = SimpleNamespace(question=question, single=lambda shape, *, device: single)
    monkeypatch.setitem(sys.modules, "made_up_module", module)
    monkeypatch.setattr(
        operations, "OPERATIONS", {"made_up": "made_up_module:question", "single": "made_up_module:single"}
    )
    cases = (Case((8,)), Case((8, 8)), Case((16, 16), {"batch": 2}), Case((16, 16), {"modes": 7}))
    monkeypatch.setattr(operations, "USUAL", {"made_up": cases, "single": (Case((8,)),)})

    def medians(trial, names, *, budget):
        budgets.append(budget)
        return {name: {"gemm": 3.0, "torch": 2.0, "dense": 4.0}[name] for name in names}

    budgets = []
    monkeypatch.setattr(decision, "medians", medians)
    yield budgets
    decision._given.clear()


def rows(done):
    assert done.status == 0, done.err
    header, *lines = (line.split("\t") for line in done.out.splitlines())
    assert header == ["op", "calls", "back end", "forward + backward"]
    return lines


MEDIANS = "torch 2 ms, gemm 3 ms, dense 4 ms"


def test_usual_cases_are_measured_and_remembered(opforge, made_up):
    found = rows(opforge("--quiet", "tune", "--device", "cpu"))
    assert [row[1] for row in found] == [
        "8 modes 3 batch 1 torch.float32 cpu",
        "8x8 modes 3 batch 1 torch.float32 cpu",
        "16x16 modes 3 batch 2 torch.float32 cpu",
        "16x16 modes 7 batch 1 torch.float32 cpu",
        "any size",
    ]
    assert [row[2:] for row in found] == [["torch", MEDIANS]] * 4 + [["gemm", "no other can serve"]]
    assert [entry.key for entry in plan_cache.entries()] == [row[1] for row in found[:4]]
    assert answer(question((8, 8))) == "torch"
    assert len(made_up) == 4


def test_the_table_and_the_bar_are_for_people(opforge):
    done = opforge("tune", "made_up", "--device", "cpu")
    assert "made_up" in done.err and "4/4" in done.err
    assert MEDIANS in done.out and str(plan_cache.path) in done.out


def test_quick_is_shorter(opforge, made_up):
    opforge("tune", "made_up")
    opforge("tune", "made_up", "--quick")
    assert made_up[0] > made_up[-1] > 0


def test_a_shape_stands_in_for_the_usual_grids(opforge):
    done = opforge("--quiet", "tune", "made_up", "--shape", "12x10", "--device", "cpu")
    assert [row[1] for row in rows(done)] == [
        "12x10 modes 3 batch 1 torch.float32 cpu",
        "12x10 modes 3 batch 2 torch.float32 cpu",
    ]
    done = opforge("tune", "made_up", "--shape", "12x10", "--device", "cpu")
    assert "left out: modes must be lower on (12, 10), got 7" in done.err


def test_options_of_ones_own(opforge):
    words = ("--set", "modes=2", "--set", "batch=5", "--set", "dtype=float64", "--device", "cpu")
    done = opforge("--quiet", "tune", "made_up", "--shape", "12x10", *words)
    assert [row[1] for row in rows(done)] == ["12x10 modes 2 batch 5 torch.float64 cpu"]


def test_json(opforge):
    found = json.loads(opforge("tune", "made_up", "--shape", "8", "--device", "cpu", "--json", "-").out)
    assert found["file"] == str(plan_cache.path)
    assert set(found["machine"]) == {"processor", "graphics", "torch", "opforge"}
    calls = "8 modes 3 batch 1 torch.float32 cpu"
    medians = {"gemm": 3.0, "torch": 2.0, "dense": 4.0}
    (row,) = found["choices"]
    assert row.pop("why") == "measured: gemm takes 1.5 times as long"
    assert row == {"op": "made_up", "calls": calls, "backend": "torch", "medians_ms": medians}


def test_json_file_is_kept_unless_forced(opforge, refused):
    assert opforge("tune", "made_up", "--json", "t.json").status == 0
    assert "JSON file 't.json' exists" in refused("tune", "made_up", "--json", "t.json")
    assert opforge("tune", "made_up", "--json", "t.json", "--force").status == 0


def test_show_measures_nothing(opforge, made_up):
    assert rows(opforge("--quiet", "tune", "--show")) == []
    for op in ("made_up", "single"):
        plan_cache.remember(RememberedChoice(op, "8x8", "gemm", {"gemm": 1.0, "torch": 1.25}))
    expected = [[op, "8x8", "gemm", "gemm 1 ms, torch 1.25 ms"] for op in ("made_up", "single")]
    assert rows(opforge("--quiet", "tune", "--show")) == expected
    assert rows(opforge("--quiet", "tune", "--show", "single")) == expected[1:]
    assert made_up == []


def test_clear_forgets_all_or_one_operation(opforge):
    def remember():
        for op in ("made_up", "single"):
            plan_cache.remember(RememberedChoice(op, "8x8", "gemm", {"gemm": 1.0, "torch": 1.25}))

    remember()
    done = opforge("tune", "--clear", "made_up")
    assert (done.status, done.out) == (0, "") and "forgotten: made_up in" in done.err
    assert [entry.op for entry in plan_cache.entries()] == ["single"]
    remember()
    assert "forgotten: everything" in opforge("tune", "--clear").err
    assert plan_cache.entries() == []


def test_cases_that_fail_are_named_after_the_others_are_done(opforge, monkeypatch):
    def medians(trial, names, *, budget):
        calls.append(names)
        if len(calls) == 2:
            raise torch.OutOfMemoryError("no memory")
        return {name: 1.0 for name in names}

    calls = []
    monkeypatch.setattr(decision, "medians", medians)
    done = opforge("--quiet", "tune", "made_up", "--device", "cpu")
    assert done.status == 1
    expected = "1 of 4 cases could not be measured: made_up (8x8 modes 3 batch 1 torch.float32 cpu): OutOfMemoryError"
    assert expected in done.err
    assert len(plan_cache.entries()) == 3


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["made_pu"], "unknown op 'made_pu'; did you mean 'made_up'"),
        (["--shape", "12y"], "--shape expects a whole number or one per axis such as 48x40, got '12y'"),
        (["--shape", "0x4"], "--shape expects a whole number"),
        (["made_up", "--shape", "4x4x4"], "--shape must have as many axes as calls of made_up have, got 4x4x4"),
        (["made_up", "--shape", "4"], "modes must be lower on (4,), got 3"),
        (["made_up", "--set", "modes=9"], "modes must be lower on (8,), got 9"),
        (["made_up", "--set", "mods=9"], "unknown option of made_up 'mods'; did you mean 'modes'"),
        (["made_up", "--set", "dtype=float23"], "dtype must be a number format of torch"),
        (["--device", "abacus"], "device: expected"),
        (["--show", "--clear"], "--show and --clear measure nothing; give one of them"),
        (["--show", "--shape", "8"], "--show and --clear measure nothing"),
        (["--show", "--device", "cpu"], "--show and --clear measure nothing"),
        (["--clear", "--json", "-"], "--show and --clear measure nothing"),
        (["--show", "--json", "nowhere/t.json"], "create 'nowhere' first"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_measured(refused, words, expected):
    assert expected in refused("tune", *words)


def test_where_tuning_is_off(opforge, refused, monkeypatch):
    monkeypatch.setenv("OPFORGE_TUNE", "off")
    assert "OPFORGE_TUNE is off" in refused("tune", "made_up")
    assert opforge("tune", "--show").status == 0


def test_looking_is_quick():
    code = "import sys; from opforge.cli import main; main(['tune', '--show']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
