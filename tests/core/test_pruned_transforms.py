"""Transforms of the lowest modes: against whole ones, for lengths of one plan and of several."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from opforge.core.pruned_transforms import PrunedTransforms

CASES = [
    ((7,), (2,)),
    ((300,), (99,)),
    ((8, 6), (2, 1)),
    ((80, 6), (20, 1)),
    ((6, 81), (1, 26)),
    ((96, 84), (31, 0)),
    ((84, 84), (41, 41)),
    ((81, 4, 6), (26, 1, 2)),
    ((4, 5, 96), (1, 2, 31)),
]


def places(shape: tuple[int, ...], highest: tuple[int, ...]) -> np.ndarray:
    """Whether a mode is kept, for all modes."""
    axes = [np.minimum(np.arange(n), n - np.arange(n)) <= k for n, k in zip(shape, highest, strict=True)]
    return np.logical_and.reduce(np.meshgrid(*axes, indexing="ij"))


@pytest.mark.parametrize(("shape", "highest"), CASES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.complex64, 1e-5), (np.complex128, 1e-13)])
def test_modes_and_points_are_those_of_whole_transforms(
    shape: tuple[int, ...], highest: tuple[int, ...], dtype: type, tolerance: float
) -> None:
    transforms, kept = PrunedTransforms((2, 3), shape, highest, np.dtype(dtype)), places(shape, highest)
    rng, axes = np.random.default_rng(0), tuple(range(-len(shape), 0))
    for _ in range(2):  # nothing is left over from the first time
        z = rng.standard_normal((2, 3, *shape)) + 1j * rng.standard_normal((2, 3, *shape))
        transforms.padded[..., kept] = z[..., kept]
        found = transforms.to_points()
        expected = np.fft.ifftn(np.where(kept, z, 0), axes=axes, norm="forward")
        scale = tolerance * abs(expected).max()
        np.testing.assert_allclose(found[..., 0] + 1j * found[..., 1], expected, rtol=0, atol=scale)

        transforms.values[..., 0], transforms.values[..., 1] = z.real, z.imag
        found, expected = transforms.to_modes(), np.fft.fftn(z, axes=axes)
        scale = tolerance * abs(expected).max()
        np.testing.assert_allclose(found[..., kept], expected[..., kept], rtol=0, atol=scale)
        assert np.isfinite(found).all()


@pytest.mark.parametrize(("shape", "highest"), CASES)
def test_rows_begin_those_that_the_arrays_have(shape: tuple[int, ...], highest: tuple[int, ...]) -> None:
    transforms = PrunedTransforms((2,), shape, highest, np.dtype(np.complex128))
    for rows, part in ((transforms.padded_rows, transforms.padded), (transforms.modes_rows, transforms.modes)):
        assert rows.flags.c_contiguous and rows.shape[:-1] == part.shape[:-1]
        part[...] = np.arange(part.size).reshape(part.shape)
        np.testing.assert_array_equal(rows[..., : shape[-1]], part)


def test_what_is_not_kept_is_put_to_no_use() -> None:
    """As many samples of plans as there are ways to be short or long, with and without modes that are kept."""
    for shape in product((4, 90), repeat=2):
        transforms = PrunedTransforms((), shape, (0, 0), np.dtype(complex))
        transforms.padded[0, 0] = 2.0
        np.testing.assert_allclose(transforms.to_points()[..., 0], 2.0, rtol=0, atol=1e-15)
        transforms.values[...] = 1.0
        np.testing.assert_allclose(transforms.to_modes()[0, 0], (1 + 1j) * np.prod(shape), rtol=1e-14)
