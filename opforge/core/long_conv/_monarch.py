"""The ``monarch`` back end: transforms as products with small matrices, for GPUs."""

from __future__ import annotations

import torch

from opforge.core import monarch
from opforge.core.long_conv._problem import Problem


def why_not(problem: Problem) -> str:
    if problem.ndim > 1:
        return "it works along one axis"
    return monarch.why_not(length(problem))


def length(problem: Problem) -> int:
    """Points of the transforms."""
    (n,), (first,), (last,), (period,) = problem.points, problem.first, problem.last, problem.period
    if problem.periodic or problem.modes is not None:
        return period
    return monarch.good_length(n + max(-first, last, 0))


def conv(u: torch.Tensor, k: torch.Tensor, problem: Problem) -> torch.Tensor:
    """The convolution of u (batch, channels, points) with k (channels, taps)."""
    size = length(problem)
    kernel = k if problem.first == (0,) else problem.wrapped(k, (size,))
    modes = None if problem.modes is None else problem.modes[0]
    return monarch.conv(u, kernel, size, problem.points[0], keep_modes=modes)
