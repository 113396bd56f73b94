"""Full transforms against `scipy.fft`, the independent reference, for numpy and torch alike."""

import threading

import numpy as np
import pytest
import scipy.fft
import torch
from torch.autograd import gradcheck, gradgradcheck

from opforge import core
from opforge.errors import InputError

SHAPES = [(5,), (8,), (2,), (4, 6), (3, 5, 7), (6, 9)]
NORMS = ["backward", "ortho", "forward"]
PRECISIONS = [(np.float64, 1e-13), (np.float32, 2e-6)]


def sample(shape, dtype=np.float64):
    return np.random.default_rng(0).standard_normal((2, *shape)).astype(dtype)


def assert_near(actual, expected, tolerance):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * max(1.0, np.abs(expected).max()))


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
        for given in (x, torch.from_numpy(x)):
            actual = np.asarray(getattr(core, name)(given, type, axes, norm=norm, inverse=inverse))
            assert actual.dtype == dtype
            assert_near(actual, expected, tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_fourier_transforms(shape, norm, dtype, tolerance):
    x = sample(shape, dtype)
    z = (x + 1j * sample(shape, dtype)[::-1]).astype(np.result_type(dtype, np.complex64))
    axes = tuple(range(1, x.ndim))
    half = scipy.fft.rfftn(x.astype(np.float64), axes=axes, norm=norm)
    for wrap in (np.asarray, torch.from_numpy):
        assert_near(np.asarray(core.fftn(wrap(z), axes, norm)), scipy.fft.fftn(z, axes=axes, norm=norm), tolerance)
        assert_near(np.asarray(core.ifftn(wrap(z), axes, norm)), scipy.fft.ifftn(z, axes=axes, norm=norm), tolerance)
        assert_near(np.asarray(core.rfftn(wrap(x), axes, norm)), half, tolerance)
        back = core.irfftn(wrap(half.astype(z.dtype)), shape, axes, norm)
        assert_near(np.asarray(back), x, tolerance)
        assert np.asarray(back).dtype == dtype


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


def test_input_survives_and_layout_does_not_matter():
    x = sample((6, 8))
    kept = x.copy()
    spectrum = core.rfftn(x, (1, 2))
    spectrum_kept = spectrum.copy()
    core.irfftn(spectrum, (6, 8), (1, 2))
    core.dctn(x, 2, (1, 2), norm="ortho")
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(spectrum, spectrum_kept)
    np.testing.assert_array_equal(core.rfftn(np.asfortranarray(x), (1, 2)), spectrum)
    np.testing.assert_array_equal(core.rfftn(np.repeat(x, 2, -1)[..., ::2], (1, 2)), spectrum)


def test_threads_do_not_share_plans():
    inputs = [np.random.default_rng(i).standard_normal((32, 32)) for i in range(8)]
    expected = [core.dctn(x) for x in inputs]
    wrong = []

    def work(i):
        for _ in range(50):
            if not np.array_equal(core.dctn(inputs[i]), expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_more_shapes_than_kept_plans():
    for n in range(2, 80):
        x = np.random.default_rng(n).standard_normal(n)
        np.testing.assert_allclose(core.dstn(core.dstn(x), inverse=True), x, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: core.fftn(np.arange(4)), "x must be of a floating point or complex type, got int64"),
        (lambda: core.rfftn(np.ones(4) + 0j), "rfftn takes real input"),
        (lambda: core.dctn(torch.ones(4) + 0j), "cosine and sine transforms take real input"),
        (lambda: core.fftn([1.0, 2.0]), "x must be a numpy array or a torch tensor, got list"),
        (lambda: core.fftn(np.ones((2, 0))), "must not be empty"),
        (lambda: core.fftn(np.ones(4), (1,)), "dim must name distinct axes"),
        (lambda: core.fftn(np.ones((4, 4)), (0, -2)), "dim must name distinct axes"),
        (lambda: core.fftn(np.ones(4), norm="unitary"), "norm must be one of backward, ortho, forward, got 'unitary'"),
        (lambda: core.dctn(np.ones(4), 5), "type must be 1, 2, 3 or 4, got 5"),
        (lambda: core.dctn(np.ones(1), 1), "type 1 cosine transforms need at least 2 points"),
        (lambda: core.irfftn(np.ones(4) + 0j, (8,)), r"x must have the sizes \(5,\)"),
        (lambda: core.irfftn(np.ones((4, 4)) + 0j, (6,), (0, 1)), "shape needs one size per axis"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
