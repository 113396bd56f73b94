"""Tensors through the libraries for arrays: `torch.fft`'s numbers, and derivatives of every kind."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from opforge import core
from opforge.core.full_transforms._fftw_torch import irfftn_torch, rfftn_torch

NORMS = ["backward", "ortho", "forward"]
SHAPES = [(4, 5), (5, 4), (3, 6)]


def field(shape, dtype=torch.float64, seed=0):
    return torch.randn(2, *shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_and_gradients_of_torch_fft(shape, norm, dtype, tolerance):
    x = field(shape, dtype).requires_grad_()
    near = {"rtol": tolerance, "atol": tolerance}
    spectrum, reference = rfftn_torch(x, (1, -1), norm), torch.fft.rfftn(x, dim=(1, 2), norm=norm)
    torch.testing.assert_close(spectrum, reference, **near)
    weights = torch.complex(field(reference.shape[1:], dtype, 1), field(reference.shape[1:], dtype, 2))
    for s in (spectrum, reference):
        s.backward(weights, retain_graph=True)
    torch.testing.assert_close(x.grad, 2 * torch.autograd.grad(reference, x, weights)[0], **near)

    half = weights.detach().requires_grad_()
    back = irfftn_torch(half, shape, (1, 2), norm)
    reference = torch.fft.irfftn(half, s=shape, dim=(1, 2), norm=norm)
    torch.testing.assert_close(back, reference, **near)
    gradients = [torch.autograd.grad(y, half, x.detach())[0] for y in (back, reference)]
    torch.testing.assert_close(*gradients, **near)


def functions(backend):
    for shape in ((4, 5), (3, 4)):
        yield lambda x, s=shape: core.rfftn(x[:, : s[0], : s[1]], (1, 2), "ortho", backend=backend)
    yield lambda x: core.irfftn(torch.complex(x, x.flip(0)), (4, 8), (1, 2), backend=backend)
    yield lambda x: core.irfftn(torch.complex(x, x.flip(0)), (4, 9), (1, 2), "forward", backend=backend)
    yield lambda x: core.fftn(torch.complex(x, x.flip(0)), (0, 2), backend=backend)
    yield lambda x: core.ifftn(x, (1,), backend=backend)
    for function in (core.dctn, core.dstn):
        for type in (1, 2, 3, 4):
            for norm in ("backward", "ortho"):
                yield lambda x, f=function, t=type, n=norm: f(x, t, (1, 2), norm=n, backend=backend)
            yield lambda x, f=function, t=type: f(x, t, (2,), inverse=True, backend=backend)


# torch loads its rules for forward mode with it
FORWARD_MODE = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")


@FORWARD_MODE
@pytest.mark.parametrize("backend", ["fftw", "scipy", "torch"])
def test_derivatives_of_first_and_second_order(backend):
    x = field((4, 5)).requires_grad_()
    for function in functions(backend):
        assert gradcheck(function, x, check_forward_ad=True)
        assert gradgradcheck(function, x)


@pytest.mark.parametrize("size", [2**14, 2**16])
def test_large_real_transforms_have_their_own_backward_pass(size):
    """The one for torch.fft, too: it must give what autograd gives."""
    x = field((size // 2,)).requires_grad_()
    weights = core.rfftn(field((size // 2,), seed=1), (1,))
    ours, autograd = (torch.autograd.grad(f(x), x, weights)[0] for f in (lambda x: core.rfftn(x, (1,)), torch.fft.rfft))
    torch.testing.assert_close(ours, autograd, rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("backend", ["fftw", "scipy", "torch"])
def test_gradient_that_is_one_number_in_all_places(backend):
    x = field((4, 6)).requires_grad_()
    core.irfftn(core.rfftn(x, (1, 2), backend=backend), (4, 6), (1, 2), backend=backend).sum().backward()
    torch.testing.assert_close(x.grad, torch.ones_like(x))
    x.grad = None
    core.dctn(x, 2, (1, 2), norm="ortho", backend=backend).sum().backward()
    torch.testing.assert_close(x.grad, core.dctn(torch.ones_like(x), 3, (1, 2), norm="ortho"))


@FORWARD_MODE
@pytest.mark.parametrize("backend", ["fftw", "scipy", "torch"])
def test_function_transforms(backend):
    x = field((4, 5))

    def function(x):
        return core.rfftn(core.dctn(x, dim=(0,), backend=backend), (0, 1), backend=backend)

    expected = core.rfftn(core.dctn(x, dim=(1,)), (1, 2))
    torch.testing.assert_close(torch.vmap(function)(x), expected)
    torch.testing.assert_close(torch.vmap(function, in_dims=2)(x.movedim(0, 2)), expected)
    torch.testing.assert_close(torch.func.jvp(function, (x[0],), (x[1],))[1], expected[1])

    def energy(x):
        return function(x).abs().square().sum() / 2

    gradient = torch.func.grad(energy)
    torch.testing.assert_close(torch.func.jvp(gradient, (x[0],), (x[1],))[1], gradient(x[1]))
    torch.testing.assert_close(torch.vmap(gradient)(x), torch.stack([gradient(y) for y in x]))


def test_modes_of_autograd():
    x = field((4, 6)).requires_grad_()
    with torch.no_grad():
        assert not rfftn_torch(x, (1,)).requires_grad
    with torch.inference_mode():
        spectrum = rfftn_torch(x, (1, 2))
        assert spectrum.is_inference()
        torch.testing.assert_close(irfftn_torch(spectrum, (4, 6), (1, 2)), x)
    torch.testing.assert_close(irfftn_torch(spectrum, (4, 6), (1, 2)), x)
    with torch.inference_mode():
        core.dctn(x, backend="torch")  # whatever it keeps must serve the next line
    core.dctn(x, backend="torch").sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize("backend", ["fftw", "scipy", "torch"])
def test_results_are_new_tensors(backend):
    x = field((4, 6))
    kept = x.clone()
    first = core.rfftn(x, (1, 2), backend=backend)
    values = first.clone()
    core.rfftn(x + 1, (1, 2), backend=backend)
    first.real.add_(0)  # it may be written to
    torch.testing.assert_close(first, values, rtol=0, atol=0)
    torch.testing.assert_close(x, kept, rtol=0, atol=0)
