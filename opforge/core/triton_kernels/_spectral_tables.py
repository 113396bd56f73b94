"""Cosines and sines that the truncated transforms multiply by, laid out and padded for the kernels' blocks.

One table serves a transform and its transpose, so that each is exactly the other's gradient.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from opforge.core.kept import made_to_last
from opforge.core.spectral.fourier_matrices import angles


@lru_cache(maxsize=256)
def last_axis(
    n: int, modes: int, offset: float, mean: bool, padded: int, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """(n, padded, 2): cos and −sin of 2πk(j + offset)/n, times 1/n or, for sums over modes and conjugates, 1 or 2."""
    theta = angles(n, modes, offset)
    weight = np.full(modes + 1, 1 / n) if mean else np.where(np.arange(modes + 1) == 0, 1.0, 2.0)
    table = np.stack([np.cos(theta), -np.sin(theta)], -1) * weight[:, None, None]
    return _padded(table.transpose(1, 0, 2), (n, padded, 2), dtype, device)


@lru_cache(maxsize=256)
def leading_axis(
    n: int, modes: int, offset: float, mean: bool, padded: int, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """(padded, 2, n): cos and sin of 2πk(j + offset)/n for k = 0 … modes, times 1/n or 1."""
    theta = angles(n, modes, offset)
    table = np.stack([np.cos(theta), np.sin(theta)], 1) * (1 / n if mean else 1.0)
    return _padded(table, (padded, 2, n), dtype, device)


@lru_cache(maxsize=256)
def whole_axis(n: int, modes: int, offset: float, mean: bool, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """(2·modes + 1, n, 2): exp(−2πik(j + offset)/n) for k = −modes … modes, times 1/n or 1."""
    theta = angles(n, modes, offset)
    theta = np.concatenate([-theta[:0:-1], theta])
    table = np.stack([np.cos(theta), -np.sin(theta)], -1) * (1 / n if mean else 1.0)
    return _padded(table, table.shape, dtype, device)


def _padded(table: np.ndarray, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    whole = np.zeros(shape)
    whole[tuple(slice(n) for n in table.shape)] = table
    with made_to_last():
        return torch.from_numpy(whole).to(device=device, dtype=dtype)
