"""The Fourier transform restricted to the kept modes, as small real matrices.

Leading axes use the real basis cos 0 … cos K, sin 1 … sin K; the last axis uses the pairs (Re, Im) of modes 0 … K.
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
def analysis_real(n: int, modes: int, offset: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """(2·modes + 1, n): mean of x against cos 0 … cos K, sin 1 … sin K."""
    theta = angles(n, modes, offset)
    return _tensor(np.concatenate([np.cos(theta), np.sin(theta[1:])]) / n, dtype, device)


@lru_cache(maxsize=256)
def synthesis_real(n: int, modes: int, offset: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """(n, 2·modes + 1): values of cos 0 … cos K, sin 1 … sin K."""
    theta = angles(n, modes, offset)
    return _tensor(np.concatenate([np.cos(theta), np.sin(theta[1:])]).T, dtype, device)


@lru_cache(maxsize=256)
def analysis_pairs(n: int, modes: int, offset: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """(2·(modes + 1), n): real parts, then imaginary parts, of the modes 0 … K of a real signal."""
    theta = angles(n, modes, offset)
    return _tensor(np.concatenate([np.cos(theta), -np.sin(theta)]) / n, dtype, device)


@lru_cache(maxsize=256)
def synthesis_pairs(n: int, modes: int, offset: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """(n, 2·(modes + 1)): the real signal that has these real and imaginary parts at modes ±0 … ±K.

    Modes above n's own resolution may be asked for: the signal is then merely sampled at these points.
    """
    theta = angles(n, modes, offset)
    twice = np.where(np.arange(modes + 1) == 0, 1.0, 2.0)[:, None]
    return _tensor(np.concatenate([twice * np.cos(theta), -twice * np.sin(theta)]).T, dtype, device)
