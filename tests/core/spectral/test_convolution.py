"""`spectral_conv` against a dense Fourier sum in float64, on every grid, layout and back end."""

import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from opforge.core import mode_shape, resample, spectral_conv
from opforge.core.spectral.weights import KINDS, parts
from opforge.errors import InputError
from tests.core.spectral.reference import BACKENDS, POINT_OFFSET, as_dense, dense_convolution, random_weight

CASES = [
    ((16,), (5,)),
    ((15,), (7,)),
    ((9,), (0,)),
    ((12, 10), (3, 4)),
    ((7, 13), (3, 2)),
    ((8, 8), (0, 3)),
    ((8, 6, 5), (2, 1, 2)),
    ((5, 7, 9), (2, 3, 4)),
]


def random_case(shape, modes, *, dtype=torch.float64, channels=(3, 2), seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, channels[0], *shape, generator=generator, dtype=torch.float64)
    weight = torch.randn(*mode_shape(modes), *channels, 2, generator=generator, dtype=torch.float64)
    bias = torch.randn(channels[1], generator=generator, dtype=torch.float64)
    return x.to(dtype), weight.to(dtype), bias.to(dtype)


def dense_reference(x, weight, bias, modes, out_shape, offset):
    return dense_convolution(x, torch.view_as_complex(weight), bias, modes, out_shape, offset)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("points", ["periodic", "cells"])
@pytest.mark.parametrize(("shape", "modes"), CASES)
def test_equals_the_dense_sum(shape, modes, points, backend):
    x, weight, bias = random_case(shape, modes)
    finer = tuple(2 * n + 1 for n in shape)
    coarser = tuple(max(n // 2, 1) for n in shape)
    for out_shape in (shape, finer, coarser):
        expected = dense_reference(x, weight, bias, modes, out_shape, POINT_OFFSET[points])
        y = spectral_conv(x, weight, modes, out_shape=out_shape, bias=bias, points=points, backend=backend)
        torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)
        single = spectral_conv(
            x.float(), weight.float(), modes, out_shape=out_shape, bias=bias.float(), points=points, backend=backend
        )
        assert single.dtype == torch.float32
        scale = expected.abs().max().item()
        torch.testing.assert_close(single, expected.float(), rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("shape", "modes"), [((7,), (2,)), ((5, 6), (2, 1)), ((3, 4, 5), (1, 1, 2))])
def test_first_and_second_derivatives(shape, modes, backend):
    inputs = [t.requires_grad_() for t in random_case(shape, modes, channels=(2, 2))]

    def function(x, weight, bias):
        return spectral_conv(x, weight, modes, bias=bias, backend=backend, out_shape=tuple(n + 1 for n in shape))

    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("shape", "modes"), CASES)
