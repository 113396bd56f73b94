"""`conv_nd` against its definition, point by point, for every form, back end and boundary treatment."""

import itertools
import math
from functools import partial

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from opforge.core import FactorisedKernels, SeparableKernels, conv_nd
from opforge.core.local_conv import engines
from opforge.core.local_conv._geometry import make_geometry
from opforge.core.local_conv._tiling import tilings
from opforge.errors import InputError

BACKENDS = {
    "dense": ("direct", "fft"),
    "kernel": ("staged", "rebuild", "fft"),
    "separable": ("staged", "rebuild", "fft"),
}
SERVED = [(form, backend) for form, backends in BACKENDS.items() for backend in backends]
PADDINGS = ("zeros", "periodic", "reflect", "valid")
# odd and even taps, prime and unequal sizes, more taps than points, more than fast paths of libraries take
SIZES = [
    ((9,), (3,)),
    ((10,), (4,)),
    ((5,), (13,)),
    ((31,), (17,)),
    ((7, 8), (3, 4)),
    ((5, 6), (7, 1)),
    ((4, 23), (2, 15)),
    ((4, 5, 6), (3, 2, 3)),
]
STEPS = [(1, 1), (2, 1), (1, 2), (3, 2)]


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def leaves(form, taps, *, n_in=3, n_out=4, rank=2):
    """The tensors that make the kernels of a form."""
    if form == "dense":
        return [random(n_out, n_in, *taps, seed=1)]
    if form == "kernel":
        return [random(n_out, n_in, rank, k, seed=2 + a) for a, k in enumerate(taps)]
    return [random(n_out, rank, seed=5), random(n_in, rank, seed=6), *(random(rank, k, seed=7) for k in taps)]


def build(form, tensors):
    if form == "dense":
        return tensors[0]
    if form == "kernel":
        return FactorisedKernels(tuple(tensors))
    return SeparableKernels(tensors[0], tensors[1], tuple(tensors[2:]))


def dense(form, tensors):
    """The kernels written out with the formula of their form."""
    if form == "dense":
        return tensors[0]
    shared = form == "separable"
    filters = tensors[2:] if shared else tensors
    taps = [f.shape[-1] for f in filters]
    n_out, n_in = (len(tensors[0]), len(tensors[1])) if shared else tensors[0].shape[:2]
    kernels = torch.zeros(n_out, n_in, *taps, dtype=torch.float64)
    for t in itertools.product(*map(range, taps)):
        if shared:
            terms = tensors[0][:, None] * tensors[1][None]
            for f, t_d in zip(filters, t, strict=True):
                terms = terms * f[:, t_d]
        else:
            terms = math.prod(f[..., t_d] for f, t_d in zip(filters, t, strict=True))
        kernels[(..., *t)] = terms.sum(-1)
    return kernels


def continued(j, n, padding):
    """The point of the grid that stands at index j of the continued field; None where that is zero."""
    if padding == "periodic":
        return j % n
    if padding == "reflect":
        j = abs(j)
        return 2 * (n - 1) - j if j >= n else j
    return j if 0 <= j < n else None


def by_definition(x, kernels, padding, stride, dilation):
    d = x.ndim - 2
    paddings = (padding,) * d if isinstance(padding, str) else padding
    axes = []  # per axis, for each output the list of (tap, point)
    for n, k, kind in zip(x.shape[2:], kernels.shape[2:], paddings, strict=True):
        span = dilation * (k - 1)
        left = 0 if kind == "valid" else span // 2
        outputs = (n - span - 1) // stride + 1 if kind == "valid" else math.ceil(n / stride)
        reads = [[(t, continued(stride * j + dilation * t - left, n, kind)) for t in range(k)] for j in range(outputs)]
        axes.append([[(t, point) for t, point in taps if point is not None] for taps in reads])
    y = x.new_zeros((len(x), len(kernels), *map(len, axes)))
    for out in itertools.product(*(range(len(a)) for a in axes)):
        for reads in itertools.product(*(a[j] for a, j in zip(axes, out, strict=True))):
            taps, points = zip(*reads, strict=True)
            y[(..., *out)] += x[(..., *points)] @ kernels[(..., *taps)].T
    return y


