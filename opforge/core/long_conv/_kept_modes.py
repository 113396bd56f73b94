"""Kernels of few modes: the ``gemm`` back end, which computes no others.

With L the period, θ = 2π/L, V_κ = Σ_n v[n] exp(−iθκn) and K_κ likewise, y[n] = (1/L) Σ_|κ|≤modes K_κ V_κ exp(iθκn).
Both sums are products with small real matrices; places where a signal is zero for certain, and those where no result
is asked for, are left out of them. Complex numbers are pairs of reals, and no complex tensor appears: the pair's axis
comes right before the modes, and a matrix takes it with the axis that it transforms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from opforge.core.choice.tracing import pi_on
from opforge.core.kept import kept
from opforge.core.long_conv._problem import Problem

_LARGEST = 2**24  # numbers in a matrix


def why_not(problem: Problem) -> str:
    if problem.modes is None:
        return "it needs keep_modes"
    sizes = zip(problem.modes, problem.points, strict=True)
    if max(2 * (k + 1) * n for k, n in sizes) > _LARGEST:
        return "its matrices would be too large"
    return ""


def conv(u: torch.Tensor, k: torch.Tensor, problem: Problem) -> torch.Tensor:
    """The convolution of u (batch, channels, *points) with k (channels, *taps), by the kept modes alone."""
    u_real, u_imaginary = _analysed(u, problem, (0,) * problem.ndim).unbind(2)
    k_real, k_imaginary = _analysed(k[None], problem, problem.first).unbind(2)
    real, imaginary = u_real * k_real - u_imaginary * k_imaginary, u_real * k_imaginary + u_imaginary * k_real
    return _synthesised(torch.stack([real, imaginary], 2), problem)


def _analysed(x: torch.Tensor, problem: Problem, first: Sequence[int]) -> torch.Tensor:
    """(batch, channels, *places) to (batch, channels, 2, *modes): −K…K on leading axes, 0…K on the last.

    ``first`` is where the first place stands in the period.
    """
    axis = x.ndim - 1
    for last, modes, start, period in _axes(problem.modes, first, problem.period, backwards=True):
        make = _to_modes if last else _to_modes_leading
        matrix = _made(make, x.shape[axis], start, modes, period, x.dtype, x.device)
        x = _along(matrix, x, axis, axis + (1 if last else 2)).unflatten(axis, (2, -1))
        axis -= 1
    return x


def _synthesised(x: torch.Tensor, problem: Problem) -> torch.Tensor:
    """(batch, channels, 2, *modes) to (batch, channels, *points)."""
    axis = 2
    for last, modes, n, period in _axes(problem.modes, problem.points, problem.period):
        make = _from_modes if last else _from_modes_leading
        x = _along(_made(make, n, modes, period, x.dtype, x.device), x, axis, axis + 2)
        x = x if last else x.unflatten(axis, (n, 2))
        axis += 1
    return x


def _axes(modes, counts, periods, *, backwards: bool = False) -> list[tuple[bool, int, int, int]]:
    """For each axis whether it is the last, its modes, count and period."""
    last = [False] * (len(periods) - 1) + [True]
    found = list(zip(last, modes, counts, periods, strict=True))
    return found[::-1] if backwards else found


def _along(matrix: torch.Tensor, x: torch.Tensor, start: int, stop: int) -> torch.Tensor:
    """Apply ``matrix`` (m, n) to the axes start … stop − 1 of ``x``, which have n entries together and become one."""
    before, after = math.prod(x.shape[:start]), math.prod(x.shape[stop:])
    shape = (*x.shape[:start], matrix.shape[0], *x.shape[stop:])
    if after == 1:
        return (x.reshape(before, -1) @ matrix.T).reshape(shape)
    # An explicit bmm: torch.matmul would fold the batch into the columns, which copies x.
    return torch.bmm(matrix.expand(before, *matrix.shape), x.reshape(before, -1, after)).reshape(shape)


def _made(make: Any, *arguments: Any) -> torch.Tensor:
    """A matrix; while torch traces it becomes a part of the graph."""
    return make.__wrapped__(*arguments) if torch.compiler.is_compiling() else make(*arguments)


def _waves(lowest: int, modes: int, first: int, n: int, period: int, device: torch.device) -> torch.Tensor:
    """(2, modes − lowest + 1, n): cosines and sines of 2πκj/L, the angles reduced exactly before they are rounded."""
    mode = torch.arange(lowest, modes + 1, device=device)[:, None]
    turn = mode * torch.arange(first, first + n, device=device) % period
    angle = turn.double() * (2 * pi_on(device) / period)
    return torch.stack([angle.cos(), angle.sin()])


@kept(16)
def _to_modes(n: int, first: int, modes: int, period: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """(2(K + 1), n): a real signal to the real and then the imaginary parts of its modes 0 … K."""
    cosine, sine = _waves(0, modes, first, n, period, device)
    return torch.cat([cosine, -sine]).to(dtype)


@kept(16)
def _from_modes(n: int, modes: int, period: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """(n, 2(K + 1)): back, modes −K … −1 being the conjugates of 1 … K; with the factor 1/L of this axis."""
    waves = _waves(0, modes, 0, n, period, device) / period
    waves[:, 1:] *= 2
    return torch.cat([waves[0], -waves[1]]).T.contiguous().to(dtype)


@kept(16)
def _to_modes_leading(
    n: int, first: int, modes: int, period: int, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """(2(2K + 1), n·2): a complex signal to its modes −K … K."""
    cosine, sine = _waves(-modes, modes, first, n, period, device)
    return _complex_product(cosine, -sine).to(dtype)


@kept(16)
def _from_modes_leading(n: int, modes: int, period: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """(n·2, 2(2K + 1)): back, with the factor 1/L of this axis."""
    cosine, sine = _waves(-modes, modes, 0, n, period, device) / period
    return _complex_product(cosine, -sine).T.contiguous().to(dtype)


def _complex_product(real: torch.Tensor, imaginary: torch.Tensor) -> torch.Tensor:
    """Multiplication with (m, n) complex numbers as a real matrix (2·m, n·2); its transpose conjugates."""
    to_real, to_imaginary = torch.stack([real, -imaginary], -1), torch.stack([imaginary, real], -1)
    return torch.cat([to_real, to_imaginary]).flatten(1)
