"""Which back end serves a long convolution: who can, what it costs, and that trials run."""

import pytest
import torch

from opforge.core.choice.decision import answer
from opforge.core.long_conv import question
from opforge.core.long_conv.engines import BACKENDS
from opforge.errors import InputError, UnknownNameError


def candidates(*args, **options):
    return {c.name: c for c in question(*args, **options).candidates}


def test_names_every_back_end_and_says_why_not():
    found = candidates((64, 64), taps=(5, 5), dim=(0 + 2, 1 + 2))
    assert tuple(found) == BACKENDS
    assert not found["direct"].why_not
    assert not found["fft"].why_not
    assert found["twisted"].why_not == found["blocks"].why_not == "it works along one axis"
    assert found["gemm"].why_not == "it needs keep_modes"
    assert "longer than half" in candidates((64,), taps=33)["blocks"].why_not
    assert candidates((64,), taps=32, device="cuda")["blocks"].why_not == "it computes on the CPU, u is on cuda"
    assert candidates((64,), keep_modes=3)["direct"].why_not
    assert candidates((64,), keep_modes=31)["sparse"].why_not == ""
    assert candidates((64,), keep_modes=32)["sparse"].why_not == "more than half of the modes are kept"
    assert candidates((63,), mode="circular", keep_modes=3)["sparse"].why_not == "the number of points is odd"
    assert "prime factor" in candidates((2 * 1009,), mode="circular")["monarch"].why_not
    assert candidates((2**17,), keep_modes=2**15)["gemm"].why_not == "its matrices would be too large"


@pytest.mark.parametrize(
    ("points", "options", "expected"),
    [
        (65536, {}, "twisted"),
        (65536, {"taps": 4096}, "blocks"),
        (65536, {"keep_modes": 8191}, "sparse"),
        (65536, {"keep_modes": 40000}, "twisted"),
        (65536, {"keep_modes": 15}, "gemm"),
        (16, {"taps": 2, "batch": 1, "channels": 1}, "direct"),
    ],
)
def test_the_cost_model_prefers_what_does_least(points, options, expected, monkeypatch):
    monkeypatch.setenv("OPFORGE_TUNE", "off")
    options = {"batch": 8, "channels": 64} | options
    assert answer(question((points,), **options)) == expected


def test_costs_grow_with_the_sizes():
    def costs(points, taps, modes, batch):
        found = candidates((points,), taps=taps, keep_modes=modes, batch=batch)
        return {name: c.cost for name, c in found.items() if not c.why_not}

    for smaller, larger in (
        ((512, 40, None, 4), (1024, 40, None, 4)),
        ((1024, 40, None, 4), (1024, 400, None, 4)),
        ((1024, 40, None, 4), (1024, 40, None, 16)),
        ((1024, 40, 10, 4), (1024, 40, 100, 4)),
    ):
        before, after = costs(*smaller), costs(*larger)
        assert {"fft", "monarch", "twisted"} < set(before)
        for name in before.keys() & after.keys():
            assert before[name] <= after[name]
        assert any(before[name] < after[name] for name in before.keys() & after.keys())


def test_the_key_tells_what_matters():
    base = question((64, 32), taps=5, dim=-2, batch=3, channels=4, threads=2)
    assert base.op == "fft_conv"
    assert base.key == "64 taps 5 from 0 batch 128 channels 4 float32 cpu 2 threads"
    assert question((64, 32), taps=5, dim=2, batch=4, channels=4, threads=2) == base
    others = [
        question((64, 32), taps=5, dim=-1, batch=3, channels=4, threads=2),
        question((64, 32), taps=6, dim=-2, batch=3, channels=4, threads=2),
        question((64, 32), taps=5, dim=-2, batch=3, channels=5, threads=2),
        question((64, 32), taps=5, dim=-2, batch=3, channels=4, threads=1),
        question((64, 32), taps=5, dim=-2, batch=3, channels=4, threads=2, mode="same"),
        question((64, 32), taps=5, dim=-2, batch=3, channels=4, threads=2, mode="circular"),
        question((64, 32), taps=5, dim=-2, batch=3, channels=4, threads=2, keep_modes=3),
        question((64, 32), taps=5, dim=-2, batch=3, channels=4, threads=2, dtype=torch.float64),
        question((64, 32), taps=5, dim=-2, batch=3, channels=4, threads=2, device="cuda"),
        question((64, 32), taps=5, dim=-2, batch=300, channels=4, threads=2),
    ]
    assert len({base.key, *(other.key for other in others)}) == 1 + len(others)


@pytest.mark.parametrize(
    "options", [{"taps": 5}, {"keep_modes": 3, "mode": "circular"}, {"mode": "same", "dtype": torch.float64}]
)
def test_a_trial_runs_forwards_and_backwards(options):
    asked = question((40,), batch=2, channels=3, **options)
    able = [c.name for c in asked.candidates if not c.why_not]
    assert len(able) >= 3
    results = [asked.trial(name)() for name in able]
    for by_u, by_k in results:
        torch.testing.assert_close(by_u, results[0][0], rtol=0, atol=1e-4)
        torch.testing.assert_close(by_k, results[0][1], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"taps": 65}, "k must not be longer than the signal"),
        ({"taps": 0}, "taps needs one size of at least 1"),
        ({"taps": (3, 3)}, "taps needs one size of at least 1 per axis"),
        ({"dim": 1}, "dim must name different axes of space"),
        ({"keep_modes": 64}, "keep_modes must be between 0"),
    ],
)
def test_wrong_input_is_named(options, message):
    with pytest.raises(InputError, match=message):
        question((64,), **options)
    with pytest.raises(UnknownNameError, match="unknown mode 'casual'; did you mean 'causal'"):
        question((64,), mode="casual")