def test_commutes_with_shifts(shape, modes, backend):
    x, weight, bias = random_case(shape, modes)
    dims = tuple(range(2, x.ndim))
    shifts = tuple(range(1, len(dims) + 1))
    y = spectral_conv(x, weight, modes, bias=bias, backend=backend)
    shifted = spectral_conv(x.roll(shifts, dims), weight, modes, bias=bias, backend=backend)
    torch.testing.assert_close(shifted, y.roll(shifts, dims), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_is_the_same_function_on_every_grid(backend):
    modes = (3, 2)
    _, weight, bias = random_case((7, 5), modes)
    fine, _, _ = random_case((7, 5), modes)
    for points in POINT_OFFSET:
        identity = torch.zeros(*mode_shape(modes), 3, 3, 2, dtype=torch.float64)
        identity[..., 0] = torch.eye(3)
        resampled = spectral_conv(fine, identity, modes, out_shape=(18, 21), points=points, backend=backend)
        direct = spectral_conv(fine, weight, modes, out_shape=(9, 9), bias=bias, points=points, backend=backend)
        through = spectral_conv(resampled, weight, modes, out_shape=(9, 9), bias=bias, points=points, backend=backend)
        torch.testing.assert_close(through, direct, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("shape", "modes"), [((16,), (5,)), ((12, 10), (3, 4)), ((8, 6, 5), (2, 1, 2))])
def test_memory_layout_and_batch_do_not_matter(shape, modes, backend):
    x, weight, bias = random_case(shape, modes)
    expected = spectral_conv(x, weight, modes, bias=bias, backend=backend)
    channels_last = x.movedim(1, -1).contiguous().movedim(-1, 1)
    wide = torch.stack([x, x], -1)[..., 0]
    for layout in (channels_last, wide):
        torch.testing.assert_close(
            spectral_conv(layout, weight, modes, bias=bias, backend=backend), expected, rtol=1e-13, atol=1e-13
        )
    alone = spectral_conv(x[1:], weight, modes, bias=bias, backend=backend)
    torch.testing.assert_close(alone, expected[1:], rtol=1e-13, atol=1e-13)
    if backend == "gemm":
        y = spectral_conv(channels_last, weight, modes, bias=bias, backend=backend)
        assert y.movedim(1, -1).is_contiguous()


def test_gemm_has_no_complex_tensor():
    from torch.utils._python_dispatch import TorchDispatchMode

    class RefuseComplex(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            for tensor in torch.utils._pytree.tree_leaves(out):
                assert not (isinstance(tensor, torch.Tensor) and tensor.is_complex()), func
            return out

    x, weight, bias = (t.requires_grad_() for t in random_case((8, 6), (3, 2)))
    with RefuseComplex():
        spectral_conv(x, weight, (3, 2), bias=bias, backend="gemm").square().sum().backward()
    with pytest.raises(AssertionError), RefuseComplex():
        spectral_conv(x, weight, (3, 2), bias=bias, backend="torch")


def test_nan_stays_in_its_sample():
    x, weight, bias = random_case((8, 6), (3, 2))
    x[0, 0, 1, 1] = math.nan
    for backend in BACKENDS:
        y = spectral_conv(x, weight, (3, 2), bias=bias, backend=backend)
        assert y[0].isnan().all()
        assert y[1].isfinite().all()


def test_matrices_made_under_inference_mode_serve_training():
    x, weight, _ = random_case((11, 6), (3, 2))
    with torch.inference_mode():
        spectral_conv(x, weight, (3, 2), backend="gemm")
    spectral_conv(x.requires_grad_(), weight, (3, 2), backend="gemm").sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modes": (4, 2)}, "modes must be between 0 and .* at most .3, 2. .* got .4, 2."),
        ({"modes": (3,)}, "x needs one size"),
        ({"x": torch.zeros(2, 3, 8, 6, dtype=torch.int64)}, "x must be of float32 or float64, got torch.int64"),
        ({"x": torch.zeros(2, 3, 8, 6, dtype=torch.complex64)}, "x must be of float32 or float64"),
        ({"x": torch.zeros(2, 5, 8, 6, dtype=torch.float64)}, "weight must have the shape .* 5, out, 2"),
        ({"x": torch.zeros(2, 3, 8, 0, dtype=torch.float64)}, "x needs one size of at least 1"),
        ({"x": torch.zeros(2, 3, 8, 6)}, "weight must be of x's type"),
        ({"backend": "gem"}, "unknown backend 'gem'; did you mean 'gemm'"),
        ({"points": "nodes"}, "points must be one of periodic, cells"),
        ({"points": []}, r"points must be one of periodic, cells .* got \[\]"),
        ({"kind": None}, "unknown kind None; Known: axis, block"),
        ({"backend": 3}, "unknown backend 3; Known: fftw, gemm"),
        ({"out_shape": (8,)}, "out_shape needs one size"),
    ],
)
def test_wrong_input_is_named(change, message):
    x, weight, _ = random_case((8, 6), (3, 2))
    arguments = {"x": x, "weight": weight, "modes": (3, 2)} | change
    with pytest.raises(InputError, match=message):
        spectral_conv(**arguments)


KIND_CASES = [("separable", 4), ("block", 6), ("axis", 6), ("cp", 6), ("tucker", 6)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("shape", "modes"), [((11,), (5,)), ((8, 9), (2, 3)), ((6, 5, 7), (1, 2, 1))])
@pytest.mark.parametrize(("kind", "outputs"), KIND_CASES)
def test_every_kind_equals_the_dense_sum(kind, outputs, shape, modes, backend):
    x = torch.randn(2, 4, *shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    bias = torch.arange(outputs, dtype=torch.float64)
    weight = random_weight(kind, modes)
    out_shape = tuple(n + 3 for n in shape) if kind != "axis" else shape
    for layout in (x, x.movedim(1, -1).contiguous().movedim(-1, 1)):
        y = spectral_conv(layout, weight, modes, out_shape, kind=kind, bias=bias, backend=backend)
        if kind == "axis":
            expected = sum_over_axes(x, weight, modes) + bias.reshape(-1, *[1] * len(modes))
        else:
            expected = dense_convolution(x, as_dense(weight, kind), bias, modes, out_shape, 0.0)
        torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)


def sum_over_axes(x, weights, modes):
    """Axis by axis, each as a one-dimensional convolution of every line of the field."""
    total = 0
    for axis, (k, weight) in enumerate(zip(modes, weights, strict=True)):
        lines = x.movedim(2 + axis, -1).movedim(1, -2)
        flat = lines.reshape(-1, *lines.shape[-2:])
        out = weight.shape[2]
        y = dense_convolution(flat, torch.view_as_complex(weight), flat.new_zeros(out), (k,), flat.shape[-1:], 0.0)
        total = total + y.reshape(*lines.shape[:-2], out, -1).movedim(-2, 1).movedim(-1, 2 + axis)
    return total


