"""Full transforms against `scipy.fft`, the independent reference, for numpy and torch alike."""

import hashlib
import subprocess
import sys
import threading

import numpy as np
import pytest
import scipy.fft
import torch
from torch.autograd import gradcheck, gradgradcheck

from opforge import core
from opforge.errors import InputError
from tests.sources import ROOT

SHAPES = [(5,), (8,), (2,), (4, 6), (3, 5, 7), (6, 9)]
NORMS = ["backward", "ortho", "forward"]
PRECISIONS = [(np.float64, 1e-13), (np.float32, 2e-6)]


def sample(shape, dtype=np.float64):
    return np.random.default_rng(0).standard_normal((2, *shape)).astype(dtype)


def assert_near(actual, expected, tolerance):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * max(1.0, np.abs(expected).max()))


def ways(x):
    """The array and the tensor with each of their back ends, and with the one that is chosen."""
    tensor = torch.from_numpy(x)
    yield from ((x, name) for name in (None, "fftw", "scipy"))
    yield from ((tensor, name) for name in (None, "fftw", "scipy", "torch"))


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("type", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["dctn", "dstn"])
@pytest.mark.parametrize("shape", SHAPES)
def test_cosine_and_sine_transforms(shape, name, type, norm, dtype, tolerance):
    x = sample(shape, dtype)
    axes = tuple(range(1, x.ndim))
    for inverse in (False, True):
        reference = getattr(scipy.fft, ("i" if inverse else "") + name)
        expected = reference(x.astype(np.float64), type, axes=axes, norm=norm)
        for given, backend in ways(x):
            actual = np.asarray(getattr(core, name)(given, type, axes, norm=norm, inverse=inverse, backend=backend))
            assert actual.dtype == dtype
            assert_near(actual, expected, tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_fourier_transforms(shape, norm, dtype, tolerance):
    x = sample(shape, dtype)
    z = (x + 1j * sample(shape, dtype)[::-1]).astype(np.result_type(dtype, np.complex64))
    axes = tuple(range(1, x.ndim))
    forward, inverse = scipy.fft.fftn(z, axes=axes, norm=norm), scipy.fft.ifftn(z, axes=axes, norm=norm)
    half = scipy.fft.rfftn(x.astype(np.float64), axes=axes, norm=norm)
    of_reals = scipy.fft.fftn(x.astype(np.float64), axes=axes, norm=norm)
    for (given_z, backend), (given_x, _), (given_half, _) in zip(
        ways(z), ways(x), ways(half.astype(z.dtype)), strict=True
    ):
        for given, function, expected in (
            (given_z, core.fftn, forward),
            (given_z, core.ifftn, inverse),
            (given_x, core.rfftn, half),
            (given_x, core.fftn, of_reals),
        ):
            actual = np.asarray(function(given, axes, norm, backend=backend))
            assert actual.dtype == z.dtype
            assert_near(actual, expected, tolerance)
        back = np.asarray(core.irfftn(given_half, shape, axes, norm, backend=backend))
        assert back.dtype == dtype
        assert_near(back, x, tolerance)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 31, 97, 127, 128, 257])
def test_small_and_prime_sizes(n):
    x = sample((n, 2))
    for given, backend in ways(x):
        options = {"dim": (1,), "backend": backend}
        assert_near(np.asarray(core.rfftn(given, **options)), scipy.fft.rfft(x, axis=1), 1e-13)
        assert_near(np.asarray(core.irfftn(core.rfftn(given, **options), (n,), **options)), x, 1e-13)
        for type in (1, 2, 3, 4):
            assert_near(np.asarray(core.dstn(given, type, **options)), scipy.fft.dst(x, type, axis=1), 1e-13)
            if n > 1 or type > 1:
                assert_near(np.asarray(core.dctn(given, type, **options)), scipy.fft.dct(x, type, axis=1), 1e-13)


