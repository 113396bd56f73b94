"""Dense kernels through Fourier transforms of overlapping tiles: the ``fft`` back end.

Per tile and frequency f the correlation is Y_f = X_f conj(K_f), a small matrix product over the channels. Complex
numbers are two planes of reals beside the channels, so that one real product per frequency holds all four parts.
Kernels are transformed by matrix products with the few columns of the Fourier matrix that their taps meet: far
cheaper than a transform of each kernel filled up with zeros. Every step is a linear map with its adjoint or a matrix
product, hence derivatives of every order.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache, partial

import numpy as np
import torch

from opforge.core.local_conv._adjoint import linear
from opforge.core.local_conv._extension import Halo, extend
from opforge.core.local_conv._geometry import Geometry
from opforge.core.local_conv._product import product
from opforge.core.local_conv._tiling import Tiling


def convolve(
    x: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor | None, geometry: Geometry, tiling: Tiling
) -> torch.Tensor:
    """See `opforge.core.conv_nd`; the arguments have been checked."""
    d = x.ndim - 2
    halos = [
        Halo(geometry.shape[a], geometry.left[a], geometry.right[a], geometry.padding[a], tiling.tail[a])
        for a in range(d)
        if not tiling.circular[a]
    ]
    axes = [a + 2 for a in range(d) if not tiling.circular[a]]
    if any(h.total > h.size for h in halos):
        x = extend(x, halos, axes, tuple(range(d + 2)))
    spectrum = linear(x, partial(_analyse, tiling=tiling), partial(_analyse_adjoint, tiling=tiling))
    mixed = product(spectrum, _kernel_spectrum(kernels, geometry, tiling))
    outputs = len(x), kernels.shape[0]
    y = linear(
        mixed,
        partial(_synthesise, tiling=tiling, shape=geometry.dense_shape, outputs=outputs),
        partial(_synthesise_adjoint, tiling=tiling),
    )
    if any(s > 1 for s in geometry.stride):
        y = y[(..., *(slice(None, None, s) for s in geometry.stride))]
    return y if bias is None else y + bias.reshape(-1, *[1] * d)


def _kernel_spectrum(kernels: torch.Tensor, geometry: Geometry, tiling: Tiling) -> torch.Tensor:
    """(out, in, *taps) to (F, 2, out, in)."""
    d = len(geometry.taps)
    values = kernels.movedim((0, 1), (-2, -1)).reshape(1, geometry.taps[0], -1)
    for axis in range(d):
        matrix = _kernel_matrix(
            tiling.sizes[axis],
            geometry.taps[axis],
            geometry.dilation[axis],
            -geometry.left[axis] if tiling.circular[axis] else 0,
            axis == 0,
            axis == d - 1,
            kernels.dtype,
            kernels.device,
        )
        values = torch.bmm(matrix.expand(len(values), *matrix.shape), values)
        if axis < d - 1:
            values = values.reshape(len(values) * tiling.sizes[axis], 2 * geometry.taps[axis + 1], -1)
    return values.reshape(-1, 2, *kernels.shape[:2])


@lru_cache(maxsize=256)
def _kernel_matrix(
    size: int,
    taps: int,
    dilation: int,
    offset: int,
    first: bool,
    last: bool,
    dtype: torch.dtype,
    device: torch.device,
) -> torch.Tensor:
    """exp(−2πi f·(dilation·t + offset)/size) as a real matrix: rows (f, part), columns t on the first axis, else
    (part, t); half of the frequencies on the last axis."""
    f = np.arange(size // 2 + 1 if last else size)[:, None]
    angle = 2 * np.pi * (f * (dilation * np.arange(taps) + offset) % size) / size
    cosine, sine = np.cos(angle), -np.sin(angle)
    if first:
        matrix = np.stack([cosine, sine], 1).reshape(-1, taps)
    else:
        matrix = np.stack([np.stack([cosine, -sine], 1), np.stack([sine, cosine], 1)], 1).reshape(-1, 2 * taps)
    # A matrix first needed under inference_mode must still be usable for training afterwards.
    with torch.inference_mode(False):
        return torch.from_numpy(matrix).to(device=device, dtype=dtype)


# --- tiles and their spectra ---------------------------------------------------------------------------------------
#
# Tiles are (batch, *counts, channels, *sizes); M = batch·counts together. Spectra are (F, 2, M, channels).


def _analyse(x: torch.Tensor, tiling: Tiling) -> torch.Tensor:
    """Overlapping tiles of ``x``, transformed."""
    d, channels = len(tiling.sizes), x.shape[1]
    tiles = x
    for axis in range(d):
        tiles = tiles.unfold(2 + axis, tiling.sizes[axis], tiling.steps[axis])
    # contiguous, because MKL's transforms fail on the strides of expanded tensors
    tiles = tiles.movedim(1, d + 1).reshape(-1, channels, *tiling.sizes).contiguous()
    return _planes(torch.fft.rfftn(tiles, dim=_last(d)))


def _analyse_adjoint(g: torch.Tensor, tiling: Tiling) -> torch.Tensor:
    """Back to real tiles, which are added where they overlap."""
    d, (rows, channels) = len(tiling.sizes), g.shape[2:]
    spectrum = _complex(g, tiling)
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


def _synthesise(planes: torch.Tensor, tiling: Tiling, shape: tuple[int, ...], outputs: tuple[int, int]) -> torch.Tensor:
    """The field of ``shape`` from the valid parts of the tiles with these spectra."""
    d = len(shape)
    tiles = torch.fft.irfftn(_complex(planes, tiling), s=tiling.sizes, dim=_last(d))
    tiles = tiles[(..., *(slice(0, v) for v in tiling.steps))]
    batch, channels = outputs
    tiles = tiles.reshape(batch, *tiling.counts, channels, *tiling.steps)
    order = [0, d + 1, *itertools.chain(*((1 + a, d + 2 + a) for a in range(d)))]
    whole = tiles.permute(order).reshape(
        batch, channels, *(c * v for c, v in zip(tiling.counts, tiling.steps, strict=True))
    )
    return whole[(..., *(slice(0, n) for n in shape))].contiguous()


def _synthesise_adjoint(g: torch.Tensor, tiling: Tiling) -> torch.Tensor:
    d, (batch, channels), shape = len(tiling.sizes), g.shape[:2], g.shape[2:]
    filled = tuple(c * v for c, v in zip(tiling.counts, tiling.steps, strict=True))
    if filled != tuple(shape):
        g = torch.nn.functional.pad(g, [p for n, m in zip(shape[::-1], filled[::-1], strict=True) for p in (0, m - n)])
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