def fits(shape, taps, padding, dilation):
    spans = [dilation * (k - 1) for k in taps]
    if padding == "valid":
        return all(s < n for s, n in zip(spans, shape, strict=True))
    return padding != "reflect" or all(s - s // 2 < n for s, n in zip(spans, shape, strict=True))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("shape", "taps"), SIZES)
def test_equals_the_definition(shape, taps, padding):
    for (stride, dilation), form in itertools.product(STEPS, BACKENDS):
        if not fits(shape, taps, padding, dilation):
            continue
        x, tensors, bias = random(2, 3, *shape), leaves(form, taps), random(4, seed=9)
        expected = by_definition(x, dense(form, tensors), padding, stride, dilation)
        expected = expected + bias.reshape(-1, *[1] * len(shape))
        scale = expected.abs().max().item()
        options = {"padding": padding, "stride": stride, "dilation": dilation}
        for backend in BACKENDS[form]:
            y = conv_nd(x, build(form, tensors), form, bias=bias, backend=backend, **options)
            torch.testing.assert_close(y, expected, rtol=0, atol=1e-12 * scale)
            kernels = build(form, [t.float() for t in tensors])
            single = conv_nd(x.float(), kernels, bias=bias.float(), backend=backend, **options)
            torch.testing.assert_close(single, expected.float(), rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("backend", BACKENDS["dense"])
def test_every_axis_may_have_its_own_boundary_stride_and_dilation(backend):
    x, kernels = random(2, 2, 9, 8, 7), random(3, 2, 3, 4, 3, seed=1)
    options = {"padding": ("periodic", "zeros", "reflect"), "stride": (1, 2, 3), "dilation": (2, 1, 2)}
    y = conv_nd(x, kernels, backend=backend, **options)
    # One axis after the other: a kernel that is a product in space acts along each axis by itself.
    factors = [random(2, 2, 1, k, seed=k) for k in (3, 4, 3)]
    single = x[:, :1]
    for axis, factor in enumerate(factors):
        taps = [1, 1, 1]
        taps[axis] = factor.shape[-1]
        one = {name: [("zeros", 1, 1)[i]] * 3 for i, name in enumerate(options)}
        for name in options:
            one[name][axis] = options[name][axis]
        single = conv_nd(single, factor[:1, :1, 0].reshape(1, 1, *taps), backend=backend, **one)
    whole = FactorisedKernels(tuple(f[:1, :1] for f in factors)).to_dense()
    torch.testing.assert_close(conv_nd(x[:, :1], whole, backend=backend, **options), single, rtol=0, atol=1e-12)
    assert y.shape == (2, 3, 9, 4, 3)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("shape", "taps"), [((11,), (4,)), ((40,), (7,)), ((7, 13), (3, 2)), ((5, 6, 13), (2, 3, 3))])
def test_every_tiling_gives_the_same(shape, taps, padding, monkeypatch):
    x, kernels = random(2, 2, *shape).requires_grad_(), random(3, 2, *taps, seed=1).requires_grad_()
    expected = conv_nd(x, kernels, padding=padding, backend="direct")
    weights = random(*expected.shape, seed=3)
    gradients = torch.autograd.grad(expected, (x, kernels), weights)
    choices = tilings(make_geometry(shape, taps, padding, 1, 1))
    for tiling in choices:
        monkeypatch.setattr(engines, "best_tiling", lambda *size, tiling=tiling: (tiling, 0.0))
        y = conv_nd(x, kernels, padding=padding, backend="fft")
        torch.testing.assert_close(y, expected, rtol=0, atol=1e-12)
        for found, wanted in zip(torch.autograd.grad(y, (x, kernels), weights), gradients, strict=True):
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-11)
    assert max(math.prod(tiling.counts) for tiling in choices) > 1
    assert any(all(tiling.circular) for tiling in choices) == (padding == "periodic")


@pytest.mark.parametrize(("form", "backend"), SERVED)
@pytest.mark.parametrize("padding", PADDINGS)
def test_first_and_second_derivatives(form, backend, padding):
    for shape, taps, stride in (((4,), (3,), 1), ((2,), (7,), 1), ((3, 4), (2, 3), 2), ((3, 2, 3), (2, 1, 2), 1)):
        if not fits(shape, taps, padding, 1):
            continue
        x = random(2, 2, *shape).requires_grad_()
        tensors = [t.requires_grad_() for t in leaves(form, taps, n_in=2, n_out=2)]
        bias = random(2, seed=9).requires_grad_()

        def function(x, bias, *tensors, stride=stride):
            kernels = build(form, tensors)
            return conv_nd(x, kernels, bias=bias, padding=padding, stride=stride, backend=backend)

        assert gradcheck(function, (x, bias, *tensors))
        assert gradgradcheck(function, (x, bias, *tensors), fast_mode=True)


