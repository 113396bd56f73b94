"""What people write with plain `torch.fft`: the truncated spectral convolution and the padded long convolution.

Three ways to mix the channels of a truncated transform. The first two transform everything, take the corners of the
spectrum that hold the kept modes, and fill a spectrum of zeros; the third drops modes after each axis, which saves most
of the transforms of the leading axes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

Corner = tuple[tuple[slice, ...], tuple[slice, ...]]


def corners(modes: Sequence[int], grid: Sequence[int]) -> list[Corner]:
    """The corners of a spectrum that hold modes −K…K (0…K on the last axis), each with its place among the weights.

    Example:
        >>> [place for place, _ in corners((2, 3), (8, 8))]
        [(slice(0, 3, None), slice(0, 4, None)), (slice(6, 8, None), slice(0, 4, None))]
    """
    last = (slice(0, modes[-1] + 1), slice(0, modes[-1] + 1))
    halves = [
        [(slice(0, k + 1), slice(k, 2 * k + 1))] + ([(slice(n - k, n), slice(0, k))] if k else [])
        for k, n in zip(modes[:-1], grid[:-1], strict=True)
    ]
    found = []
    for chosen in itertools.product(*halves):
        places, weights = zip(*chosen, last, strict=True)
        found.append((places, weights))
    return found


def einsum_weight(weight: Tensor) -> Tensor:
    """opforge's real (*modes, in, out, 2) as the complex (in, out, *modes) of the FNO's authors."""
    return torch.view_as_complex(weight).movedim((-2, -1), (0, 1)).contiguous()


def bmm_weight(weight: Tensor) -> Tensor:
    """opforge's real (*modes, in, out, 2) as a complex matrix (in, out) for each mode."""
    return torch.view_as_complex(weight).contiguous()


def spectral_einsum(x: Tensor, weight: Tensor, bias: Tensor, modes: Sequence[int], *, late: bool = False) -> Tensor:
    """Corner by corner, one einsum each; ``weight`` is (in, out, *modes), complex.

    ``late`` gives what neuraloperator 2.0 computes: on leading axes with an odd number of points it puts mode k where
    k − 1 belongs, because it undoes `fftshift` by another `fftshift`, which does so for even sizes only.
    """
    space, dim = x.shape[2:], tuple(range(2, x.ndim))
    spectrum = torch.fft.rfftn(x, dim=dim, norm="forward")
    out = spectrum.new_zeros(x.shape[0], weight.shape[1], *spectrum.shape[2:])
    for place, kept in corners(modes, space):
        out[(..., *place)] = torch.einsum("bi...,io...->bo...", spectrum[(..., *place)], weight[(..., *kept)])
    odd = [axis for axis in dim[:-1] if x.shape[axis] % 2] if late else []
    if odd:
        out = torch.roll(out, [-1] * len(odd), odd)
    return torch.fft.irfftn(out, s=space, dim=dim, norm="forward") + bias.view(-1, *(1,) * len(space))


def spectral_bmm(x: Tensor, weight: Tensor, bias: Tensor, modes: Sequence[int]) -> Tensor:
    """All corners gathered, one batched product over the modes; ``weight`` is (*modes, in, out), complex."""
    space, dim = x.shape[2:], tuple(range(2, x.ndim))
    spectrum = torch.fft.rfftn(x, dim=dim, norm="forward")
    kept = spectrum[..., : modes[-1] + 1]
    for axis, k in zip(dim[:-1], modes[:-1], strict=True):
        kept = torch.cat([kept.narrow(axis, kept.shape[axis] - k, k), kept.narrow(axis, 0, k + 1)], dim=axis)
    mixed = _mixed(kept, weight)
    out = mixed.new_zeros(*mixed.shape[:2], *spectrum.shape[2:])
    for place, where in corners(modes, space):
        out[(..., *place)] = mixed[(..., *where)]
    return torch.fft.irfftn(out, s=space, dim=dim, norm="forward") + bias.view(-1, *(1,) * len(space))


def spectral_by_axis(x: Tensor, weight: Tensor, bias: Tensor, modes: Sequence[int]) -> Tensor:
    """Modes dropped after each axis and filled in before each; ``weight`` is (*modes, in, out), complex."""
    space, dim = x.shape[2:], tuple(range(2, x.ndim))
    kept = torch.fft.rfft(x, norm="forward")[..., : modes[-1] + 1]
    for axis, k in zip(dim[:-1], modes[:-1], strict=True):
        kept = torch.fft.fft(kept, dim=axis, norm="forward")
        kept = torch.cat([kept.narrow(axis, kept.shape[axis] - k, k), kept.narrow(axis, 0, k + 1)], dim=axis)
    mixed = _mixed(kept, weight)
    for axis, k, n in zip(dim[:-1], modes[:-1], space[:-1], strict=True):
        hole = mixed.new_zeros([n - 2 * k - 1 if a == axis else size for a, size in enumerate(mixed.shape)])
        mixed = torch.cat([mixed.narrow(axis, k, k + 1), hole, mixed.narrow(axis, 0, k)], dim=axis)
        mixed = torch.fft.ifft(mixed, dim=axis, norm="forward")
    return torch.fft.irfft(mixed, n=space[-1], norm="forward") + bias.view(-1, *(1,) * len(space))


def _mixed(kept: Tensor, weight: Tensor) -> Tensor:
    """A product of matrices for each mode: (batch, in, *modes) and (*modes, in, out) -> (batch, out, *modes)."""
    modes, batch = kept.shape[2:], kept.shape[0]
    columns = kept.flatten(2).permute(2, 0, 1)
    product = torch.bmm(columns, weight.reshape(math.prod(modes), *weight.shape[-2:]))
    return product.permute(1, 2, 0).reshape(batch, weight.shape[-1], *modes)


def padded_convolution(u: Tensor, k: Tensor, size: int, kept: int | None = None) -> Tensor:
    """The causal convolution along the last axis by transforms of ``size`` points; modes from ``kept`` on dropped."""
    product = torch.fft.rfft(u, n=size)[..., :kept] * torch.fft.rfft(k, n=size)[..., :kept]
    return torch.fft.irfft(product, n=size)[..., : u.shape[-1]]
