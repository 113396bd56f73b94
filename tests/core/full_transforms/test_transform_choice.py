"""The rule that chooses the library for a full transform."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from opforge import core
from opforge.core.choice import operations
from opforge.core.choice.decision import answer, decide
from opforge.core.full_transforms._transform_choice import fourier_question, trigonometric_question
from opforge.core.full_transforms.fft_planning import planning
from opforge.errors import InputError

FOURIER = ["fftn", "ifftn", "rfftn", "irfftn"]
SIZES = [(1,), (2,), (97,), (1024,), (65536,), (64, 64), (97, 97), (256, 256), (64, 64, 64)]


@pytest.mark.parametrize("device", ["numpy", "cpu", "cuda"])
@pytest.mark.parametrize("shape", SIZES)
def test_costs_are_positive_and_grow_with_the_batch(shape, device):
    for ask in (
        lambda **o: fourier_question("rfftn", shape, **o),
        lambda **o: trigonometric_question("dctn", shape, **o),
    ):
        questions = [ask(device=device, batch=b, threads=2) for b in (1, 10, 100)]
        for candidates in zip(*(q.candidates for q in questions), strict=True):
            costs = [c.cost for c in candidates]
            assert 0 < costs[0] < costs[1] < costs[2]


def test_nothing_is_ever_measured():
    """The bits of solvers and of generated data hang on the choice."""
    for op in FOURIER:
        assert fourier_question(op, (64, 64)).trial is None
    assert trigonometric_question("dstn", (64, 64), type=1).trial is None


@pytest.mark.parametrize("op", FOURIER)
def test_fftw_plans_by_estimate_only_where_that_is_safe(op):
    """Elsewhere an estimated plan may be ten times as slow as pocketfft."""
    for shape in ((64, 64), (128, 128), (32, 32, 32)):
        assert answer(fourier_question(op, shape, device="numpy")) == "fftw"
    for shape in ((256, 256), (1024, 1024), (97, 97), (241, 121), (60, 60, 60), (65536,)):
        assert answer(fourier_question(op, shape, device="numpy", batch=4)) == "scipy"


def test_measured_plans_are_used_where_they_are_faster():
    with planning("measure"):
        for dtype, large_prime in (("float64", "fftw"), ("float32", "scipy")):
            assert answer(fourier_question("rfftn", (256, 256), device="numpy", dtype=dtype)) == "fftw"
            assert answer(fourier_question("rfftn", (97, 97), device="numpy", dtype=dtype)) == large_prime
        assert answer(trigonometric_question("dctn", (256, 256), device="numpy")) == "scipy"


def test_tensors_are_transformed_by_torch_and_their_cosines_by_pocketfft():
    for shape in SIZES[3:]:
        assert answer(fourier_question("rfftn", shape, batch=8)) == "torch"
        assert answer(trigonometric_question("dctn", shape, batch=8)) == "scipy"
        for device in ("cuda", "cuda:1"):
            assert answer(fourier_question("rfftn", shape, device=device)) == "torch"
            assert answer(trigonometric_question("dstn", shape, device=device)) == "torch"
            with pytest.raises(InputError, match=r"cannot serve this rfftn: .* the tensor is on cuda"):
                answer(fourier_question("rfftn", shape, device=device), "fftw")


def test_tensors_in_double_precision():
    for op in FOURIER:
        for threads, expected in ((1, "fftw"), (2, "torch")):
            question = fourier_question(op, (64, 64), batch=512, dtype=torch.float64, threads=threads)
            assert answer(question) == expected
    assert answer(trigonometric_question("dctn", (241, 121), batch=8)) == "torch"  # MKL is good at large primes


def test_the_answer_is_what_runs(monkeypatch):
    from opforge.core.full_transforms import _fftw, _scipy_transforms

    ran = []
    for name, module in (("fftw", _fftw), ("scipy", _scipy_transforms)):
        for function in (module.r2c, module.r2r):

            def note(*args, name=name, original=function, **options):
                ran.append(name)
                return original(*args, **options)

            monkeypatch.setattr(module, function.__name__, note)
    for shape in ((32, 32), (50, 50), (256, 256)):
        for dtype in (np.float64, np.float32):
            core.rfftn(np.ones(shape, dtype))
            core.dctn(np.ones(shape, dtype))
            core.dstn(torch.ones(shape, dtype=getattr(torch, np.dtype(dtype).name)))
            options = {"dtype": np.dtype(dtype)}
            assert ran == [
                answer(fourier_question("rfftn", shape, device="numpy", **options)),
                answer(trigonometric_question("dctn", shape, device="numpy", **options)),
                answer(trigonometric_question("dstn", shape, **options)),
            ]
            ran.clear()


@pytest.mark.parametrize("op", [*FOURIER, "dctn", "dstn"])
def test_a_back_end_that_is_set(op, monkeypatch):
    monkeypatch.setitem(operations.OPERATIONS, op, f"opforge.core.full_transforms._transform_choice:{op}_question")
    x = np.ones((48, 40), complex if op in ("fftn", "ifftn", "irfftn") else float)
    call = (lambda: core.irfftn(x, (48, 78))) if op == "irfftn" else (lambda: getattr(core, op)(x))
    with core.set_backend(op, "fftw"):
        assert "fftw (chosen with set_backend)" in core.explain(op, (48, 40), device="numpy", batch=3)
        call()
    with core.set_backend(op, "torch"), pytest.raises(InputError, match="unknown backend 'torch'"):
        call()


def test_the_question_is_readable():
    question = trigonometric_question("dctn", (64, 48), batch=2, channels=3, dtype=torch.float64, device="numpy")
    assert question.key == "type 2 64x48 batch 6 float64 numpy 1 thread effort estimate"
    assert "cost model" in decide(question, measure=False).why


def test_wrong_sizes_are_named():
    with pytest.raises(InputError, match="shape needs one size of at least 1 per transformed axis"):
        fourier_question("rfftn", (4, 0))


def test_arrays_do_not_load_torch():
    command = (
        "import sys, numpy as np; from opforge import core; core.rfftn(np.ones((4, 4)));"
        "core.dctn(np.ones((256, 256))); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