@pytest.mark.parametrize("shape", [(5,), (8, 9), (9, 8), (3, 4, 6), (1, 2)])
def test_spectra_of_no_real_array(shape):
    """What no real array has as a spectrum, every back end drops alike: the imaginary part of the last step's ends."""
    rng = np.random.default_rng(0)
    half = (*shape[:-1], shape[-1] // 2 + 1)
    spectrum = rng.standard_normal(half) + 1j * rng.standard_normal(half)
    expected = scipy.fft.irfftn(spectrum, shape)
    for given, backend in ways(spectrum):
        assert_near(np.asarray(core.irfftn(given, shape, backend=backend)), expected, 1e-13)


@pytest.mark.parametrize("type", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["dctn", "dstn"])
def test_ortho_is_an_orthogonal_matrix(name, type):
    matrix = getattr(core, name)(np.eye(7), type, (0,), norm="ortho")
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(7), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: core.irfftn(core.rfftn(x, (1,)), (5,), (1,)),
        lambda x: core.fftn(x, (0, 1)).real,
        *(lambda x, t=t: core.dctn(x, t, (0, 1), norm="ortho") for t in (1, 2, 3, 4)),
        *(lambda x, t=t: core.dstn(x, t, (1,), inverse=True) for t in (1, 2, 3, 4)),
        lambda x: core.resample(x, (7, 4), points="cells"),
    ],
)
def test_derivatives(function):
    x = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert gradcheck(function, x)
    assert gradgradcheck(function, x)
    function(x).sum().backward()  # a gradient of stride 0 arrives here


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "every second": lambda x: np.repeat(x, 2, -1)[..., ::2],
    "backwards": lambda x: x[:, ::-1].copy()[:, ::-1],
    "axes swapped": lambda x: x.swapaxes(0, 2).copy().swapaxes(0, 2),
    "a view inside": lambda x: np.pad(x, 3)[3:-3, 3:-3, 3:-3],
    "unaligned": lambda x: np.frombuffer(b"\0\0\0\0" + x.tobytes(), x.dtype, offset=4).reshape(x.shape),
    "other byte order": lambda x: x.astype(x.dtype.newbyteorder()),
}
CALLS = {
    "fftn": lambda x, b: core.fftn(x + 0j, (1, 2), backend=b),
    "rfftn": lambda x, b: core.rfftn(x, (1, 2), backend=b),
    "rfftn over one axis": lambda x, b: core.rfftn(x, (1,), backend=b),
    "dctn": lambda x, b: core.dctn(x, 2, (1, 2), norm="ortho", backend=b),
    "dstn": lambda x, b: core.dstn(x, 1, (1, 2), inverse=True, backend=b),
}


