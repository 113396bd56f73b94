"""The Fourier layer against its two parts, with all derivatives and in every layout."""

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import forward_ad

from opforge.core import fourier_layer, mode_shape, pointwise, spectral_conv
from opforge.errors import InputError
from tests.core.spectral.reference import BACKENDS


def random_case(shape, modes, *, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    sizes = ((2, 3, *shape), (*mode_shape(modes), 3, 2, 2), (3, 2), (2,))
    return [torch.randn(size, generator=generator, dtype=dtype) for size in sizes]


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("before", [None, F.gelu, torch.tanh, lambda x: x.sin()])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("shape", "modes"), [((9,), (3,)), ((6, 7), (2, 3)), ((5, 4, 6), (1, 1, 2))])
def test_is_the_sum_of_its_parts(shape, modes, backend, before, channels_last):
    x, weight, matrix, bias = random_case(shape, modes)
    if channels_last:
        x = x.movedim(1, -1).contiguous().movedim(-1, 1)
    inputs = [t.requires_grad_() for t in (x, weight, matrix, bias)]

    def together(x, weight, matrix, bias):
        return fourier_layer(x, weight, matrix, modes, before=before, bias=bias, backend=backend)

    def apart(x, weight, matrix, bias):
        a = x if before is None else before(x)
        y = spectral_conv(a, weight, modes, bias=bias, backend=backend)
        return y + torch.einsum("bi...,io->bo...", a, matrix)

    results = together(*inputs), apart(*inputs)
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)
    plain = [torch.autograd.grad(y.sin().sum(), inputs, retain_graph=True) for y in results]
    torch.testing.assert_close(*plain, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(y.sin().sum(), inputs, create_graph=True) for y in results]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)
    second = [torch.autograd.grad(sum(g.sin().sum() for g in first), inputs) for first in gradients]
    torch.testing.assert_close(*second, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("before", [None, F.gelu])
@pytest.mark.parametrize("kind", ["dense", "axis"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_lift_is_a_product_at_each_point(backend, kind, before):
    _, weight, matrix, bias = random_case((6, 7), (2, 3))
    generator = torch.Generator().manual_seed(1)
    few = torch.randn(2, 2, 6, 7, generator=generator, dtype=torch.float64)
    lift = torch.randn(2, 3, generator=generator, dtype=torch.float64)
    weights = weight if kind == "dense" else tuple(torch.randn(n, 3, 2, 2).double() for n in (3, 4))
    inputs = [t.requires_grad_() for t in (few, lift, matrix, bias)]
    options = {"kind": kind, "bias": bias, "backend": backend}
    together = fourier_layer(few, weights, matrix, (2, 3), lift=lift, before=before, **options)
    a = few if before is None else before(few)
    apart = fourier_layer(torch.einsum("bf...,fi->bi...", a, lift), weights, matrix, (2, 3), **options)
    torch.testing.assert_close(together, apart, rtol=1e-12, atol=1e-12)
    for create_graph in (False, True):
        gradients = [
            torch.autograd.grad(y.sin().sum(), inputs, retain_graph=True, create_graph=create_graph)
            for y in (together, apart)
        ]
        torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)
    second = [torch.autograd.grad(sum(g.sin().sum() for g in first), inputs) for first in gradients]
    torch.testing.assert_close(*second, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("samples", [1, 2, 3, 5])
def test_samples_taken_a_few_at_a_time_give_the_same(monkeypatch, samples):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5, 8, 6, 3, generator=generator, dtype=torch.float64).movedim(-1, 1)
    _, weight, matrix, bias = random_case((8, 6), (3, 2))
    inputs = [t.requires_grad_() for t in (x, weight, matrix, bias)]
    whole = fourier_layer(x, weight, matrix, (3, 2), before=F.gelu, bias=bias, backend="gemm")
    expected = whole, *torch.autograd.grad(whole.sin().sum(), inputs)
    monkeypatch.setattr(pointwise, "_CHUNK", samples * x[0].nbytes)
    assert len(pointwise.parts(x)) == -(-5 // samples)
    y = fourier_layer(x, weight, matrix, (3, 2), before=F.gelu, bias=bias, backend="gemm")
    found = y, *torch.autograd.grad(y.sin().sum(), inputs)
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_an_input_without_a_gradient(monkeypatch, samples):
    """The parameters' gradients come from one passage then."""
    _, weight, matrix, bias = random_case((8, 6), (3, 2))
    x = torch.randn(5, 3, 8, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    inputs = [t.requires_grad_() for t in (weight, matrix, bias)]
    leaf = x.clone().requires_grad_()
    found = []
    monkeypatch.setattr(pointwise, "_CHUNK", samples * x[0].nbytes)
    for given in (leaf, x):
        y = fourier_layer(given, weight, matrix, (3, 2), bias=bias, backend="gemm")
        plain = torch.autograd.grad(y.sin().sum(), inputs, retain_graph=True)
        first = torch.autograd.grad(y.sin().sum(), inputs, create_graph=True)
        second = torch.autograd.grad(sum(g.sin().sum() for g in first), inputs)
        found.append((y, *plain, *first, *second))
    torch.testing.assert_close(*found, rtol=1e-11, atol=1e-12)


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # torch's forward mode
@pytest.mark.parametrize("of", ["x", "weight", "matrix", "bias", "lift"])
@pytest.mark.parametrize("before", [None, F.gelu])
def test_forward_mode(before, of):
    x, weight, matrix, bias = random_case((6, 5), (2, 1))
    lift = torch.randn(3, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    given = {"x": x, "weight": weight, "matrix": matrix, "bias": bias, "lift": lift}

    def layer(one):
        t = given | {of: one}
        options = {"lift": t["lift"], "bias": t["bias"], "before": before, "backend": "gemm"}
        return fourier_layer(t["x"], t["weight"], t["matrix"], (2, 1), **options)

    tangent = torch.randn_like(given[of])
    with forward_ad.dual_level():
        found = forward_ad.unpack_dual(layer(forward_ad.make_dual(given[of], tangent))).tangent
    expected = torch.func.jvp(layer, (given[of],), (tangent,))[1]
    step = 1e-5 * tangent
    differences = (layer(given[of] + step) - layer(given[of] - step)) / 2e-5
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found, differences, rtol=1e-7, atol=1e-7)


def test_a_lift_of_the_wrong_shape_is_named():
    x, weight, matrix, _ = random_case((8, 6), (3, 2))
    for lift in (torch.zeros(2, 3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)):
        with pytest.raises(InputError, match=r"lift must be a matrix \(few, in\) = \(3, "):
            fourier_layer(x, weight, matrix, (3, 2), lift=lift)


def test_input_and_parameters_are_left_alone():
    x, weight, matrix, bias = random_case((8, 6), (3, 2))
    x = x.movedim(1, -1).contiguous().movedim(-1, 1)
    kept = [t.clone() for t in (x, weight, matrix)]
    inputs = [t.requires_grad_() for t in (x, weight, matrix)]
    fourier_layer(*inputs, (3, 2), before=F.gelu, bias=bias).square().sum().backward()
    for before, after in zip(kept, inputs, strict=True):
        torch.testing.assert_close(after.detach(), before, rtol=0, atol=0)


def test_a_stack_keeps_one_field_per_layer():
    """What autograd saves: the inputs, and nothing else of the size of a field."""
    x, _, _, _ = random_case((32, 32), (3, 3), dtype=torch.float32)
    weight, matrix = torch.randn(*mode_shape((3, 3)), 3, 3, 2) / 10, torch.randn(3, 3)
    saved = {}

    def pack(t):
        if t.numel() >= x.numel():
            saved[t.untyped_storage().data_ptr()] = t.numel()
        return t

    leaf = x.movedim(1, -1).contiguous().movedim(-1, 1).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        y = leaf
        for _ in range(3):
            y = fourier_layer(y, weight, matrix.requires_grad_(), (3, 3), before=F.gelu)
    assert len(saved) == 3
    assert y.requires_grad


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (torch.zeros(2, 3, dtype=torch.float64), "pointwise must be a matrix .in, out. = .3, 2."),
        (torch.zeros(3, 2), "pointwise must be a matrix .* of torch.float64, got .* of torch.float32"),
        (torch.zeros(3, 2, dtype=torch.int64), "pointwise must be of float32 or float64"),
    ],
)
def test_wrong_matrices_are_named(matrix, message):
    x, weight, _, _ = random_case((8, 6), (3, 2))
    with pytest.raises(InputError, match=message):
        fourier_layer(x, weight, matrix, (3, 2))


def test_a_lift_is_a_tensor():
    x, weight, matrix, _ = random_case((8, 6), (3, 2))
    with pytest.raises(InputError, match="lift must be a torch tensor, got int"):
        fourier_layer(x, weight, matrix, (3, 2), lift=1)


def test_a_nonlinearity_is_a_function():
    x, weight, matrix, _ = random_case((8, 6), (3, 2))
    with pytest.raises(InputError, match=r"before must be a function of a tensor, .* got 'gelu'"):
        fourier_layer(x, weight, matrix, (3, 2), before="gelu")


@pytest.mark.parametrize(
    "bias",
    [torch.zeros(2, 2), torch.zeros(()), torch.zeros(1), torch.zeros(3), torch.zeros(2).double(), [0.0, 0.0]],
    ids=["matrix", "scalar", "one", "long", "double", "list"],
)
def test_a_bias_is_one_number_per_output_channel(bias):
    x, weight, matrix, _ = random_case((8, 6), (3, 2), dtype=torch.float32)
    for function in (
        lambda: fourier_layer(x, weight, matrix, (3, 2), bias=bias),
        lambda: spectral_conv(x, weight, (3, 2), bias=bias),
    ):
        with pytest.raises(InputError, match="bias must "):
            function()
