"""The ``direct`` back end: torch's depthwise convolution, for kernels of a few taps."""

from __future__ import annotations

import torch
from torch.nn.functional import conv1d, conv2d, conv3d, pad

from opforge.core.long_conv._problem import Problem

_CONVOLUTIONS = {1: conv1d, 2: conv2d, 3: conv3d}


def why_not(problem: Problem) -> str:
    if problem.ndim not in _CONVOLUTIONS:
        return "torch convolves along one to three axes"
    return "" if problem.modes is None else "a kernel of few modes is as long as the signal"


def conv(u: torch.Tensor, k: torch.Tensor, problem: Problem) -> torch.Tensor:
    """The convolution of u (batch, channels, *points) with k (channels, *taps)."""
    convolution = _CONVOLUTIONS[problem.ndim]
    weight = k.flip(tuple(range(1, k.ndim))).unsqueeze(1)
    before, after = problem.last, tuple(-lag for lag in problem.first)  # samples that the ends need
    if before == after and not problem.periodic:
        return convolution(u, weight, padding=before, groups=u.shape[1])
    beyond = [samples for ends in reversed(list(zip(before, after, strict=True))) for samples in ends]
    return convolution(pad(u, beyond, "circular" if problem.periodic else "constant"), weight, groups=u.shape[1])