@pytest.mark.parametrize("backend", [None, "fftw", "scipy"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_layout_does_not_matter_and_input_survives(layout, call, backend):
    x = sample((6, 8))
    laid_out = layout(x)
    laid_out.flags.writeable = False
    np.testing.assert_array_equal(call(laid_out, backend), call(x, backend))
    np.testing.assert_array_equal(laid_out, sample((6, 8)))
    np.testing.assert_array_equal(x, sample((6, 8)))


@pytest.mark.parametrize("backend", [None, "fftw", "scipy"])
def test_spectra_survive(backend):
    """FFTW destroys the input of such transforms."""
    spectrum = core.rfftn(sample((6, 8)), (1, 2))
    spectrum.flags.writeable = False
    kept = spectrum.copy()
    core.irfftn(spectrum, (6, 8), (1, 2), backend=backend)
    core.irfftn(spectrum[:, 0], (8,), backend=backend)
    np.testing.assert_array_equal(spectrum, kept)


@pytest.mark.parametrize("backend", [None, "fftw", "scipy"])
def test_one_number_in_all_places(backend):
    x = np.broadcast_to(np.float64(3), (2, 4, 4))
    expected = np.zeros((2, 4, 3))
    expected[:, 0, 0] = 48
    np.testing.assert_array_equal(core.rfftn(x, (1, 2), backend=backend), expected)
    np.testing.assert_array_equal(core.rfftn(torch.tensor(3.0).expand(2, 4, 4), (1, 2), backend=backend), expected)


@pytest.mark.parametrize("backend", [None, "fftw", "scipy", "torch"])
def test_lazy_conjugates(backend):
    z = torch.from_numpy(sample((6,)) + 1j * sample((6,))[::-1])
    expected = core.fftn(z.conj().resolve_conj(), (1,), backend=backend)
    torch.testing.assert_close(core.fftn(z.conj(), (1,), backend=backend), expected)
    real = z.conj().imag
    assert real.is_neg()
    torch.testing.assert_close(
        core.dctn(real, dim=(1,), backend=backend), core.dctn(real.resolve_neg(), dim=(1,), backend=backend)
    )


@pytest.mark.parametrize("backend", [None, "fftw", "scipy"])
def test_nan_stays_in_its_sample(backend):
    x = np.random.default_rng(0).standard_normal((9, 6, 8)).astype(np.float32)
    clean = core.rfftn(x, (1, 2), backend=backend), core.dctn(x, 2, (1, 2), backend=backend)
    x[4, 2, 3] = np.nan
    others = [i for i in range(9) if i != 4]
    for before, after in zip(
        clean, (core.rfftn(x, (1, 2), backend=backend), core.dctn(x, 2, (1, 2), backend=backend)), strict=True
    ):
        assert np.isnan(after[4]).all()
        np.testing.assert_array_equal(after[others], before[others])


def test_empty_batch():
    x = np.ones((0, 8))
    tensor = torch.ones(0, 8, requires_grad=True)
    for given in (x, tensor):
        assert core.fftn(given, (1,)).shape == (0, 8)
        assert core.rfftn(given, (1,)).shape == (0, 5)
        assert core.irfftn(core.rfftn(given, (1,)), (9,), (1,)).shape == (0, 9)
        assert core.dctn(given, dim=(1,)).dtype == given.dtype
    assert core.rfftn(x.astype(np.float32), (1,)).dtype == np.complex64
    core.dctn(tensor, dim=(1,)).sum().backward()
    torch.testing.assert_close(tensor.grad, torch.zeros(0, 8))


def digest():
    """The bits of transforms by every library, each size by two plans."""
    results = hashlib.sha256()
    for shape in ((64, 64), (48, 50), (97,), (16, 16, 16)):
        x = np.random.default_rng(0).standard_normal(shape)
        for dtype in (np.float64, np.float32):
            y = x.astype(dtype)
            for backend in (None, "fftw", "scipy"):
                results.update(core.rfftn(y, backend=backend))
                results.update(core.fftn(y + 0j, backend=backend))
                results.update(core.dctn(y, 2, backend=backend))
    return results.hexdigest()


def test_same_bits_in_another_process():
    command = "from tests.core.full_transforms.test_transforms import digest; print(digest())"
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest()


def test_threads_do_not_share_plans():
    """Threads that all use the same few sizes, and one that many: each gets its own results, and plans are dropped."""
    sizes = [(n, m) for n in (2, 5, 8, 17, 32, 64) for m in (1, 4, 9, 16)]
    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for i in rng.permutation(4 * len(sizes)):
            x = rng.standard_normal(sizes[i % len(sizes)])
            for backend in (None, "fftw", "scipy"):
                for function in ("fftn", "rfftn", "dctn", "dstn"):
                    y = x + 1j if function == "fftn" else x
                    expected = getattr(scipy.fft, function)(y)
                    actual = getattr(core, function)(y, backend=backend)
                    if not np.allclose(actual, expected, rtol=0, atol=1e-11):
                        wrong.append((seed, x.shape, backend, function))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_results_do_not_depend_on_the_number_of_threads():
    x = np.random.default_rng(0).standard_normal((4, 128, 130))
    for backend in ("fftw", "scipy"):
        for function in (core.rfftn, core.dctn):
            alone = function(x, dim=(1, 2), backend=backend)
            with core.planning(threads=3):
                together = function(x, dim=(1, 2), backend=backend)
                again = torch.as_tensor(function(torch.from_numpy(x), dim=(1, 2), backend=backend)).numpy()
            assert_near(together, alone, 1e-14)
            assert_near(again, alone, 1e-14)


def test_more_shapes_than_kept_plans():
    for n in range(2, 80):
        x = np.random.default_rng(n).standard_normal(n)
        back = core.dstn(core.dstn(x, backend="fftw"), inverse=True, backend="fftw")
        np.testing.assert_allclose(back, x, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: core.fftn(np.arange(4)),
            r"x must be of a floating point type that is served \(float32, .*, complex128\), got int64",
        ),
        (lambda: core.rfftn(np.ones(4) + 0j), "rfftn takes real input"),
        (lambda: core.dctn(torch.ones(4) + 0j), "dctn takes real input, got x of complex64"),
        (lambda: core.fftn(np.ones(4, np.float16)), "got float16; convert"),
        (lambda: core.fftn(np.ones(4, np.longdouble)), r"got float(96|128); convert"),
        (lambda: core.fftn(torch.ones(4, dtype=torch.bfloat16)), "got bfloat16; convert"),
        (lambda: core.rfftn(np.ma.ones(4)), "x must not be a masked array"),
        (lambda: core.fftn(np.ones(4), 0), r"dim must be a sequence of whole numbers, got 0; write \(0,\)"),
        (lambda: core.fftn(np.ones(4), backend="mkl"), "unknown backend 'mkl'"),
        (lambda: core.fftn(np.ones(4), backend="torch"), "unknown backend 'torch'"),
        (lambda: core.fftn(torch.ones(4), backend=[]), r"backend must be the name of one, or None, got \[\]"),
        (lambda: core.irfftn(np.ones(1) + 0j, (0,)), r"x must have the sizes \(1,\)"),
        (lambda: core.fftn(np.ones(())), "dim must name distinct axes of x, which has 0"),
        (lambda: core.fftn([1.0, 2.0]), "x must be a numpy array or a torch tensor, got list"),
        (lambda: core.fftn(np.ones((2, 0))), "must not be empty"),
        (lambda: core.fftn(np.ones(4), (1,)), "dim must name distinct axes"),
        (lambda: core.fftn(np.ones((4, 4)), (0, -2)), "dim must name distinct axes"),
        (lambda: core.fftn(np.ones(4), norm="unitary"), "norm must be one of backward, ortho, forward, got 'unitary'"),
        (lambda: core.dctn(np.ones(4), 5), "type must be 1, 2, 3 or 4, got 5"),
        (lambda: core.dctn(np.ones(1), 1), "type 1 cosine transforms need at least 2 points"),
        (lambda: core.irfftn(np.ones(4) + 0j, (8,)), r"x must have the sizes \(5,\)"),
        (lambda: core.irfftn(np.ones((4, 4)) + 0j, (6,), (0, 1)), "shape needs one size per axis"),
        (lambda: core.irfftn(np.ones(4) + 0j, 6), r"shape must be a sequence of whole numbers, got 6; write \(6,\)"),
        (lambda: core.irfftn(np.ones(4) + 0j, None), "shape must be a sequence of whole numbers, got None"),
        (lambda: core.irfftn(np.ones(4) + 0j, (6.5,)), r"shape must be a sequence of whole numbers, got \(6.5,\)"),
        (lambda: core.irfftn(np.ones(4), (6,)), "irfftn takes the complex half spectrum .* got x of float64"),
        (lambda: core.fftn(np.ones(4), (0.0,)), "dim must be a sequence of whole numbers"),
        (lambda: core.fftn(np.ones(4), "x"), "dim must be a sequence of whole numbers, got 'x'"),
        (lambda: core.fftn(np.ones(4), norm=[]), r"norm must be one of backward, ortho, forward, got \[\]"),
        (lambda: core.dctn(np.ones(4), [2]), r"type must be 1, 2, 3 or 4, got \[2\]"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
