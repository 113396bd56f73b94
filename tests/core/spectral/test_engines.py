"""The question of which back end serves a truncated transform."""

import pytest
import torch

from opforge.core import explain, rfftn_modes, spectral_conv
from opforge.core.choice.decision import answer
from opforge.core.spectral import question
from opforge.errors import InputError


def costs(*args, **options):
    return {c.name: c.cost for c in question(*args, **options).candidates}


def test_products_win_with_few_modes_and_transforms_with_many():
    assert answer(question((64, 64), modes=(8, 8), batch=16)) == "gemm"
    assert answer(question((8192,), modes=(2048,), batch=16)) in ("fftw", "torch")


def test_costs_grow_with_every_size():
    base = {"modes": (8, 8), "batch": 8, "channels": 16}
    least = costs((64, 64), **base)
    for shape, change in (((128, 64), {}), ((64, 64), {"batch": 16}), ((64, 64), {"channels": 32})):
        more = costs(shape, **base | change)
        assert all(more[name] > least[name] for name in least)
    assert costs((64, 64), **base | {"modes": (16, 8)})["gemm"] > least["gemm"]
    assert costs((61, 61), **base)["torch"] > least["torch"]  # a prime


def test_similar_batches_share_an_answer():
    keys = {question((64, 64), modes=(8, 8), batch=batch).key for batch in (15, 16, 17, 20)}
    assert len(keys) == 1


def test_says_who_cannot_serve():
    reasons = {c.name: c.why_not for c in question((64,), modes=(8,), device="cuda").candidates}
    assert "computes on the CPU" in reasons["fftw"]
    reasons = {c.name: c.why_not for c in question((64,), modes=(8,), dtype=torch.bfloat16).candidates}
    assert reasons["gemm"] == "" and "bfloat16" in reasons["torch"]
    assert "need a GPU" in {c.name: c.why_not for c in question((64,), modes=(8,)).candidates}["triton"]


def test_explain_names_every_back_end():
    text = explain("spectral_conv", (64, 64), modes=(8, 8), batch=16)
    assert text.startswith("spectral_conv, 64x64 modes 8x8 batch 16 channels 32 float32 cpu")
    assert [line.split()[0] for line in text.splitlines()[1:]] == ["gemm", "torch", "fftw", "triton"]


def test_wrong_questions_are_named():
    with pytest.raises(InputError, match="modes must be between 0"):
        question((8,), modes=(4,))
    with pytest.raises(InputError, match="unknown backend 'fft'"):
        rfftn_modes(torch.ones(8), (2,), backend="fft")
    with pytest.raises(InputError, match=r"backend .triton. cannot serve this spectral_conv: .* need a GPU"):
        spectral_conv(torch.ones(1, 1, 8), torch.ones(3, 1, 1, 2), (2,), backend="triton")


@pytest.mark.parametrize("shape", [(9,), (8, 6)])
def test_trials_run(shape):
    asked = question(shape, modes=(2,) * len(shape), batch=2, channels=3)
    for name in ("fftw", "gemm", "torch"):
        (gradient,) = asked.trial(name)()
        assert gradient.shape == (2, 3, *shape)
