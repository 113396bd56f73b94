"""The truncated transform and its inverse in one kernel each, and the mixing of channels in a third.

A field is read once and a result written once; in between only the kept coefficients touch memory. Mixing needs the
coefficients of all channels of a sample, so it stands between the two: taking it into either would read the weight
once per sample, or the coefficients once per output channel, and more than it saves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from opforge.core.triton_kernels import availability

# Products of 2·64 rows and columns take 64 KB of a program's registers in float32; twice that does not fit.
MODES_LIMIT = {torch.float32: 63, torch.float64: 31}


def why_not(shape: Sequence[int], modes: Sequence[int], dtype: torch.dtype, device: torch.device | str = "cuda") -> str:
    """Why these kernels cannot serve fields of this ``shape``; empty when they can.

    Example:
        >>> why_not((256,), (100,), torch.float32)
        'more than 63 modes do not stay in the registers, got 100'
    """
    if len(shape) > 3:
        return f"one to three axes of space are served, got {len(shape)}"
    limit = MODES_LIMIT.get(dtype)
    if limit is not None and max(modes[-2:]) > limit:
        return f"more than {limit} modes do not stay in the registers, got {max(modes[-2:])}"
    return availability.why_not(device, dtype)


def analyse(x: torch.Tensor, modes: Sequence[int], offset: float, channels_last: bool) -> torch.Tensor:
    """The kept Fourier coefficients (*modes, 2, batch, channels) of a real field (batch, channels, *space).

    Channels-last fields are copied first: a program reads one channel of one sample.
    """
    # Triton may be missing, and is slow to import.
    from opforge.core.triton_kernels._spectral_operations import analyse_fields

    fields = x.reshape(x.shape[0] * x.shape[1], *_three(x.shape[2:], 1))
    rows = analyse_fields(fields, *_three(modes, 0), offset, True)
    return rows.reshape(*(2 * k + 1 for k in modes[:-1]), modes[-1] + 1, 2, *x.shape[:2])


def synthesise(
    rows: torch.Tensor, modes: Sequence[int], shape: Sequence[int], offset: float, channels_last: bool
) -> torch.Tensor:
    """The real field (batch, channels, *shape) with the coefficients ``rows``: the inverse of `analyse`."""
    from opforge.core.triton_kernels._spectral_operations import synthesise_fields

    spectrum = rows.reshape(math.prod(rows.shape[:-3]), 2, rows.shape[-2] * rows.shape[-1])
    x = synthesise_fields(spectrum, *_three(modes, 0), *_three(shape, 1), offset, False)
    x = x.reshape(*rows.shape[-2:], *shape)
    return x.movedim(1, -1).contiguous().movedim(-1, 1) if channels_last else x


def product(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """y = x w in complex numbers, mode by mode: x (m, 2, b, i), w (m, i, o, 2), y (m, 2, b, o)."""
    from opforge.core.triton_kernels._pair_product import pair_bmm

    return pair_bmm(x.permute(0, 2, 3, 1), w, False, False, "n2pr").permute(0, 3, 1, 2)


def _three(sizes: Sequence[int], filler: int) -> tuple[int, int, int]:
    """Depth, height and width."""
    depth, height, width = [filler, filler, *sizes][-3:]
    return depth, height, width
