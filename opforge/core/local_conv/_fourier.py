"""Dense kernels through Fourier transforms of overlapping tiles: the ``fft`` back end.

Per tile and frequency f the correlation is Y_f = X_f conj(K_f), a small matrix product over the channels. Complex
numbers are two planes of reals beside the channels, so that one real product per frequency holds all four parts.
Kernels are transformed by matrix products with the few columns of the Fourier matrix that their taps meet: far
cheaper than a transform of each kernel filled up with zeros. Every step is a linear map with its adjoint or a matrix
product, hence derivatives of every order.
"""

from __future__ import annotations

import numpy as np
import torch

from opforge.core.kept import kept
from opforge.core.local_conv._extension import Halo, extend
from opforge.core.local_conv._geometry import Geometry
from opforge.core.local_conv._product import product
from opforge.core.local_conv._tile_spectra import analyse, synthesise
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
    spectrum = product(analyse(x, tiling), _kernel_spectrum(kernels, geometry, tiling))
    y = synthesise(spectrum, tiling, (len(x), kernels.shape[0], *geometry.dense_shape))
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


@kept(64)
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
    return torch.from_numpy(matrix).to(device=device, dtype=dtype)
