"""`fft_conv` against the definition in float64: every back end, mode, number of axes, parity and length of kernel."""

import math
import os
import subprocess
import sys

import pytest
import scipy.signal
import torch
from torch.autograd import gradcheck, gradgradcheck

from opforge.core import fft_conv
from opforge.core.long_conv.engines import BACKENDS, question
from opforge.errors import InputError
from tests.core.long_conv import dense

MODES = ("causal", "circular", "same")
LINES = [
    ((n,), (m,), (-1,))
    for n in (1, 2, 3, 8, 13, 31, 64)
    for m in sorted({1, 2, 3, n // 3, n // 2, n - 1, n})
    if 1 <= m <= n
]
BEYOND = [((3,), (4,), (-1,)), ((8,), (21,), (-1,)), ((13,), (14,), (2,)), ((3, 4), (5, 9), (2, 3))]
SEVERAL = [
    ((6, 5), (3,), (2,)),
    ((6, 5), (4,), (-1,)),
    ((6, 5), (3, 4), (2, 3)),
    ((6, 5), (4, 3), (3, 2)),
    ((7, 8), (7, 8), (-2, -1)),
    ((4, 3, 5), (2, 3, 4), (2, 3, 4)),
    ((4, 3, 5), (3, 2), (4, 2)),
    ((4, 3, 5), (3,), (3,)),
]
WAYS = [(case, mode) for case in LINES + SEVERAL for mode in MODES] + [(case, "same") for case in BEYOND]
ON_CPU = tuple(name for name in BACKENDS if name != "triton")
FFTW = ("blocks", "sparse", "twisted")
NEED_MODES = ("gemm", "sparse")


@pytest.fixture(autouse=True)
def _no_measurements(monkeypatch):
    monkeypatch.setenv("OPFORGE_TUNE", "off")


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def able(points, taps, mode, keep_modes=None):
    """The back ends that can serve."""
    options = {"dim": tuple(range(-len(points), 0)), "mode": mode, "keep_modes": keep_modes}
    return [c.name for c in question(points, taps=taps, **options).candidates if not c.why_not]


def highest(points, mode):
    return tuple((n - 1) // 2 if mode == "circular" else n - 1 for n in points)


def close(actual, expected, dtype=torch.float64):
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    scale = max(expected.abs().max().item(), 1.0)
    assert actual.dtype == dtype
    torch.testing.assert_close(actual.double(), expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize(("case", "mode"), WAYS)
def test_equals_the_definition(case, mode):
    space, taps, dim = case
    u, k = random(2, 3, *space), random(3, *taps, seed=1)
    points = tuple(u.shape[a] for a in dim)
    most = highest(points, mode)
    for modes in (None, tuple(m // 2 for m in most), most):
        expected = dense.convolution(u, k, dim, mode, modes)
        names = able(points, taps, mode, modes)
        assert {"fft"} < set(names) <= set(BACKENDS)
        for backend in names:
            for dtype in (torch.float64, torch.float32):
                y = fft_conv(u.to(dtype), k.to(dtype), dim, mode, keep_modes=modes, backend=backend)
                close(y, expected, dtype)


@pytest.mark.parametrize("taps", [(1,), (2,), (5,), (12,), (13,), (30,)])
def test_same_is_scipys(taps):
    u, k = random(1, 1, 12), random(1, *taps, seed=1)
    expected = scipy.signal.convolve(u[0, 0].numpy(), k[0].numpy(), mode="same", method="fft")
    close(fft_conv(u, k, mode="same")[0, 0], torch.from_numpy(expected))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("gates", [("in",), ("out",), ("in", "out")])
def test_gates_are_factors(mode, gates):
    u, k = random(3, 2, 20), random(2, 6, seed=1)
    gate_in, gate_out = random(2, 20, seed=2), random(3, 1, 1, seed=3)
    expected = dense.convolution(u * gate_in if "in" in gates else u, k, mode=mode)
    expected = expected * gate_out if "out" in gates else expected
    for backend in able((20,), (6,), mode):
        given = {"gate_in": gate_in if "in" in gates else None, "gate_out": gate_out if "out" in gates else None}
        close(fft_conv(u, k, mode=mode, backend=backend, **given), expected)


@pytest.mark.parametrize("backend", ON_CPU)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("modes", [None, 2])
def test_first_and_second_derivatives(backend, mode, modes):
    for points, taps in ((9, 3), (7, 7)):
        if backend not in able((points,), (taps,), mode, modes):
            continue
        inputs = random(2, 2, points), random(2, taps, seed=1), random(2, 1, points, seed=2), random(points, seed=3)

        def function(u, k, gate_in, gate_out):
            return fft_conv(u, k, -1, mode, gate_in, gate_out, modes, backend=backend)

        inputs = [x.requires_grad_() for x in inputs]
        assert gradcheck(function, inputs)
        assert gradgradcheck(function, inputs)


@pytest.mark.parametrize(("space", "dim", "taps"), [((4, 3), (2, 3), (2, 3)), ((3, 2, 4), (4, 2), (2, 3))])
@pytest.mark.parametrize("backend", ["direct", "fft", "gemm"])
def test_derivatives_along_several_axes(space, dim, taps, backend):
    modes = 1 if backend in NEED_MODES else None
    inputs = [random(1, 2, *space).requires_grad_(), random(2, *taps, seed=1).requires_grad_()]
    assert gradcheck(lambda u, k: fft_conv(u, k, dim, "same", keep_modes=modes, backend=backend), inputs)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:DeprecationWarning")  # torch's own use of it
@pytest.mark.parametrize("backend", FFTW)
def test_derivatives_in_forward_mode(backend):
    modes = 3 if backend in NEED_MODES else None
    inputs = [
        random(2, 2, 9).requires_grad_(),
        random(2, 4, seed=1).requires_grad_(),
        random(9, seed=2).requires_grad_(),
    ]

    def function(u, k, gate):
        return fft_conv(u, k, gate_in=gate, gate_out=gate, keep_modes=modes, backend=backend)

    assert gradcheck(function, inputs, check_forward_ad=True, check_backward_ad=False)


# rows of a sample that fill a chunk several times over, transforms of one and two levels, lengths of every kind
LARGE = [
    ((5, 3, 1000), 1000, "causal", None),
    ((40, 9, 513), 100, "same", None),
    ((2, 1, 9001), 4000, "causal", None),
    ((1, 3, 9001), 700, "circular", None),
    ((3, 2, 40000), 40000, "causal", None),
    ((3, 2, 40000), 2500, "causal", None),
    ((2, 2, 33000), 900, "same", None),
    ((3, 2, 6000), 6000, "causal", 700),
    ((30, 9, 1280), 1280, "same", 100),
    ((3, 2, 20480), 20480, "circular", 5119),
    ((3, 2, 20480), 20480, "causal", 0),
    ((3, 2, 5003), 5003, "circular", 700),
]


@pytest.mark.parametrize(
    ("case", "backend"),
    [(case, name) for case in LARGE for name in able(case[0][2:], (case[1],), *case[2:]) if name in FFTW],
)
def test_large_sizes_equal_torch_fft(case, backend, two_threads):
    shape, taps, mode, modes = case
    inputs = [random(*shape), random(shape[1], taps, seed=1), random(*shape, seed=2), random(*shape[1:], seed=3)]
    inputs = [x.requires_grad_() for x in inputs]
    g = random(*shape, seed=4)
    found = {}
    for name in (backend, "fft"):
        u, k, gate_in, gate_out = inputs
        y = fft_conv(u, k, -1, mode, gate_in, gate_out, modes, backend=name)
        found[name] = y, *torch.autograd.grad(y, inputs, g)
    for actual, expected in zip(found[backend], found["fft"], strict=True):
        close(actual, expected)


@pytest.mark.parametrize("backend", ON_CPU)
def test_circular_commutes_with_shifts(backend):
    modes = 3 if backend in NEED_MODES else None
    u, k = random(2, 3, 14), random(3, 7, seed=1)
    y = fft_conv(u, k, mode="circular", keep_modes=modes, backend=backend)
    shifted = fft_conv(u.roll(4, -1), k, mode="circular", keep_modes=modes, backend=backend)
    close(shifted, y.roll(4, -1))


@pytest.mark.parametrize("backend", ["blocks", "direct", "fft", "monarch", "twisted"])
@pytest.mark.parametrize("mode", ["causal", "circular"])
def test_kernels_commute_and_associate(backend, mode):
    u, a, b = random(2, 3, 24), random(3, 9, seed=1), random(3, 11, seed=2)

    def conv(v, k):
        return fft_conv(v, k, mode=mode, backend=backend)

    product = dense.convolution(torch.nn.functional.pad(a, (0, 15))[None], b, mode=mode)[0]  # of 19 taps, and zeros
    close(conv(conv(u, a), b), conv(conv(u, b), a))
    close(conv(conv(u, a), b), fft_conv(u, product, mode=mode, backend="fft"))


@pytest.mark.parametrize("backend", ["blocks", "direct", "fft", "monarch", "twisted"])
def test_a_single_tap_delays(backend):
    u, k = random(2, 3, 24), torch.zeros(3, 6, dtype=torch.float64)
    k[:, 5] = 2.0
    close(fft_conv(u, k, backend=backend)[..., 5:], 2 * u[..., :-5])
    close(fft_conv(u, k, mode="circular", backend=backend), 2 * u.roll(5, -1))
    close(fft_conv(u, k, mode="same", backend=backend)[..., 3:], 2 * u[..., :-3])  # 5 taps on from the centre, 2


def test_transposes_are_adjoint():
    u, k, w = random(2, 3, 50).requires_grad_(), random(3, 12, seed=1).requires_grad_(), random(2, 3, 50, seed=2)
    for backend in FFTW:
        y = fft_conv(u, k, mode="same", keep_modes=7 if backend in NEED_MODES else None, backend=backend)
        by_u, by_k = torch.autograd.grad(y, (u, k), w)
        expected = (y * w).sum()
        torch.testing.assert_close((u * by_u).sum(), expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close((k * by_k).sum(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_a_kernel_of_few_modes_is_cut_once(mode):
    """What is dropped is gone, and what is kept is left alone: in a circle, cutting twice is cutting once."""
    u, k = random(2, 3, 21), random(3, 9, seed=1)
    once = fft_conv(u, k, mode="circular", keep_modes=4)
    spectrum = torch.fft.rfft(once)
    assert (spectrum[..., :5].abs() > 1e-6).all()
    torch.testing.assert_close(spectrum[..., 5:], torch.zeros_like(spectrum[..., 5:]), rtol=0, atol=1e-12)
    smooth = torch.fft.irfft(torch.fft.rfft(k, n=21)[:, :5], n=21)
    close(fft_conv(u, smooth, mode="circular"), once)
    assert not torch.allclose(fft_conv(u, k, mode=mode, keep_modes=4), fft_conv(u, k, mode=mode))


@pytest.mark.parametrize("backend", ON_CPU)
def test_nan_stays_in_its_sample(backend):
    u, k = random(3, 2, 40), random(2, 8, seed=1)
    modes = 5 if backend in NEED_MODES else None
    expected = fft_conv(u, k, keep_modes=modes, backend=backend)
    u[1, 0, 7] = math.nan
    u.requires_grad_()
    y = fft_conv(u, k, keep_modes=modes, backend=backend)
    assert y[1, 0, 7:15].isnan().all()
    close(y[::2].detach(), expected[::2])
    (by_u,) = torch.autograd.grad(y[::2].sum(), u)
    assert by_u[::2].isfinite().all()


@pytest.mark.parametrize("backend", ON_CPU)
def test_layout_batch_and_gradients_do_not_matter(backend):
    modes = 5 if backend in NEED_MODES else None
    u, k = random(3, 4, 40), random(4, 8, seed=1)

    def conv(u, k):
        return fft_conv(u, k, gate_in=u, keep_modes=modes, backend=backend)

    expected = conv(u, k)
    channels_last = u.movedim(1, -1).contiguous().movedim(-1, 1)
    spread = torch.stack([u, u], -1)[..., 0]
    for layout in (channels_last, spread, torch.cat([u, u], -1)[..., :40], u.flip(-1).contiguous().flip(-1)):
        close(conv(layout, k), expected)
    close(conv(u, k.T.contiguous().T), expected)
    close(conv(u[1:2], k), expected[1:2])
    close(conv(u.requires_grad_(), k.requires_grad_()).detach(), expected)
    with torch.inference_mode():
        close(conv(u, k).clone(), expected)


@pytest.mark.parametrize("backend", ON_CPU)
def test_autocast_does_not_matter(backend):
    modes = 5 if backend in NEED_MODES else None
    u, k = random(2, 3, 40, dtype=torch.float32), random(3, 8, seed=1, dtype=torch.float32)
    expected = dense.convolution(u, k, keep_modes=modes and (modes,))
    with torch.autocast("cpu"):
        close(fft_conv(u, k, keep_modes=modes, backend=backend), expected, torch.float32)


@pytest.mark.parametrize("backend", FFTW)
def test_threads_do_not_change_a_bit(backend):
    before = torch.get_num_threads()
    inputs = [random(5, 30, 700).requires_grad_(), random(30, 300, seed=1).requires_grad_()]
    found = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        y = fft_conv(*inputs, keep_modes=99 if backend in NEED_MODES else None, backend=backend)
        found.append([y, *torch.autograd.grad(y.square().sum(), inputs)])
    torch.set_num_threads(before)
    for one, three in zip(*found, strict=True):
        assert torch.equal(one, three)


@pytest.mark.parametrize("backend", ON_CPU)
@pytest.mark.parametrize("mode", MODES)
def test_gradients_of_a_sum(backend, mode):
    """They have strides of 0, at which some FFTs fail."""
    u, k = random(2, 3, 16).requires_grad_(), random(3, 5, seed=1).requires_grad_()
    modes = 3 if backend in NEED_MODES else None
    fft_conv(u, k, mode=mode, keep_modes=modes, backend=backend).sum().backward()
    expected = torch.autograd.grad(dense.convolution(u, k, mode=mode, keep_modes=modes and (modes,)).sum(), (u, k))
    close(u.grad, expected[0])
    close(k.grad, expected[1])


@pytest.mark.parametrize("backend", ["blocks", "direct", "fft", "sparse", "twisted"])
def test_serves_function_transforms(backend):
    u, k, gate = random(4, 2, 3, 20), random(4, 3, 7, seed=1), random(4, 20, seed=2)

    modes = 5 if backend in NEED_MODES else None

    def conv(u, k, gate):
        return fft_conv(u, k, gate_in=gate, keep_modes=modes, backend=backend)

    expected = torch.stack([conv(*each) for each in zip(u, k, gate, strict=True)])
    close(torch.vmap(conv)(u, k, gate), expected)
    close(torch.vmap(conv, (0, None, None))(u, k[0], gate[0]), torch.stack([conv(v, k[0], gate[0]) for v in u]))
    per_sample = torch.vmap(torch.func.grad(lambda k, v: conv(v[None], k, gate[0]).square().sum()), (None, 0))
    for i, by_k in enumerate(per_sample(k[0], u[0])):
        kernel = k[0].clone().requires_grad_()
        close(by_k, torch.autograd.grad(conv(u[0, i : i + 1], kernel, gate[0]).square().sum(), kernel)[0])


@pytest.mark.parametrize("options", [{}, {"mode": "same"}, {"mode": "circular"}, {"keep_modes": 4}])
def test_is_traced_as_one_graph(options):
    u, k = random(2, 3, 20).requires_grad_(), random(3, 7, seed=1)
    torch.compiler.reset()
    traced = torch.compile(lambda u, k: fft_conv(u, k, **options), backend="aot_eager", fullgraph=True)
    y = traced(u, k)
    close(y.detach(), dense.convolution(u.detach(), k, mode=options.get("mode", "causal"), keep_modes=_modes(options)))
    close(torch.autograd.grad(y.sum(), u)[0], torch.autograd.grad(fft_conv(u, k, **options).sum(), u)[0])


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.* is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # sizes are checked as numbers
def test_a_trace_holds_torchs_own_operations():
    u, k = random(2, 3, 20), random(3, 7, seed=1)
    traced = torch.jit.trace(lambda u: fft_conv(u, k), (u,), check_trace=False)
    other = random(2, 3, 20, seed=2)
    close(traced(other), dense.convolution(other, k))
    with pytest.raises(InputError, match="'twisted' cannot serve fft_conv while torch traces"):
        torch.jit.trace(lambda u: fft_conv(u, k, backend="twisted"), (u,))


def _modes(options):
    return (options["keep_modes"],) if "keep_modes" in options else None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
def test_works_in_a_forked_process():
    script = """
import os, torch
from opforge.core import fft_conv
torch.set_num_threads(2)
u, k = torch.randn(2, 40, 500), torch.randn(40, 500)
expected = fft_conv(u, k, backend="twisted")
child = os.fork()
if child == 0:
    os._exit(0 if torch.equal(fft_conv(u, k, backend="twisted"), expected) else 7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"k": random(3, 21)},
            "k must not be longer than the signal in mode 'causal', got .21,. taps for .20,. points",
        ),
        ({"k": random(3, 21), "mode": "circular"}, "k must not be longer than the signal in mode 'circular'"),
        ({"k": random(2, 5)}, "k must have a kernel for each of u's 3 channels, got 2"),
        ({"k": random(3)}, "k must have the shape .channels, .taps. .* got .3,."),
        ({"k": random(3, 2, 2)}, "k must have the shape .* each of the 1 convolved axes"),
        ({"k": random(3, 0)}, "k must have the shape .* at least 1"),
        ({"k": random(3, 5).float()}, "k must be of u's type and device, torch.float64 .* got torch.float32"),
        ({"u": torch.zeros(2, 3, 20, dtype=torch.int64)}, "u must be of float32 or float64, got torch.int64"),
        ({"u": torch.zeros(2, 3, 20, dtype=torch.complex64)}, "u must be of float32 or float64, got torch.complex64"),
        ({"u": torch.zeros(2, 3, 20, dtype=torch.float16)}, "u must be of float32 or float64, got torch.float16"),
        ({"u": [1.0]}, "u must be a torch tensor, got list"),
        ({"u": random(3, 20)}, "u must have the shape .batch, channels, .space. .* got .3, 20."),
        ({"u": random(2, 3, 0)}, "u must have the shape .* sizes of at least 1, got .2, 3, 0."),
        ({"u": random(0, 3, 20)}, "u must have the shape .* sizes of at least 1"),
        ({"dim": 1}, "dim must name different axes of space"),
        ({"dim": 3}, "dim must name different axes of space"),
        ({"dim": (2, -1)}, "dim must name different axes of space"),
        ({"dim": 1.5}, "dim must be a whole number or a sequence of them, got 1.5"),
        ({"keep_modes": "3"}, "keep_modes must be a whole number or a sequence of them, got '3'"),
        ({"dim": ()}, "dim must name different axes of space"),
        ({"mode": "valid"}, "unknown mode 'valid'; .*causal, circular, same"),
        ({"backend": "ffft"}, "unknown backend 'ffft'; did you mean 'fft'"),
        ({"backend": "gemm"}, "'gemm' cannot serve this fft_conv: it needs keep_modes"),
        ({"k": random(3, 15), "backend": "blocks"}, "'blocks' cannot serve .* longer than half the signal"),
        ({"keep_modes": 20}, "keep_modes must be between 0 and .L - 1. // 2, here at most .19,. .* got .20,."),
        ({"keep_modes": 10, "mode": "circular"}, "keep_modes must be between 0 and .* at most .9,."),
        ({"keep_modes": -1}, "keep_modes must be between 0"),
        ({"keep_modes": (3, 3)}, "keep_modes must be one number, or one for each of the 1 convolved axes"),
        ({"gate_in": random(2, 4, 20)}, "gate_in must broadcast to u's shape .2, 3, 20., got .2, 4, 20."),
        ({"gate_out": random(1, 2, 3, 20)}, "gate_out must broadcast to u's shape"),
        ({"gate_out": random(20).float()}, "gate_out must be of u's type and device"),
        ({"gate_in": torch.ones(20, dtype=torch.bool)}, "gate_in must be of float32 or float64"),
    ],
)
def test_wrong_input_is_named(change, message):
    with pytest.raises(InputError, match=message):
        fft_conv(**({"u": random(2, 3, 20), "k": random(3, 5)} | change))
