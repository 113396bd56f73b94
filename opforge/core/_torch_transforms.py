"""Full transforms of torch tensors; cosine and sine transforms as Fourier transforms of the periodic extension."""

from __future__ import annotations

import math

import torch

from opforge.core._trigonometric import INVERSE_TYPE, logical_size, singled_out


def fftn(x: torch.Tensor, axes: tuple[int, ...], norm: str, inverse: bool) -> torch.Tensor:
    return (torch.fft.ifftn if inverse else torch.fft.fftn)(x, dim=axes, norm=norm)


def rfftn(x: torch.Tensor, axes: tuple[int, ...], norm: str) -> torch.Tensor:
    return torch.fft.rfftn(x, dim=axes, norm=norm)


def irfftn(x: torch.Tensor, sizes: tuple[int, ...], axes: tuple[int, ...], norm: str) -> torch.Tensor:
    return torch.fft.irfftn(x, s=sizes, dim=axes, norm=norm)


def trigonometric(
    kind: str, x: torch.Tensor, type: int, axes: tuple[int, ...], norm: str, inverse: bool
) -> torch.Tensor:
    if inverse:
        type = INVERSE_TYPE[type]
    for axis in axes:
        x = _along_last(kind, x.movedim(axis, -1), type, norm, inverse).movedim(-1, axis)
    return x


def _along_last(kind: str, x: torch.Tensor, type: int, norm: str, inverse: bool) -> torch.Tensor:
    n = x.shape[-1]
    size = logical_size(kind, type, n)
    if norm == "ortho":
        x = x * _end_weights(kind, type, x, before=True)
    out = _COSINE[type](x) if kind == "cos" else _sine(x, type)
    if norm == "ortho":
        return out * _end_weights(kind, type, x, before=False) / math.sqrt(size)
    return out / size if (norm == "backward") == inverse else out


def _end_weights(kind: str, type: int, x: torch.Tensor, *, before: bool) -> torch.Tensor:
    weights = x.new_ones(x.shape[-1])
    for end, factor in singled_out(kind, type, before=before):
        weights[end] = factor
    return weights


def _phase(x: torch.Tensor, angle: float, shift: float = 0.0) -> torch.Tensor:
    """exp(i·angle·(j + shift)) for j = 0 … n − 1, in ``x``'s precision."""
    steps = torch.arange(x.shape[-1], dtype=torch.float64, device=x.device) + shift
    return torch.polar(torch.ones_like(steps), steps * angle).to(x.dtype.to_complex())


def _cosine1(x: torch.Tensor) -> torch.Tensor:
    return torch.fft.rfft(torch.cat([x, x[..., 1:-1].flip(-1)], -1)).real


def _cosine2(x: torch.Tensor) -> torch.Tensor:
    n = x.shape[-1]
    spectrum = torch.fft.rfft(torch.cat([x, x.flip(-1)], -1))[..., :n]
    return (spectrum * _phase(x, -math.pi / (2 * n))).real


def _cosine3(x: torch.Tensor) -> torch.Tensor:
    n = x.shape[-1]
    spectrum = torch.nn.functional.pad(x * _phase(x, math.pi / (2 * n)), (0, 1))
    return torch.fft.irfft(spectrum, n=2 * n, norm="forward")[..., :n]


def _cosine4(x: torch.Tensor) -> torch.Tensor:
    n = x.shape[-1]
    spectrum = torch.fft.fft(x * _phase(x, -math.pi / (2 * n)), n=2 * n)[..., :n]
    return 2 * (spectrum * _phase(x, -math.pi / (2 * n), 0.5)).real


_COSINE = {1: _cosine1, 2: _cosine2, 3: _cosine3, 4: _cosine4}


def _sine(x: torch.Tensor, type: int) -> torch.Tensor:
    if type == 1:
        zero = torch.zeros_like(x[..., :1])
        return -torch.fft.rfft(torch.cat([zero, x, zero, -x.flip(-1)], -1))[..., 1 : x.shape[-1] + 1].imag
    # sin(π(k+1)(2n+1)/2N) = (−1)ⁿ cos(π(N−1−k)(2n+1)/2N), and alike for types 3 and 4
    signs = x.new_ones(x.shape[-1])
    signs[1::2] = -1
    if type == 2:
        return _cosine2(x * signs).flip(-1)
    return _COSINE[type](x.flip(-1)) * signs
