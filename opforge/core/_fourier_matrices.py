"""The Fourier transform restricted to the kept modes, as small real matrices.

Complex numbers are pairs of reals. Where the pair's axis stands is chosen so that no transform needs a copy: a matrix
takes it right after the axis that it transforms and leaves it right before, where the next leading axis finds it.
Entries are computed in float64 with exactly reduced angles and rounded once.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

POINT_OFFSETS = {"periodic": 0.0, "cells": 0.5}


def angles(n: int, modes: int, offset: float) -> np.ndarray:
    """2πk(j + offset)/n for k = 0 … modes (rows) and j = 0 … n − 1 (columns), reduced to one turn before rounding."""
    half_steps = np.arange(modes + 1)[:, None] * (2 * np.arange(n)[None, :] + round(2 * offset))
    return np.pi * (half_steps % (2 * n)) / n


def _tensor(matrix: np.ndarray, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    # A matrix first needed under inference_mode must still be usable for training afterwards.
    with torch.inference_mode(False):
        return torch.from_numpy(np.ascontiguousarray(matrix)).to(device=device, dtype=dtype)


@lru_cache(maxsize=256)
def analysis_last(n: int, modes: int, offset: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """(2·(K + 1), n): a real signal to its modes 0 … K, real parts first."""
    theta = angles(n, modes, offset)
    return _tensor(np.concatenate([np.cos(theta), -np.sin(theta)]) / n, dtype, device)


@lru_cache(maxsize=256)
def synthesis_last(n: int, modes: int, offset: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """(n, 2·(K + 1)): modes 0 … K, real parts first, to the real signal that has them and their conjugates."""
    theta = angles(n, modes, offset)
    twice = np.where(np.arange(modes + 1) == 0, 1.0, 2.0)[:, None]
    return _tensor(np.concatenate([twice * np.cos(theta), -twice * np.sin(theta)]).T, dtype, device)


@lru_cache(maxsize=256)
def analysis_leading(n: int, modes: int, offset: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """(2·(2K + 1), n·2): complex values, parts last, to their modes −K … K, real parts first."""
    return _tensor(_leading(n, modes, offset).T / n, dtype, device)


@lru_cache(maxsize=256)
def synthesis_leading(n: int, modes: int, offset: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """(n·2, 2·(2K + 1)): modes −K … K, real parts first, to complex values, parts last."""
    return _tensor(_leading(n, modes, offset), dtype, device)


def _leading(n: int, modes: int, offset: float) -> np.ndarray:
    """Multiplication by exp(2πik(j + offset)/n), k = −K … K, as a real matrix; its transpose conjugates."""
    theta = angles(n, modes, offset)
    cosine = np.concatenate([np.cos(theta[:0:-1]), np.cos(theta)]).T
    sine = np.concatenate([-np.sin(theta[:0:-1]), np.sin(theta)]).T
    to_real, to_imaginary = np.stack([cosine, -sine], 1), np.stack([sine, cosine], 1)  # (n, 2, 2K + 1) each
    return np.stack([to_real, to_imaginary], 1).reshape(2 * n, -1)
