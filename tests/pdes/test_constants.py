"""Constants are brought to a device and a precision once, and mean the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from opforge.pdes._constants import Constant, ModeMatrix


@pytest.mark.parametrize("values", [np.array([1 / 3, 2.0]), np.array([1j / 3, 2.0])], ids=["real", "complex"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, torch.complex128])
def test_precision_follows_the_tensor_and_kind_the_values(values: np.ndarray, dtype: torch.dtype) -> None:
    constant, x = Constant(values), torch.ones(2, dtype=dtype)
    found = constant.like(x)
    assert found.is_complex() == np.iscomplexobj(values)
    assert found.real.dtype == x.real.dtype
    torch.testing.assert_close(found, torch.from_numpy(values).to(found.dtype), rtol=0, atol=0)
    assert constant.like(2 * x) is found
    assert constant.like(x.numpy()).dtype == found.numpy().dtype


def test_precisions_are_kept_apart() -> None:
    constant = Constant(np.array([1 / 3]))
    single, double = constant.like(torch.ones(1)), constant.like(torch.ones(1, dtype=torch.float64))
    assert single.dtype == torch.float32 and double.item() == 1 / 3


@pytest.mark.parametrize("as_torch", [False, True])
def test_a_matrix_at_every_mode(as_torch: bool) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(3, 2, 4, 5)) + 1j * rng.normal(size=(3, 2, 4, 5))
    matrix[1] = 0  # a row without entries
    matrix[2, 0] = 0
    x = rng.normal(size=(6, 2, 4, 5)) + 0j
    found = ModeMatrix(matrix)(torch.from_numpy(x) if as_torch else x)
    np.testing.assert_allclose(np.asarray(found), np.einsum("rcxy,scxy->srxy", matrix, x), rtol=1e-14, atol=1e-14)
