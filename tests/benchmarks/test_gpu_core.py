"""The benchmark for GPUs, its small cases on whatever device the tests have."""

import dataclasses
import time

import pytest
import torch

from opforge.benchmarks import contest, gpu_core
from opforge.errors import WorkError


@pytest.fixture
def triton_device(monkeypatch):
    pytest.importorskip("triton")
    if torch.cuda.is_available():
        return "cuda"
    monkeypatch.setenv("TRITON_INTERPRET", "1")  # before the kernels are loaded
    return "cpu"


def test_without_a_gpu_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_core.main([]) == 1
    assert capsys.readouterr().err == "torch sees no GPU here; run this on a machine that has one\n"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu_core, "install_command", lambda: "pip install 'opforge[gpu]'")
    assert gpu_core.main([]) == 1
    assert capsys.readouterr().err == "Triton is not installed; run: pip install 'opforge[gpu]'\n"


@pytest.mark.parametrize("case", [gpu_core.spectral_case(6, 1, 1, 1), gpu_core.convolution_case(40, 2, 1)])
def test_contestants_agree_and_are_timed(triton_device, case):
    effort = contest.Effort(seconds=0.0, least=2, turn=0.0)
    rows = gpu_core.measure(case, triton_device, effort, time.perf_counter, graphs=False)
    assert {row["contestant"] for row in rows} == set(case.contestants)
    assert [row["pass"] for row in rows] == [way for way in gpu_core.PASSES for _ in case.contestants]
    assert all(0 < row["error"] < 1e-5 for row in rows if row["contestant"] in ("opforge", "torch.fft"))
    assert all(row["median_ms"] > 0 and row["rounds"] >= 2 for row in rows)


def test_a_wrong_answer_stops_it():
    case = gpu_core.convolution_case(40, 2, 1)
    wrong = dataclasses.replace(case, contestants={"opforge": lambda u, k: 1.01 * case.exact(u, k)})
    with pytest.raises(WorkError, match=r"opforge is off by 0\.02, allowed are 1e-05"):
        gpu_core.check(wrong, "cpu")


def test_precision_holds_for_the_backward_pass_too():
    seen = []

    class Seen(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            seen.append(torch.get_float32_matmul_precision())
            return gradient

    x = torch.ones(3, requires_grad=True)
    for name in ("opforge", "opforge, TF32", "opforge, bfloat16", "torch.fft"):
        gpu_core.call(name, Seen.apply, [x], "forward+backward")
    assert seen == ["highest", "high", "medium", "highest"]
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_cases_are_those_of_the_comparison():
    labels = [case.label for case in gpu_core.cases()]
    assert len(labels) == len(set(labels)) == 15
    assert "256x256, 16 modes, 32 channels, batch 8" in labels
    assert "N = 16384, 64 channels, batch 64" in labels
