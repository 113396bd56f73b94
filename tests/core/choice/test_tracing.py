"""While operations are traced."""

import subprocess
import sys
import warnings

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from opforge.core import set_backend
from opforge.core.choice.tracing import answer_while_tracing, tracing
from opforge.errors import InputError

OP, ABLE = "spectral_conv", ("gemm", "torch")


def noted(seen):
    def function(x):
        seen.append(tracing())
        return x + 1

    return function


def test_running_is_not_tracing():
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16), torch.device("meta"):
        assert not tracing()
    x = torch.ones(2, requires_grad=True)
    x.register_hook(lambda gradient: gradient * tracing())
    x.sum().backward()
    assert not x.grad.any()


@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_make_fx_is_seen(mode):
    seen = []
    make_fx(noted(seen), tracing_mode=mode)(torch.ones(2))
    assert seen == [True]
    assert not tracing()


def test_fake_tensors_are_seen():
    with FakeTensorMode():
        assert tracing()
    assert not tracing()


@pytest.mark.parametrize("transform", [torch.func.vmap, lambda f: torch.func.grad(lambda x: f(x).sum())])
def test_function_transforms_are_seen(transform):
    seen = []
    transform(noted(seen))(torch.ones(2))
    assert seen == [True]
    assert not tracing()


def test_jit_trace_is_seen():
    seen = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(noted(seen), torch.ones(2), check_trace=False)
    assert seen == [True]


class Scaled(torch.nn.Module):
    """Doubles on gemm, triples on torch."""

    def forward(self, x):
        name = answer_while_tracing(OP, ABLE) if tracing() else "nobody asks here"
        return x * {"gemm": 2, "torch": 3}[name]


@pytest.mark.parametrize("strict", [False, True])
def test_export_with_unknown_sizes(strict):
    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with set_backend(OP, "torch"):
        program = torch.export.export(Scaled(), (torch.ones(3, 4),), dynamic_shapes={"x": sizes}, strict=strict)
    torch.testing.assert_close(program.module()(torch.ones(5, 7)), torch.full((5, 7), 3.0))


def test_compile_in_one_graph():
    torch.compiler.reset()
    compiled = torch.compile(Scaled(), fullgraph=True, dynamic=True, backend="eager")
    torch.testing.assert_close(compiled(torch.ones(3, 4)), torch.full((3, 4), 2.0))
    torch.compiler.reset()
    with set_backend(OP, "torch"):
        torch.testing.assert_close(compiled(torch.ones(3, 4)), torch.full((3, 4), 3.0))
    torch.compiler.reset()


def test_order_of_wishes():
    assert answer_while_tracing(OP, ABLE) == "gemm"
    with set_backend(OP, "torch"):
        assert answer_while_tracing(OP, ABLE) == "torch"
        assert answer_while_tracing(OP, ABLE, "gemm") == "gemm"


def test_what_cannot_be_traced_is_refused():
    with pytest.raises(InputError, match="backend 'fftw' cannot serve spectral_conv while torch traces it"):
        answer_while_tracing(OP, ABLE, "fftw")
    with set_backend(OP, "fftw"), pytest.raises(InputError, match="ask for gemm or torch, or for none"):
        answer_while_tracing(OP, ABLE)


def test_a_graphics_card_is_not_woken_up():
    code = (
        "import torch; from opforge.core.choice.tracing import tracing; tracing(); print(torch.cuda.is_initialized())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
