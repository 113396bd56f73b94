"""What is measured, and that the caller does not notice."""

import time

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from opforge.core.choice import measuring


@pytest.fixture
def clock(monkeypatch):
    """A clock that only calls move: `clock(seconds)` is a call that takes so long."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


def test_medians_are_in_milliseconds_and_not_led_astray_by_an_outlier(clock):
    durations = {"a": iter([9.0, 9.0, 0.1, 0.2, 5.0]), "b": iter([9.0, 9.0, 0.3, 0.3, 0.3])}
    found = measuring.medians(lambda name: lambda: clock(next(durations[name])), ["a", "b"])
    assert found == pytest.approx({"a": 200.0, "b": 300.0})


def test_contestants_take_turns_until_the_budget_is_used_up(clock):
    calls = []

    def trial(name):
        return lambda: (calls.append(name), clock(0.01))

    measuring.medians(trial, ["a", "b"], budget=0.095)
    assert calls == ["a", "a", "b", "b"] + ["a", "b"] * 5
    calls.clear()
    measuring.medians(trial, ["a", "b"], budget=0.0)
    assert calls == ["a", "a", "b", "b"] + ["a", "b"] * 3


def test_short_calls_are_repeated_until_the_clock_can_tell(clock):
    calls = []
    found = measuring.medians(lambda name: lambda: (calls.append(name), clock(5e-4)), ["a"], budget=0.0)
    assert len(calls) == 2 + 3 * 4
    assert found == pytest.approx({"a": 0.5})


def test_data_is_made_once():
    made = []
    measuring.medians(lambda name: (made.append(name), lambda: None)[1], ["a", "b"], budget=0.01)
    assert made == ["a", "b"]


def test_the_callers_modes_neither_hold_nor_change():
    seen = {}

    def trial(name):
        x = torch.randn(3, requires_grad=True)
        seen[name] = (x.device.type, x.dtype, torch.is_inference(x), torch.is_autocast_enabled("cpu"))
        return lambda: (x @ x).square().backward()  # fails without gradients

    torch.set_default_device("meta")
    try:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            measuring.medians(trial, ["a"], budget=0.0)
            assert torch.is_inference_mode_enabled() and not torch.is_grad_enabled()
            assert torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
        assert torch.get_default_device().type == "meta"
    finally:
        torch.set_default_device(None)
    assert seen == {"a": ("cpu", torch.float32, False, False)}


def square_after_measuring(x):
    measuring.medians(lambda name: lambda: torch.ones(2, requires_grad=True).exp().sum().backward(), ["a"], budget=0.0)
    return x.square().exp()


def test_under_activation_checkpointing():
    """It compares how many tensors the function saves, first and when it is called again, without a measurement."""
    called = []

    def function(x):
        called.append(True)
        return square_after_measuring(x) if len(called) == 1 else x.square().exp()

    x = torch.tensor(0.5, requires_grad=True)
    checkpoint(function, x, use_reentrant=False).backward()
    assert len(called) == 2
    torch.testing.assert_close(x.grad, 2 * x * x.square().exp())


def test_in_the_middle_of_a_backward_pass():
    x = torch.tensor(0.5, requires_grad=True)
    y = x.square()
    y.register_hook(lambda gradient: gradient * square_after_measuring(torch.tensor(0.0)))
    y.backward()
    torch.testing.assert_close(x.grad, torch.tensor(1.0))


def test_random_numbers_go_on_where_they_were():
    torch.manual_seed(0)
    expected = torch.randn(4)
    torch.manual_seed(0)
    measuring.medians(lambda name: (lambda x: lambda: torch.randn_like(x))(torch.randn(5)), ["a", "b"], budget=0.0)
    torch.testing.assert_close(torch.randn(4), expected, rtol=0.0, atol=0.0)


def test_the_number_of_threads_is_the_callers():
    before = torch.get_num_threads()
    try:
        for threads in (2, 1):
            torch.set_num_threads(threads)
            seen = []
            measuring.medians(lambda name, s=seen: lambda: s.append(torch.get_num_threads()), ["a"], budget=0.0)
            assert set(seen) == {threads} and torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_an_error_comes_back_and_leaves_nothing_behind():
    torch.manual_seed(0)
    state = torch.get_rng_state()

    def fail():
        torch.randn(3)
        raise RuntimeError("out of memory")

    with torch.no_grad(), pytest.raises(RuntimeError, match="out of memory"):
        measuring.medians(lambda name: fail, ["a"])
    assert torch.equal(torch.get_rng_state(), state) and torch.is_grad_enabled()
