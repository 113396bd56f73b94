import math
from dataclasses import replace

import pytest

from opforge.core import Grid
from opforge.errors import InputError
from opforge.training import Cosine, OneCycle, Optimiser, RelativeLp
from opforge.training.options import plain


def test_one_cycle_goes_up_and_comes_down():
    schedule = OneCycle(warmup=0.25, start=0.1, end=0.01)
    values = [schedule(t / 100) for t in range(101)]
    assert values[0] == pytest.approx(0.1) and values[25] == 1.0 and values[100] == pytest.approx(0.01)
    assert values[:26] == sorted(values[:26]) and values[25:] == sorted(values[25:], reverse=True)


def test_one_cycle_without_warm_up_is_a_cosine():
    assert [OneCycle(warmup=0, end=0)(t) for t in (0, 0.3, 1)] == [Cosine()(t) for t in (0, 0.3, 1)]


@pytest.mark.parametrize("schedule", [OneCycle(), Cosine(end=0.1)])
def test_rates_span_the_schedule_once(schedule):
    optimiser = Optimiser(learning_rate=2.0, schedule=schedule)
    assert optimiser.rate(0, 11) == 2 * schedule(0.0)
    assert optimiser.rate(10, 11) == 2 * schedule(1.0)
    assert optimiser.rate(0, 1) == 2 * schedule(0.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"weight_decay": -1.0},
        {"betas": (0.9, 1.0)},
        {"clip": 0.0},
        {"ema": 1.0},
        {"schedule": "cosine"},
    ],
    ids=str,
)
def test_refuses_values_outside_their_range(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        replace(Optimiser(), **wrong)


@pytest.mark.parametrize("wrong", [{"warmup": 1.0}, {"start": -0.1}, {"end": 1.5}], ids=str)
def test_refuses_schedules_that_leave_their_range(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        OneCycle(**wrong)


def test_plain_values_tell_options_apart():
    assert plain(RelativeLp(math.inf, Grid((4,)))) == {
        "name": "RelativeLp",
        "p": "inf",
        "grid": {"name": "Grid", "shape": [4], "lengths": [1.0], "points": "cells", "origin": [0.0]},
        "weights": None,
        "epsilon": 1e-12,
    }
    assert plain(math.cos) == "cos"
    assert plain(Optimiser()) != plain(Optimiser(schedule=Cosine()))