def test_derivatives_through_tiles(monkeypatch):
    geometry = make_geometry((11,), (3,), "periodic", 1, 1)
    tiling = max(tilings(geometry), key=lambda tiling: tiling.counts)
    assert tiling.counts > (1,)
    monkeypatch.setattr(engines, "best_tiling", lambda *size: (tiling, 0.0))

    def function(x, kernels):
        return conv_nd(x, kernels, padding="periodic", backend="fft")

    inputs = random(1, 2, 11).requires_grad_(), random(2, 2, 3, seed=1).requires_grad_()
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")
@pytest.mark.parametrize(("form", "backend"), SERVED)
@pytest.mark.parametrize("padding", PADDINGS)
def test_forward_mode(form, backend, padding):
    """Linear in the field and in each tensor of the kernels: its change is the operation on theirs."""
    tensors = (random(2, 3, 7, 6), *leaves(form, (4, 3)))

    def convolved(tensor, i):
        field, *kernels = (*tensors[:i], tensor, *tensors[i + 1 :])
        return conv_nd(field, build(form, kernels), padding=padding, backend=backend)

    for i, tensor in enumerate(tensors):
        change, by_one = random(*tensor.shape, seed=9), partial(convolved, i=i)
        torch.testing.assert_close(torch.func.jvp(by_one, (tensor,), (change,)), (by_one(tensor), by_one(change)))


@pytest.mark.parametrize(("form", "backend"), SERVED)
@pytest.mark.parametrize("padding", PADDINGS)
def test_gradients_sample_by_sample(form, backend, padding):
    x, tensors = random(3, 2, 3, 7, 6), leaves(form, (4, 3))

    def energy(x, *tensors):
        return conv_nd(x, build(form, list(tensors)), padding=padding, backend=backend).square().sum()

    wanted = tuple(range(1 + len(tensors)))
    mapped = torch.func.vmap(torch.func.grad(energy, wanted), (0, *[None] * len(tensors)))(x, *tensors)
    single = [torch.func.grad(energy, wanted)(sample, *tensors) for sample in x]
    for found, expected in zip(mapped, zip(*single, strict=True), strict=True):
        torch.testing.assert_close(found, torch.stack(expected))


@pytest.mark.parametrize(("form", "backend"), SERVED)
@pytest.mark.parametrize(("shape", "taps"), SIZES)
def test_commutes_with_shifts_of_a_periodic_field(shape, taps, form, backend):
    x, kernels = random(2, 3, *shape), build(form, leaves(form, taps))
    axes = tuple(range(2, x.ndim))
    shifts = tuple(range(1, len(axes) + 1))
    y = conv_nd(x, kernels, padding="periodic", backend=backend)
    shifted = conv_nd(x.roll(shifts, axes), kernels, padding="periodic", backend=backend)
    torch.testing.assert_close(shifted, y.roll(shifts, axes), rtol=0, atol=1e-12 * y.abs().max().item())


