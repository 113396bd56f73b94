"""What is said about the choice."""

import sys
from types import SimpleNamespace

import pytest
import torch

from opforge.core import explain, plan_cache, set_backend
from opforge.core.choice import decision
from opforge.core.choice.decision import Candidate, Question, answer
from opforge.core.choice.operations import OPERATIONS
from opforge.errors import InputError

CANDIDATES = (
    Candidate("torch", 2e6),
    Candidate("gemm", 1e6),
    Candidate("dense", 5e7),
    Candidate("triton", 1e3, why_not="no graphics card"),
    Candidate("fftw", 1e6, install="pip install pyfftw"),
)


def question(shape, *, modes=3, threads=None):
    return Question("made_up", f"{'x'.join(map(str, shape))} modes {modes}", CANDIDATES, lambda name: lambda: None)


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    monkeypatch.setitem(sys.modules, "made_up_module", SimpleNamespace(question=question))
    monkeypatch.setitem(OPERATIONS, "made_up", "made_up_module:question")
    yield
    set_backend("made_up", None)
    decision._given.clear()


@pytest.fixture
def times(tuned, monkeypatch):
    medians = {"torch": 1.5, "gemm": 2.4, "dense": 9.0}
    monkeypatch.setattr(decision, "medians", lambda trial, names, *, budget=0.3: {n: medians[n] for n in names})
    return medians


def first(*words, **options):
    return explain("made_up", (8, 8), *words, **options).splitlines()[0]


def test_every_back_end_has_its_line():
    assert explain("made_up", (8, 8)).splitlines() == [
        "made_up, 8x8 modes 3: gemm (cost model: torch costs 2 times as much; OPFORGE_TUNE=off)",
        "  torch   2 ms by the cost model",
        "  gemm    1 ms by the cost model",
        "  dense   50 ms by the cost model",
        "  triton  cannot serve: no graphics card",
        "  fftw    not installed; run: pip install pyfftw",
    ]


def test_it_does_not_measure_unasked(times):
    expected = "made_up, 8x8 modes 3: gemm (cost model: torch costs 2 times as much; close: the first call measures)"
    assert first() == first() == expected
    assert plan_cache.entries() == []


def test_it_says_what_a_call_does(times):
    assert answer(question((8, 8))) == "torch"
    assert explain("made_up", (8, 8)).splitlines()[:4] == [
        "made_up, 8x8 modes 3: torch (measured: gemm takes 1.6 times as long)",
        "  torch   1.5 ms measured, 2 ms by the cost model",
        "  gemm    2.4 ms measured, 1 ms by the cost model",
        "  dense   50 ms by the cost model",
    ]
    decision._given.clear()
    assert first() == "made_up, 8x8 modes 3: torch (measured earlier: gemm takes 1.6 times as long)"


def test_on_request_it_measures_and_remembers(times):
    assert "torch (measured: gemm takes 1.6 times as long)" in first(measure=True)
    assert [entry.backend for entry in plan_cache.entries()] == ["torch"]
    assert answer(question((8, 8))) == "torch"


def test_a_request_is_shown_but_not_heeded_where_tuning_is_off(times, monkeypatch):
    monkeypatch.setenv("OPFORGE_TUNE", "off")
    text = explain("made_up", (8, 8), measure=True)
    assert "8x8 modes 3: gemm (cost model:" in text and "  torch   1.5 ms measured, 2 ms" in text
    assert answer(question((8, 8))) == "gemm"
    assert "measured" not in explain("made_up", (8, 8))
    monkeypatch.setenv("OPFORGE_TUNE", "auto")
    assert plan_cache.entries() == []


def test_what_was_asked_or_set_is_said_with_what_is_known(times):
    answer(question((8, 8)))
    text = explain("made_up", (8, 8), backend="dense")
    assert "modes 3: dense (asked for by name)\n  torch   1.5 ms measured" in text
    set_backend("made_up", "gemm")
    assert first() == "made_up, 8x8 modes 3: gemm (chosen with set_backend)"
    assert first(measure=True) == "made_up, 8x8 modes 3: gemm (chosen with set_backend)"


def test_a_real_operation():
    lines = explain("spectral_conv", (64, 64), modes=(12, 12), batch=16).splitlines()
    assert lines[0].startswith("spectral_conv, 64x64 modes 12x12 batch 16 channels 32 float32 cpu ")
    assert {line.split()[0] for line in lines[1:]} >= {"gemm", "torch"}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: explain("made_pu", (8,)), InputError, "unknown op 'made_pu'; did you mean 'made_up'"),
        (lambda: explain("made_up", (8,), mods=3), InputError, "unknown option of made_up 'mods'"),
        (lambda: explain("made_up", (8,), backend="gem"), InputError, "did you mean 'gemm'"),
        (lambda: explain("made_up", (8,), backend="triton"), InputError, "cannot serve this made_up: no graphics"),
        (lambda: explain("made_up", (8,), backend="fftw"), ImportError, "run: pip install pyfftw"),
        (lambda: explain("spectral_conv", (64,), modes=(32,)), InputError, "modes must be between 0"),
        (
            lambda: explain("made_up", (8,), threads=torch.get_num_threads() + 1, measure=True),
            InputError,
            "threads must be what torch uses now, .* call torch.set_num_threads",
        ),
    ],
)
def test_wrong_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
