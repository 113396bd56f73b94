"""The Fourier transform restricted to the kept modes, as small real matrices.

One axis of space with n points becomes 2(K + 1) real coefficients, those of the cosines k = 0 … K and then those of
the negative sines: exp(−iθ) = cos θ + i(−sin θ). All stages of a transform in several dimensions are then products
with such matrices, and `opforge.core.spectral.gemm` makes the complex modes from their coefficients at the end, when
there are few of them. Entries are computed in float64 with exactly reduced angles and rounded once.
"""

from __future__ import annotations

import numpy as np
import torch

from opforge.core.choice.tracing import pi_on
from opforge.core.kept import kept

POINT_OFFSETS = {"periodic": 0.0, "cells": 0.5}


def angles(n: int, modes: int, offset: float) -> np.ndarray:
    """2πk(j + offset)/n for k = 0 … modes (rows) and j = 0 … n − 1 (columns), reduced to one turn before rounding."""
    half_steps = np.arange(modes + 1)[:, None] * (2 * np.arange(n)[None, :] + round(2 * offset))
    return np.pi * (half_steps % (2 * n)) / n


def matrix(n: int, modes: int, offset: float, weights: str, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """(2·(K + 1), n): cosines, then negative sines, scaled for one axis of a transform.

    Args:
        n: points on the axis.
        modes: K, the highest kept mode.
        offset: how many spacings the first point lies from the corner of the box.
        weights: ``"analysis"``, all divided by n; ``"leading"``, not scaled; ``"last"``, doubled but for k = 0, as
            modes of a real field that stand for their conjugates too.
        dtype: of the result.
        device: of the result.
    """
    if torch.compiler.is_compiling():
        return _traced(n, modes, offset, weights, dtype, device)
    return _cached(n, modes, offset, weights, dtype, device)


@kept(512)
def _cached(n: int, modes: int, offset: float, weights: str, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    theta = angles(n, modes, offset)
    both = np.concatenate([np.cos(theta), -np.sin(theta)])
    if weights == "analysis":
        both /= n
    elif weights == "last":
        both[1 : modes + 1] *= 2
        both[modes + 1 :] *= 2
    return torch.from_numpy(both).to(device=device, dtype=dtype)


def _traced(n, modes: int, offset: float, weights: str, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """The same in torch operations, for a graph in which sizes may be symbols."""
    points = torch.arange(n, device=device)
    count = points[-1] + 1  # n as a tensor: exporters know arithmetic of tensors better than that of symbols
    steps = 2 * points + round(2 * offset)
    half_steps = torch.arange(modes + 1, device=device)[:, None] * steps[None, :]
    theta = torch.remainder(half_steps, 2 * count).to(torch.float64) * pi_on(device) / count
    both = torch.cat([torch.cos(theta), -torch.sin(theta)])
    if weights == "analysis":
        both = both / count
    elif weights == "last":
        single = torch.arange(2 * (modes + 1), device=device) == 0
        both = both * (2 - single.to(torch.float64))[:, None]
    return both.to(dtype)
