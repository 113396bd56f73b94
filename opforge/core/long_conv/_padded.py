"""The ``fft`` back end: torch.fft on signals padded with zeros until nothing comes round.

What the other back ends are measured against. Its derivatives are torch's.
"""

from __future__ import annotations

from functools import lru_cache

import torch

from opforge.core.long_conv._problem import Problem
from opforge.core.operation import Operation

_ODD_PARTS = (1, 3, 5, 7, 9, 15)


def good_length(n: int) -> int:
    """The least length from ``n`` on that is a power of two times 1, 3, 5, 7, 9 or 15."""
    return min(odd << max(0, (-(-n // odd) - 1).bit_length()) for odd in _ODD_PARTS)


@lru_cache(maxsize=4096)
def sizes(problem: Problem) -> tuple[int, ...]:
    """Points of the transform on each axis."""
    if problem.periodic or problem.modes is not None:
        return problem.period
    # the longest lag, forwards or backwards, brings nothing round onto a point that is asked for
    reach = (max(-first, last) for first, last in zip(problem.first, problem.last, strict=True))
    return tuple(good_length(n + lag) for n, lag in zip(problem.points, reach, strict=True))


def conv(u: torch.Tensor, k: torch.Tensor, problem: Problem) -> torch.Tensor:
    """The convolution of u (batch, channels, *points) with k (channels, *taps)."""
    lengths = sizes(problem) if not torch.compiler.is_compiling() else problem.period
    axes = tuple(range(-problem.ndim, 0))
    kernel = k if not any(problem.first) else problem.wrapped(k, lengths)
    spectrum = torch.fft.rfftn(kernel, s=lengths, dim=axes)
    if problem.modes is not None:
        spectrum = spectrum * _kept(spectrum.shape[1:], problem.modes, k)
    y = torch.fft.irfftn(torch.fft.rfftn(u, s=lengths, dim=axes) * spectrum, s=lengths, dim=axes)
    if problem.periodic:
        return y if torch.compiler.is_compiling() else _Contiguous.apply(y)
    for axis, n in zip(axes, problem.points, strict=True):
        y = y.narrow(axis, 0, n)
    return y


def _kept(counts: tuple[int, ...], modes: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    """1 where a half spectrum holds modes that are kept, 0 elsewhere."""
    kept = like.new_ones(())
    for axis, (count, most) in enumerate(zip(counts, modes, strict=True)):
        place = torch.arange(count, device=like.device)
        mode = place if axis == len(counts) - 1 else torch.minimum(place, count - place)
        kept = kept[..., None] * (mode <= most)
    return kept


class _Contiguous(Operation):
    """The same; MKL's FFT refuses gradients with strides of 0, such as `sum` has."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        pass

    @staticmethod
    def backward(ctx, *gradients):
        return gradients[0].contiguous()

    @staticmethod
    def jvp(ctx, *tangents):
        return tangents[0].view_as(tangents[0])