@pytest.mark.parametrize("backend", BACKENDS["dense"])
@pytest.mark.parametrize("padding", ["zeros", "periodic", "reflect"])
@pytest.mark.parametrize("taps", [1, 2, 3, 6, 7])
def test_the_middle_tap_alone_copies_the_field(taps, padding, backend):
    x = random(1, 1, 8, 9)
    kernel = torch.zeros(1, 1, taps, taps, dtype=torch.float64)
    kernel[..., (taps - 1) // 2, (taps - 1) // 2] = 1
    torch.testing.assert_close(conv_nd(x, kernel, padding=padding, backend=backend), x, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("form", "backend"), SERVED)
def test_boundaries_do_to_a_constant_what_they_should(form, backend):
    x = torch.ones(1, 3, 8, 9, dtype=torch.float64)
    tensors = leaves(form, (5, 4))
    kernels, sums = build(form, tensors), dense(form, tensors).sum((1, 2, 3)).reshape(-1, 1, 1)
    for padding in ("periodic", "reflect", "valid"):
        y = conv_nd(x, kernels, padding=padding, backend=backend)[0]
        torch.testing.assert_close(y, sums.expand_as(y), rtol=0, atol=1e-12)
    y = conv_nd(x, kernels, padding="zeros", backend=backend)[0]
    torch.testing.assert_close(y[:, 3:5, 3:5], sums.expand(-1, 2, 2), rtol=0, atol=1e-12)
    assert not torch.allclose(y[:, 0, 0], sums[:, 0, 0])


@pytest.mark.parametrize("backend", BACKENDS["dense"])
def test_agrees_with_torch(backend):
    x, kernels, bias = random(2, 3, 9, 10), random(4, 3, 3, 5, seed=1), random(4, seed=2)
    for stride, dilation in STEPS:
        options = {"stride": stride, "dilation": dilation}
        expected = functional.conv2d(x, kernels, bias, padding=(dilation, 2 * dilation), **options)
        y = conv_nd(x, kernels, bias=bias, backend=backend, **options)
        torch.testing.assert_close(y, expected, rtol=0, atol=1e-12)
        for padding, name in (("periodic", "circular"), ("reflect", "reflect")):
            wide = functional.pad(x, (2 * dilation,) * 2 + (dilation,) * 2, mode=name)
            expected = functional.conv2d(wide, kernels, bias, **options)
            y = conv_nd(x, kernels, bias=bias, padding=padding, backend=backend, **options)
            torch.testing.assert_close(y, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("form", "backend"), SERVED)
@pytest.mark.parametrize(("shape", "taps"), [((9,), (4,)), ((7, 8), (3, 4)), ((4, 5, 6), (3, 2, 3))])
def test_memory_layout_batch_and_gradients_do_not_matter(shape, taps, form, backend):
    x, tensors = random(3, 3, *shape), leaves(form, taps)
    for padding, dtype, atol in itertools.product(("zeros", "periodic"), (torch.float64, torch.float32), (None,)):
        x, tensors = x.to(dtype), [t.to(dtype) for t in tensors]
        kernels, options = build(form, tensors), {"padding": padding, "backend": backend}
        y = conv_nd(x, kernels, **options)
        assert y.is_contiguous()
        atol = 1e-13 * y.abs().max().item() if dtype == torch.float64 else 1e-5 * y.abs().max().item()
        channels_last = x.movedim(1, -1).contiguous().movedim(-1, 1)
        same = conv_nd(channels_last, kernels, **options)
        assert same.movedim(1, -1).is_contiguous()
        torch.testing.assert_close(same, y, rtol=0, atol=atol)
        strided = torch.stack([x, x], -1)[..., 0]
        torch.testing.assert_close(conv_nd(strided, kernels, **options), y, rtol=0, atol=atol)
        scattered = build(form, [torch.stack([t, t], -1)[..., 0] for t in tensors])
        torch.testing.assert_close(conv_nd(x, scattered, **options), y, rtol=0, atol=atol)
        alone = torch.cat([conv_nd(sample[None], kernels, **options) for sample in x])
        torch.testing.assert_close(alone, y, rtol=0, atol=atol)
        tracked = conv_nd(x.clone().requires_grad_(), kernels, **options)
        torch.testing.assert_close(tracked.detach(), y, rtol=0, atol=atol)


@pytest.mark.parametrize(("form", "backend"), SERVED)
def test_expanded_tensors_and_gradients_without_strides(form, backend):
    x = random(1, 1, 1, 1).expand(2, 3, 6, 8).requires_grad_()
    kernels = build(form, leaves(form, (3, 3)))
    conv_nd(x, kernels, padding="periodic", backend=backend).sum().backward()
    assert x.grad is not None
    sums = dense(form, leaves(form, (3, 3))).sum((0, 2, 3)).reshape(1, 3, 1, 1)
    torch.testing.assert_close(x.grad, sums.expand(2, 3, 6, 8), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("form", "backend"), SERVED)
def test_the_number_of_threads_does_not_matter(form, backend):
    x, kernels = random(2, 3, 12, 16), build(form, leaves(form, (3, 5)))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = conv_nd(x, kernels, backend=backend)
        torch.set_num_threads(2)
        two = conv_nd(x, kernels, backend=backend)
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(two, one, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("form", "backend"), SERVED)
@pytest.mark.parametrize("padding", PADDINGS)
def test_nan_stays_in_its_sample(form, backend, padding):
    x, kernels = random(3, 3, 8, 9), build(form, leaves(form, (3, 4)))
    clean = conv_nd(x, kernels, padding=padding, backend=backend)
    x[1, 0, 4, 4] = math.nan
    y = conv_nd(x, kernels, padding=padding, backend=backend)
    assert y[1, :, 3:5, 3:5].isnan().all()
    torch.testing.assert_close(y[[0, 2]], clean[[0, 2]], rtol=0, atol=1e-13)
    if backend != "fft":
        far = y[1, :, 0, 0]
        torch.testing.assert_close(far, clean[1, :, 0, 0], rtol=0, atol=1e-13)


@pytest.mark.parametrize("padding", ["zeros", "periodic"])
@pytest.mark.parametrize(
    ("n_in", "n_out", "shape", "taps"),
    [(4, 5, (6, 7, 8), (3, 3, 3)), (1, 3, (9, 8), (3, 3)), (1, 1, (5, 6, 7), (3, 3, 3)), (1, 2, (4, 20), (3, 17))],
)
def test_gradients_in_single_precision_on_a_single_sample(n_in, n_out, shape, taps, padding):
    x, kernels = random(1, n_in, *shape).requires_grad_(), random(n_out, n_in, *taps, seed=1).requires_grad_()
    y = by_definition(x, kernels, padding, 1, 1)
    weights = random(*y.shape, seed=2)
    expected = (y, *torch.autograd.grad(y, (x, kernels), weights))
    for backend in BACKENDS["dense"]:
        inputs = [t.detach().float().requires_grad_() for t in (x, kernels)]
        y = conv_nd(*inputs, padding=padding, backend=backend)
        found = (y, *torch.autograd.grad(y, inputs, weights.float()))
        for single, double in zip(found, expected, strict=True):
            atol = 1e-5 * double.abs().max().item()
            torch.testing.assert_close(single, double.float(), rtol=0, atol=atol)


def test_matrices_made_under_inference_mode_serve_training():
    x, kernels = random(1, 2, 10), random(2, 2, 3, seed=1).requires_grad_()
    with torch.inference_mode():
        conv_nd(x, kernels, padding="periodic", backend="fft")
    conv_nd(x, kernels, padding="periodic", backend="fft").sum().backward()
    assert kernels.grad is not None


@pytest.mark.parametrize("form", BACKENDS)
@pytest.mark.parametrize("padding", PADDINGS)
def test_compiles_into_one_graph(form, padding):
    x, tensors = random(2, 3, 9, 8).requires_grad_(), leaves(form, (3, 4))
    torch.compiler.reset()
    compiled = torch.compile(
        lambda x: conv_nd(x, build(form, tensors), padding=padding), backend="aot_eager", fullgraph=True
    )
    expected = conv_nd(x, build(form, tensors), padding=padding)
    torch.testing.assert_close(compiled(x), expected, rtol=0, atol=1e-12)
    weights = random(*expected.shape, seed=3)
    found = torch.autograd.grad(compiled(x), x, weights)
    torch.testing.assert_close(found, torch.autograd.grad(expected, x, weights), rtol=0, atol=1e-12)
    with pytest.raises(Exception, match="backend 'fft' cannot serve conv_nd while torch traces it"):
        torch.compile(lambda x: conv_nd(x, build(form, tensors), backend="fft"), backend="eager", fullgraph=True)(x)


class Layer(torch.nn.Module):
    def __init__(self, form, padding):
        super().__init__()
        self.form, self.padding = form, padding
        self.tensors = torch.nn.ParameterList(leaves(form, (3, 4)))

    def forward(self, x):
        return conv_nd(x, build(self.form, list(self.tensors)), padding=self.padding)


@pytest.mark.parametrize("form", BACKENDS)
@pytest.mark.parametrize("padding", ["zeros", "periodic"])
def test_exports_for_every_batch_and_grid(form, padding):
    layer = Layer(form, padding)
    sizes = {axis: torch.export.Dim(f"size_{axis}", min=2 if axis == 0 else 8, max=512) for axis in (0, 2, 3)}
    exported = torch.export.export(layer, (random(2, 3, 16, 12),), dynamic_shapes=(sizes,)).module()
    x = random(5, 3, 11, 24)
    torch.testing.assert_close(exported(x), layer(x), rtol=0, atol=1e-12)


def arguments(**changes):
    return {"x": random(2, 3, 8, 6), "kernels": random(4, 3, 3, 3)} | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": torch.zeros(2, 3, 8, 6, dtype=torch.int64)}, "x must be of float32 or float64, got torch.int64"),
        ({"x": torch.zeros(2, 3, 8, 6, dtype=torch.complex64)}, "x must be of float32 or float64"),
        ({"x": torch.zeros(2, 3, 8, 6, dtype=torch.float16)}, "x must be of float32 or float64"),
        ({"x": [1.0]}, "x must be a torch tensor"),
        ({"x": torch.zeros(2, 3, 8, 6)}, "kernels must be of x's type and device, torch.float32"),
        ({"x": random(2, 5, 8, 6)}, "kernels must take the 5 channels that x has, got kernels for 3"),
        ({"x": random(2, 3, 8)}, r"x must have the shape .* \(2\) and no size 0, got \(2, 3, 8\)"),
        ({"x": random(2, 3, 8, 0)}, r"x must have the shape .* no size 0, got \(2, 3, 8, 0\)"),
        ({"x": random(0, 3, 8, 6)}, r"x must have the shape .* no size 0, got \(0, 3, 8, 6\)"),
        ({"kernels": torch.zeros(4, 3, 3, 3, dtype=torch.int32)}, "kernels must be of float32 or float64"),
        ({"kernels": random(4, 3, 0, 3)}, r"kernels must have the shape \(out, in, \*taps\) .* got \(4, 3, 0, 3\)"),
        ({"kernels": random(4, 3)}, "kernels must have the shape"),
        ({"kernels": random(4, 3, 1, 1, 1, 1)}, "with one to three axes of taps"),
        ({"kernels": ((1.0,),)}, "kernels must be a torch tensor, FactorisedKernels or SeparableKernels, got tuple"),
        ({"form": "kernel"}, "kernels must be of the type FactorisedKernels for the form 'kernel', got Tensor"),
        ({"form": []}, r"unknown form \[\]"),
        ({"stride": 10**30}, "stride needs an integer from 1 to 32768"),
        ({"x": random(2, 3, 8, 6).to_sparse()}, "x must be a dense tensor, got one of layout torch.sparse_coo"),
        ({"form": "dens"}, "unknown form 'dens'; did you mean 'dense'"),
        ({"bias": random(3)}, r"bias must have the shape \(4,\)"),
        ({"bias": torch.zeros(4)}, "bias must have .* x's type and device, torch.float64"),
        ({"padding": "circular"}, "unknown padding 'circular'; Known: periodic, reflect, valid, zeros"),
        ({"padding": ("zeros",)}, r"padding needs one of .*, or one per axis of space \(2\)"),
        ({"padding": 2}, "padding needs one of periodic, reflect, valid, zeros, or one per axis .* got 2"),
        ({"padding": "valid", "dilation": 3}, "kernels must fit into the grid .* 7 points along axis 1 .* has 6"),
        ({"padding": "reflect", "dilation": 6}, "kernels may reach 5 points beyond .* which reach 6"),
        ({"stride": 0}, "stride needs an integer from 1 to 32768, or one per axis of space .2., got 0"),
        ({"stride": (1, -1)}, r"stride needs .* got \(1, -1\)"),
        ({"stride": 1.5}, "stride needs an integer"),
        ({"stride": (1, 1, 1)}, "stride needs"),
        ({"dilation": 0}, "dilation needs an integer from 1 to 32768"),
        ({"backend": "fftt"}, "unknown backend 'fftt'; did you mean 'fft'"),
        ({"backend": "staged"}, "backend 'staged' cannot serve this conv_nd: dense kernels have no filters"),
        ({"backend": "rebuild"}, "backend 'rebuild' cannot serve this conv_nd: dense kernels need no rebuilding"),
    ],
)
def test_wrong_input_is_named(changes, message):
    with pytest.raises(InputError, match=message):
        conv_nd(**arguments(**changes))


def test_factorised_kernels_are_not_served_directly():
    with pytest.raises(InputError, match=r"backend 'direct' cannot serve this conv_nd: .* use 'rebuild'"):
        conv_nd(random(2, 3, 8), build("kernel", leaves("kernel", (3,))), backend="direct")
