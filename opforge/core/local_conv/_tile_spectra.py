"""The spectra of a field's tiles, and fields from such spectra; both linear, each with its adjoint.

Tiles are (batch, *counts, channels, *sizes); M = batch·counts together. Spectra are (F, 2, M, channels), their axis of
size 2 holding real and imaginary parts.
"""

from __future__ import annotations

import itertools
import math
from functools import partial

import torch
from torch.nn import functional

from opforge.core.local_conv._adjoint import linear
from opforge.core.local_conv._tiling import Tiling


def analyse(x: torch.Tensor, tiling: Tiling) -> torch.Tensor:
    """The spectra of the overlapping tiles of ``x``, which has been extended as the tiling asks for."""
    return linear(x, partial(_analyse, tiling=tiling), partial(_analyse_adjoint, tiling=tiling))


def synthesise(spectra: torch.Tensor, tiling: Tiling, shape: tuple[int, ...]) -> torch.Tensor:
    """The field of ``shape`` (batch, channels, *space) from the valid parts of the tiles with these spectra."""
    return linear(
        spectra, partial(_synthesise, tiling=tiling, shape=shape), partial(_synthesise_adjoint, tiling=tiling)
    )


def _analyse(x: torch.Tensor, tiling: Tiling) -> torch.Tensor:
    d, channels = len(tiling.sizes), x.shape[1]
    tiles = x
    for axis in range(d):
        tiles = tiles.unfold(2 + axis, tiling.sizes[axis], tiling.steps[axis])
    # contiguous, because MKL's transforms fail on the strides of expanded tensors
    tiles = tiles.movedim(1, d + 1).reshape(-1, channels, *tiling.sizes).contiguous()
    return _planes(torch.fft.rfftn(tiles, dim=_last(d)))


def _analyse_adjoint(g: torch.Tensor, tiling: Tiling) -> torch.Tensor:
    d, (rows, channels) = len(tiling.sizes), g.shape[2:]
    spectrum = _complex(g, tiling)
    # The inverse transform takes the inner frequencies twice, for their conjugates too; the adjoint takes them once.
    spectrum[..., 1 : (tiling.sizes[-1] + 1) // 2] *= 0.5
    tiles = torch.fft.irfftn(spectrum, s=tiling.sizes, dim=_last(d), norm="forward")
    batch = rows // math.prod(tiling.counts)
    if math.prod(tiling.counts) == 1:
        return tiles
    tiles = tiles.reshape(batch, *tiling.counts, channels, *tiling.sizes).movedim(d + 1, 1)
    x = tiles.new_zeros((batch, channels, *tiling.extended))
    # Tiles that are two apart do not overlap: 2^d groups, each added at once.
    for group in itertools.product(*(range(min(2, c)) for c in tiling.counts)):
        part = tiles[(slice(None), slice(None), *(slice(a, None, 2) for a in group))]
        view = x
        for axis, a in enumerate(group):
            step, size, count = tiling.steps[axis], tiling.sizes[axis], part.shape[2 + axis]
            view = view.narrow(2 + axis, a * step, 2 * step * (count - 1) + size).unfold(2 + axis, size, 2 * step)
        view.add_(part)
    return x


def _synthesise(planes: torch.Tensor, tiling: Tiling, shape: tuple[int, ...]) -> torch.Tensor:
    d, (batch, channels), space = len(tiling.sizes), shape[:2], shape[2:]
    tiles = torch.fft.irfftn(_complex(planes, tiling), s=tiling.sizes, dim=_last(d))
    tiles = tiles[(..., *(slice(0, v) for v in tiling.steps))]
    tiles = tiles.reshape(batch, *tiling.counts, channels, *tiling.steps)
    tiles = tiles.permute(0, d + 1, *itertools.chain(*((1 + a, d + 2 + a) for a in range(d))))
    whole = tiles.reshape(batch, channels, *(c * v for c, v in zip(tiling.counts, tiling.steps, strict=True)))
    return whole[(..., *(slice(0, n) for n in space))].contiguous()


def _synthesise_adjoint(g: torch.Tensor, tiling: Tiling) -> torch.Tensor:
    d, (batch, channels), shape = len(tiling.sizes), g.shape[:2], g.shape[2:]
    filled = tuple(c * v for c, v in zip(tiling.counts, tiling.steps, strict=True))
    if filled != tuple(shape):
        g = functional.pad(g, [p for n, m in zip(shape[::-1], filled[::-1], strict=True) for p in (0, m - n)])
    tiles = g.reshape(batch, channels, *itertools.chain(*zip(tiling.counts, tiling.steps, strict=True)))
    tiles = tiles.permute(0, *range(2, 2 * d + 2, 2), 1, *range(3, 2 * d + 2, 2))
    tiles = tiles.reshape(-1, channels, *tiling.steps).contiguous()
    spectrum = torch.fft.rfftn(tiles, s=tiling.sizes, dim=_last(d), norm="forward")
    spectrum[..., 1 : (tiling.sizes[-1] + 1) // 2] *= 2.0
    return _planes(spectrum)


def _planes(spectrum: torch.Tensor) -> torch.Tensor:
    """(M, channels, *f) complex to (F, 2, M, channels)."""
    rows, channels = spectrum.shape[:2]
    return torch.view_as_real(spectrum).reshape(rows * channels, -1).t().contiguous().reshape(-1, 2, rows, channels)


def _complex(planes: torch.Tensor, tiling: Tiling) -> torch.Tensor:
    """The inverse of `_planes`, in new memory."""
    rows, channels = planes.shape[2:]
    flat = planes.reshape(-1, rows * channels).t().clone(memory_format=torch.contiguous_format)
    return torch.view_as_complex(flat.reshape(rows, channels, *tiling.sizes[:-1], tiling.sizes[-1] // 2 + 1, 2))


def _last(d: int) -> tuple[int, ...]:
    return tuple(range(-d, 0))
