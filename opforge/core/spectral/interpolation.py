"""Band-limited interpolation along one axis as a product with a small real matrix.

A field of n points stands for the trigonometric polynomial Σ_|k|≤K X_k exp(2πikr) with K = (n − 1)//2, and for a cosine
of n/2 periods beside it if n is even. Its values on another grid are weighted sums of its values on its own, with the
weights (1/n) sin((2K + 1)πd)/sin(πd), the Dirichlet kernel, for two points d apart in units of the box. On a coarser
grid K is what that one carries.
"""

from __future__ import annotations

import torch

from opforge.core.choice.tracing import pi_on
from opforge.core.kept import kept
from opforge.core.spectral.gemm import along


def resampled(x: torch.Tensor, size: int, axis: int, offset: float) -> torch.Tensor:
    """`opforge.core.resample` of one axis of a real field to ``size`` points; no complex number appears.

    Args:
        x: any real tensor.
        size: points of the new grid.
        axis: which one, counted from the front.
        offset: how many spacings the first point of a grid lies from the corner of the box.

    Example:
        >>> resampled(torch.tensor([1.0, 0.0, -1.0, 0.0]), 8, 0, 0.0)[::2].round().abs().tolist()
        [1.0, 0.0, 1.0, 0.0]
    """
    return along(weights(x.shape[axis], size, offset, x.dtype, x.device), x, axis)


def weights(n: int, size: int, offset: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """(size, n): what the points of the old grid give to those of the new one."""
    if torch.compiler.is_compiling():
        return _made(n, size, offset, device).to(dtype)
    return _cached(n, size, offset, dtype, device)


@kept(64)
def _cached(n: int, size: int, offset: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    return _made(n, size, offset, device).to(dtype)


def _made(n: int, size: int, offset: float, device: torch.device) -> torch.Tensor:
    """In float64 and operations that can be traced: sizes may be symbols."""
    half = round(2 * offset)
    old, new = torch.arange(n, device=device), torch.arange(size, device=device)[:, None]
    # sizes as tensors: exporters know arithmetic of tensors better than that of symbols
    n_old, n_new = old[-1] + 1, new[-1] + 1
    turns = (2 * new + half) * n_old - (2 * old + half) * n_new  # how far apart points are; a box is 2 n_old n_new
    count = 2 * ((torch.minimum(n_old, n_new) - 1) // 2) + 1  # 2K + 1
    same = turns == 0
    above, below = _sine(turns * count, n_old * n_new), _sine(turns, n_old * n_new)
    kernel = torch.where(same, count, above / torch.where(same, 1, below))
    # cos(πn/2 (r − half/n)), where r is a new point
    cosine = _cosine((2 * new + half) * n_old - half * n_new, n_new)
    carried = (n_old % 2 == 0) & (n_new >= n_old)
    return (kernel + carried * cosine * (1 - 2 * (old % 2))) / n_old


def _sine(turns: torch.Tensor, half: torch.Tensor) -> torch.Tensor:
    """sin(π turns / (2 half)); the angle is reduced before it is rounded."""
    return torch.sin(torch.remainder(turns, 4 * half).double() * pi_on(half.device) / (2 * half))


def _cosine(turns: torch.Tensor, half: torch.Tensor) -> torch.Tensor:
    return torch.cos(torch.remainder(turns, 4 * half).double() * pi_on(half.device) / (2 * half))
