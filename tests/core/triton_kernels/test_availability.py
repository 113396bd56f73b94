"""`availability`: which tensors the kernels serve, and torch's own switch for how exactly they multiply."""

import importlib.util

import pytest
import torch

from opforge.core.triton_kernels import availability


def test_types_without_kernels_are_named():
    assert availability.why_not("cuda", torch.float16) == "float32 and float64 are served, got torch.float16"
    assert "got torch.int64" in availability.why_not("cpu", torch.int64)


@pytest.mark.parametrize("word", ["0", "", None])
def test_a_cpu_serves_only_through_the_interpreter(monkeypatch, word):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert availability.interpreting()
    assert availability.why_not("cpu", torch.float32) == ""
    monkeypatch.delenv("TRITON_INTERPRET")
    if word is not None:
        monkeypatch.setenv("TRITON_INTERPRET", word)
    assert not availability.interpreting()
    assert "need a GPU, got tensors on cpu" in availability.why_not("cpu", torch.float32)


@pytest.mark.parametrize(("capability", "able"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_old_gpus_are_refused(monkeypatch, capability, able):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert (availability.why_not("cuda", torch.float32) == "") == able
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert availability.why_not("cuda", torch.float32) == "torch sees no GPU here"


def test_missing_triton_is_said_with_the_command(monkeypatch):
    monkeypatch.setattr(availability, "find_spec", lambda name: None)
    assert availability.install_command() == "pip install 'opforge[gpu]'"
    monkeypatch.setattr(availability, "find_spec", lambda name: importlib.util.find_spec("torch"))
    assert availability.install_command() == ""


def test_precision_follows_torch(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    before = torch.get_float32_matmul_precision()
    try:
        for word, expected in (("highest", "tf32x3"), ("high", "tf32"), ("medium", "bf16")):
            torch.set_float32_matmul_precision(word)
            assert availability.dot_precision(torch.float32) == expected
            assert availability.dot_precision(torch.float64) == "ieee"
    finally:
        torch.set_float32_matmul_precision(before)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert availability.dot_precision(torch.float32) == "ieee"