@pytest.mark.parametrize("points", ["periodic", "cells"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_axis_kind_is_the_same_function_on_every_grid(backend, points):
    modes, shape = (3, 2), (7, 5)
    coarse = torch.randn(2, 4, *shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    weight = random_weight("axis", modes)
    options = {"kind": "axis", "points": points, "backend": backend}
    y = spectral_conv(coarse, weight, modes, (9, 8), **options)
    fine = resample(coarse, (16, 15), points=points)
    torch.testing.assert_close(spectral_conv(fine, weight, modes, (9, 8), **options), y, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("kind", "outputs"), KIND_CASES)
def test_derivatives_of_every_kind(kind, outputs):
    weight = random_weight(kind, (1, 1), (2, 2))
    x = torch.randn(1, 2, 4, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    leaves = [x, *parts(weight)]
    assert kind in ("separable", "block") or len(leaves) > 2
    for leaf in leaves:
        leaf.requires_grad_()

    def function(*_):  # the leaves are perturbed in place
        return spectral_conv(x, weight, (1, 1), kind=kind)

    assert gradcheck(function, leaves)
    assert gradgradcheck(function, leaves)


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # torch's forward mode
def test_forward_mode_and_function_transforms():
    inputs = [t.requires_grad_() for t in random_case((5, 6), (2, 1), channels=(2, 2))]

    def function(x, weight):
        return spectral_conv(x, weight, (2, 1), backend="gemm")

    assert gradcheck(function, inputs[:2], check_forward_ad=True)
    x, weight, _ = (t.detach() for t in inputs)
    stacked = torch.stack([x, 2 * x])
    y = torch.vmap(function, in_dims=(0, None))(stacked, weight)
    torch.testing.assert_close(y[1], function(2 * x, weight), rtol=1e-13, atol=1e-13)
    per_sample = torch.vmap(torch.func.grad(lambda x: function(x[None], weight).square().sum()))(x)
    together = torch.func.grad(lambda x: function(x, weight).square().sum())(x)
    torch.testing.assert_close(per_sample, together, rtol=1e-12, atol=1e-12)


def test_half_precision_only_where_it_was_measured():
    """Sums over the grid in bfloat16's 8 bits: 1 % of the largest value, where float32 has 1e-6."""
    x, weight, bias = (t.to(torch.bfloat16) for t in random_case((32, 32), (5, 5)))
    y = spectral_conv(x, weight, (5, 5), bias=bias)
    assert y.dtype == torch.bfloat16
    exact = spectral_conv(x.double(), weight.double(), (5, 5), bias=bias.double())
    error = ((y.double() - exact).abs().max() / exact.abs().max()).item()
    assert 1e-4 < error < 2e-2
    with pytest.raises(InputError, match=r"backend 'torch' cannot serve .*bfloat16"):
        spectral_conv(x, weight, (5, 5), backend="torch")


@pytest.mark.parametrize("threads", [2])
def test_threads_and_gradients_do_not_change_the_numbers(threads):
    x, weight, bias = random_case((24, 20), (7, 5), dtype=torch.float32)
    y = spectral_conv(x, weight, (7, 5), bias=bias)
    with_gradients = spectral_conv(x.clone().requires_grad_(), weight, (7, 5), bias=bias)
    torch.testing.assert_close(with_gradients, y, rtol=0, atol=0)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        torch.testing.assert_close(spectral_conv(x, weight, (7, 5), bias=bias), y, rtol=1e-5, atol=1e-5)
    finally:
        torch.set_num_threads(before)
    other = torch.randn_like(x[:1])
    mixed = spectral_conv(torch.cat([x[:1], other]), weight, (7, 5), bias=bias)
    torch.testing.assert_close(mixed[:1], y[:1], rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_hessians_by_function_transforms(kind, backend):
    """In a process that has kept no matrix of these sizes yet: none may belong to a transform."""
    modes, shape = (1, 2), (7, 5)
    x, weight = torch.randn(1, 4, *shape, dtype=torch.float64), random_weight(kind, modes, (4, 4))

    def cubes(x):
        return spectral_conv(x, weight, modes, (5, 9), kind=kind, backend=backend).pow(3).sum()

    found = torch.func.hessian(cubes)(x)
    torch.testing.assert_close(found, torch.autograd.functional.hessian(cubes, x), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(torch.func.grad(cubes)(x), torch.autograd.functional.jacobian(cubes, x))


@pytest.mark.parametrize("backend", ["gemm", "torch"])
def test_fake_tensors_leave_nothing_behind(backend):
    from torch._subclasses.fake_tensor import FakeTensorMode

    x, weight = torch.randn(1, 2, 7, 9), torch.randn(*mode_shape((3, 1)), 2, 3, 2)
    with FakeTensorMode() as fake:
        y = spectral_conv(fake.from_tensor(x), fake.from_tensor(weight), (3, 1), (8, 5), backend=backend)
    assert y.shape == (1, 3, 8, 5)
    assert spectral_conv(x, weight, (3, 1), (8, 5), backend=backend).isfinite().all()
