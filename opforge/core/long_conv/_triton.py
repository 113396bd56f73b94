"""The ``triton`` back end: a whole signal in one kernel, for GPUs."""

from __future__ import annotations

import torch

from opforge.core.long_conv._problem import Problem
from opforge.core.triton_kernels import long_convolution


def why_not(problem: Problem, dtype: torch.dtype, device: str) -> str:
    if problem.ndim > 1:
        return "it works along one axis"
    if problem.modes is not None:
        return "it cuts no spectrum"
    (n,), (taps,), (first,) = problem.points, problem.taps, problem.first
    if problem.periodic:
        return long_convolution.why_not(n, n if first else taps, n, dtype, device)
    return long_convolution.why_not(n, taps, n + max(taps - 1, -first, 0), dtype, device)


def conv(u: torch.Tensor, k: torch.Tensor, problem: Problem) -> torch.Tensor:
    """The convolution of u (batch, channels, points) with k (channels, taps)."""
    (n,), (first,) = problem.points, problem.first
    if problem.periodic:
        return long_convolution.long_conv(u, problem.wrapped(k, (n,)) if first else k, n)
    return long_convolution.lagged_conv(u, k, first)
