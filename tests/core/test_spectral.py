"""`spectral_conv` against a dense Fourier sum in float64, on every grid, layout and back end."""

import itertools
import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from opforge.core import mode_shape, spectral_conv
from opforge.core.dispatch import BACKENDS
from opforge.errors import InputError

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
POINT_OFFSET = {"periodic": 0.0, "cells": 0.5}


def random_case(shape, modes, *, dtype=torch.float64, channels=(3, 2), seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, channels[0], *shape, generator=generator, dtype=torch.float64)
    weight = torch.randn(*mode_shape(modes), *channels, 2, generator=generator, dtype=torch.float64)
    bias = torch.randn(channels[1], generator=generator, dtype=torch.float64)
    return x.to(dtype), weight.to(dtype), bias.to(dtype)


def dense_reference(x, weight, bias, modes, out_shape, offset):
    """The definition, mode by mode, in complex double precision."""
    d = len(modes)
    result = bias.reshape(-1, *[1] * d).expand(x.shape[0], -1, *out_shape).clone().to(torch.complex128)

    def waves(shape, k):
        phase = torch.zeros(shape, dtype=torch.float64)
        for axis, n in enumerate(shape):
            points = (torch.arange(n, dtype=torch.float64) + offset) / n
            phase = phase + k[axis] * points.reshape(-1, *[1] * (d - 1 - axis))
        return torch.exp(2j * math.pi * phase)

    for k in itertools.product(*(range(-m, m + 1) for m in modes[:-1]), range(modes[-1] + 1)):
        coefficient = (x * waves(x.shape[2:], k).conj()).mean(dim=tuple(range(2, d + 2)))
        index = (*(k_i + m for k_i, m in zip(k[:-1], modes[:-1], strict=True)), k[-1])
        mixed = coefficient @ torch.view_as_complex(weight[index])
        twice = 1 if k[-1] == 0 else 2
        result += twice * mixed.reshape(*mixed.shape, *[1] * d) * waves(out_shape, k)
    return result.real


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
        ({"x": torch.zeros(2, 5, 8, 6, dtype=torch.float64)}, "weight must have the shape .* 5, 'out', 2"),
        ({"x": torch.zeros(2, 3, 8, 0, dtype=torch.float64)}, "x needs one size of at least 1"),
        ({"x": torch.zeros(2, 3, 8, 6)}, "weight must be of x's type"),
        ({"backend": "gem"}, "unknown backend 'gem'; did you mean 'gemm'"),
        ({"points": "nodes"}, "points must be one of periodic, cells"),
        ({"out_shape": (8,)}, "out_shape needs one size"),
    ],
)
def test_wrong_input_is_named(change, message):
    x, weight, _ = random_case((8, 6), (3, 2))
    arguments = {"x": x, "weight": weight, "modes": (3, 2)} | change
    with pytest.raises(InputError, match=message):
        spectral_conv(**arguments)
