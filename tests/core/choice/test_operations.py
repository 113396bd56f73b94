"""The table of operations that have several back ends."""

import inspect
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from opforge import core
from opforge.core.choice import operations
from opforge.core.choice.decision import Candidate, Question
from opforge.core.choice.operations import OPERATIONS, known_op, question_of, usual_cases
from opforge.errors import InputError


@pytest.fixture
def made_up(monkeypatch):
    """Register the operation ``made_up``, whose question is put by a function; returns how."""

    def register(function):
        monkeypatch.setitem(sys.modules, "made_up_module", SimpleNamespace(ask=function))
        monkeypatch.setitem(OPERATIONS, "made_up", "made_up_module:ask")

    return register


def ask(shape, *, modes, batch=1):
    return Question("made_up", f"{shape} {modes} {batch}", (Candidate("gemm", 1.0),))


def test_operations_are_public_and_say_so_by_their_parameters():
    for op in OPERATIONS:
        assert "backend" in inspect.signature(getattr(core, op)).parameters


@pytest.mark.parametrize("op", sorted(OPERATIONS))
def test_usual_cases_are_served(op):
    questions = [question_of(op, case.shape, **case.options) for case in usual_cases(op)]
    if not questions:  # a fixed rule decides, so that there is nothing to measure
        assert question_of(op, (64, 64)).trial is None
        return
    assert {question.op for question in questions} == {op}
    assert len({question.key for question in questions}) == len(questions), "no case stands there twice"
    assert {len(case.shape) for case in usual_cases(op)} >= {1}


def test_usual_cases_are_those_of_the_table():
    assert set(operations.USUAL) == set(OPERATIONS)


def test_a_question_is_put_with_its_options(made_up):
    made_up(ask)
    assert question_of("made_up", [8, 8], modes=3).key == "(8, 8) 3 1"
    assert question_of("made_up", (8, 8), modes=3, batch=2).key == "(8, 8) 3 2"


@pytest.mark.parametrize(
    ("op", "options", "message"),
    [
        ("fft_conv", {"shape": 64}, "shape must be a sequence of whole numbers from 1 on, got 64"),
        ("fft_conv", {"shape": (0,)}, r"shape must be a sequence .* got \(0,\)"),
        ("fft_conv", {"batch": 0}, "batch must be a whole number from 1 on, got 0"),
        ("fft_conv", {"batch": None}, "batch must be a whole number from 1 on, got None"),
        ("conv_nd", {"channels": -1}, "channels must be a whole number from 1 on, got -1"),
        ("conv_nd", {"out_channels": 2.5}, "out_channels must be a whole number from 1 on, got 2.5"),
        ("rfftn", {"threads": 0}, "threads must be a whole number from 1 on, got 0"),
        ("fft_conv", {"dtype": torch.int32}, "dtype must be one of float32, float64 for fft_conv, got torch.int32"),
        ("fft_conv", {"dtype": None}, "dtype must be one of .* got None"),
        ("rfftn", {"dtype": "int32"}, "dtype must be one of float32, .*, complex128 for rfftn, got 'int32'"),
        ("fft_conv", {"device": "tpu"}, "device must be cpu, cuda or another of torch's, got 'tpu'"),
        ("rfftn", {"device": 2.5}, "device must be .*, or numpy, got 2.5"),
        (None, {}, "unknown op None"),
    ],
)
def test_what_no_call_could_have_is_named(op, options, message):
    with pytest.raises(InputError, match=message):
        question_of(op, **({"shape": (64,)} | options))


@pytest.mark.parametrize("dtype", [torch.float32, np.float32, np.dtype("float32"), "float32"])
def test_types_of_any_library(dtype):
    for op, options in (("fft_conv", {}), ("spectral_conv", {"modes": (4,)}), ("dctn", {"device": "numpy"})):
        assert "float32" in question_of(op, (64,), dtype=dtype, **options).key


def test_a_function_may_take_any_option(made_up):
    made_up(lambda shape, *, modes, **options: ask(shape, modes=modes, **options))
    assert question_of("made_up", (8,), modes=3, batch=2).key == "(8,) 3 2"
    with pytest.raises(InputError, match="made_up needs the option 'modes'; give modes="):
        question_of("made_up", (8,), batch=2)


def test_wrong_options_are_named(made_up):
    made_up(ask)
    with pytest.raises(InputError, match="unknown option of made_up 'mode'; did you mean 'modes'"):
        question_of("made_up", (8,), mode=3)
    with pytest.raises(InputError, match="made_up needs the option 'modes'; give modes="):
        question_of("made_up", (8,))


def test_unknown_operations_are_named():
    for refuse in (known_op, usual_cases, lambda op: question_of(op, (8,))):
        with pytest.raises(InputError, match="unknown op 'fft_cnov'; did you mean 'fft_conv'"):
            refuse("fft_cnov")
