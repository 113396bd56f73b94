"""Modes of real fields in pairs of samples: against full transforms, numpy and torch, odd numbers of samples."""

import threading

import numpy as np
import pytest
import torch

from opforge.core import rfftn
from opforge.core.pairs import PairedModes, paired_modes

CASES = [((9,), (3,)), ((8,), (2,)), ((512,), (170,)), ((8, 12), (2, 5)), ((300, 6), (80, 1)), ((6, 7, 8), (1, 2, 2))]


def fields(shape, samples, dtype=np.float64):
    return np.random.default_rng(0).standard_normal((samples, 2, *shape)).astype(dtype)


@pytest.mark.parametrize(("shape", "highest"), CASES)
@pytest.mark.parametrize("samples", [1, 4, 5])
def test_modes_are_those_of_the_samples(shape, highest, samples):
    paired, u = PairedModes(shape, highest), fields(shape, samples)
    z = paired.of_fields(u)
    assert z.shape == ((samples + 1) // 2, 2, *paired.modes)
    u = np.concatenate([u, u[len(u) - samples % 2 :]])
    whole = rfftn(u, paired.axes, "forward")[..., : highest[-1] + 1]
    expected = whole[::2] + 1j * whole[1::2]
    low = z[..., : highest[-1] + 1]
    for axis, (n, k) in enumerate(zip(shape[:-1], highest[:-1], strict=True)):
        expected = np.take(expected, [*range(k + 1), *range(n - k, n)], axis=axis + 2)
    np.testing.assert_allclose(low, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("shape", "highest"), CASES)
@pytest.mark.parametrize("samples", [1, 4, 5])
def test_fields_come_back_and_what_is_not_kept_is_gone(shape, highest, samples):
    paired, u = PairedModes(shape, highest), fields(shape, samples)
    z = paired.of_fields(u)
    kept = paired.fields(z, samples)
    assert kept.shape == u.shape
    np.testing.assert_allclose(paired.of_fields(kept), z, rtol=0, atol=1e-14)
    assert np.linalg.norm(kept) < np.linalg.norm(u)


@pytest.mark.parametrize(("shape", "highest"), CASES)
def test_points_and_back(shape, highest):
    paired, u = PairedModes(shape, highest), fields(shape, 4)
    z = paired.of_fields(u)
    points = paired.points(z)
    assert points.shape == (2, 2, *shape, 2)
    kept = paired.fields(z, 4)
    np.testing.assert_allclose(points[1, :, ..., 0], kept[2], rtol=0, atol=1e-14)
    np.testing.assert_allclose(points[1, :, ..., 1], kept[3], rtol=0, atol=1e-14)
    np.testing.assert_allclose(paired.of_points(points.copy()) / paired.size, z, rtol=0, atol=1e-14)
    room = paired.room((2, 2), points)
    room[...] = paired.points(z)
    np.testing.assert_allclose(paired.of_points(room) / paired.size, z, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("shape", "highest"), CASES)
@pytest.mark.parametrize(("dtype", "rounding"), [(np.float64, 1e-13), (np.float32, 1e-5)])
def test_torch_and_numpy_agree(shape, highest, dtype, rounding):
    paired, u = PairedModes(shape, highest), fields(shape, 3, dtype)
    z = paired.of_fields(u)
    tensors = paired.of_fields(torch.from_numpy(u))
    assert z.dtype == tensors.numpy().dtype
    np.testing.assert_allclose(tensors.numpy(), z, rtol=0, atol=rounding)
    np.testing.assert_allclose(paired.points(tensors).numpy(), paired.points(z), rtol=0, atol=10 * rounding)
    np.testing.assert_allclose(paired.fields(tensors, 3).numpy(), paired.fields(z, 3), rtol=0, atol=10 * rounding)


def test_nothing_given_is_changed():
    paired, u = PairedModes((8,), (2,)), fields((8,), 4)
    z = paired.of_fields(u)
    before = u.copy(), z.copy()
    paired.of_points(paired.points(z))
    paired.fields(z, 4)
    np.testing.assert_array_equal(u, before[0])
    np.testing.assert_array_equal(z, before[1])


def test_gradients():
    paired = PairedModes((6, 5), (1, 2))
    u = torch.from_numpy(fields((6, 5), 3)).requires_grad_()

    def square(u):
        z = paired.of_fields(u)
        return paired.fields(paired.of_points(paired.points(z) ** 2), 3)

    assert torch.autograd.gradcheck(square, u)


def test_wavenumbers_broadcast():
    first, second = PairedModes((8, 9), (1, 2)).wavenumbers()
    assert first.tolist() == [[0.0], [1.0], [-1.0]]
    assert second.tolist() == [[0.0, 1.0, 2.0, -2.0, -1.0]]


def test_a_thread_has_objects_of_its_own():
    found = []
    threads = [threading.Thread(target=lambda: found.append(paired_modes((8,), (2,)))) for _ in range(2)]
    for thread in threads:
        thread.start()
        thread.join()
    assert found[0] is not found[1] is not paired_modes((8,), (2,))
    for n in range(9, 40):
        assert paired_modes((n,), (2,)).shape == (n,)
