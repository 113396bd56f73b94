"""What the truncated transforms refuse."""

import numpy as np
import pytest
import torch

from opforge.core import irfftn_modes, mode_shape, resample, rfftn_modes, spectral_conv
from opforge.core._arguments import whole_numbers
from opforge.errors import InputError

X = torch.ones(2, 3, 16, 16)
WEIGHT = torch.zeros(*mode_shape((4, 4)), 3, 2, 2)


@pytest.mark.parametrize(
    "given", [(4, 4), [4, 4], np.array([4, 4]), (np.int64(4), torch.tensor(4)), torch.Size((4, 4))]
)
def test_whole_numbers_of_any_kind(given):
    assert whole_numbers("modes", given) == (4, 4)


def test_one_whole_number():
    assert whole_numbers("modes", 4) == whole_numbers("modes", np.int64(4)) == (4,)


@pytest.mark.parametrize("given", [4.0, (4.7, 4.2), "44", None, (4, "4"), [None]])
def test_other_things_are_named(given):
    with pytest.raises(InputError, match="modes must be a whole number or a sequence of them, got"):
        whole_numbers("modes", given)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spectral_conv(X, WEIGHT, (4.7, 4.2)), "modes must be a whole number"),
        (lambda: spectral_conv(X, WEIGHT, (4, 4), (32.9, 32)), "out_shape must be a whole number"),
        (lambda: rfftn_modes(X, 2.5), "modes must be a whole number"),
        (lambda: rfftn_modes(X[:0], (4,)), "x needs one size of at least 1"),
        (lambda: irfftn_modes(torch.ones(0, 4, 2), (9,)), "spectrum needs one size of at least 1"),
        (lambda: irfftn_modes(torch.ones(3, 4, 2), None), "shape must be a whole number"),
        (lambda: resample(np.arange(4), (4,)), "x must be .* float32 or float64, got an array of int64"),
        (lambda: resample(np.ones(4) + 0j, (4,)), "x must be .* float32 or float64, got an array of complex128"),
        (lambda: resample([1.0, 2.0], (2,)), "x must be a torch tensor or numpy array .* got list"),
        (lambda: resample(X.int(), (16, 16)), "x must be of float32 or float64"),
    ],
)
def test_bad_input_is_named_whatever_would_be_done_with_it(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize("given", [(), (3, -1)])
def test_modes_are_whole_numbers_from_zero_on(given):
    with pytest.raises(InputError, match="modes needs one whole number of at least 0 per axis of space"):
        mode_shape(given)
