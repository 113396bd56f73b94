"""The axis-wise kind of spectral convolution: a sum of one-dimensional ones, the other axes being batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType

import torch

from opforge.core.spectral.engines import PAIRS, engine_for
from opforge.core.spectral.interpolation import resampled
from opforge.core.spectral.mixing import mix


def spectral_conv(
    x: torch.Tensor,
    weights: Sequence[torch.Tensor],
    modes: Sequence[int],
    out_shape: Sequence[int] | None,
    *,
    offset: float,
    channels_last: bool,
    backend: str | None,
) -> torch.Tensor:
    """Σ_j irfft_j(W_j rfft_j(x)) over the axes j of space; the arguments have been checked."""
    total = None
    for axis, (k, weight) in enumerate(zip(modes, weights, strict=True)):
        channels = x.shape[1], weight.shape[2]
        n = x.shape[2 + axis] if out_shape is None else out_shape[axis]
        engine = engine_for("spectral_conv", x, (k,), (x.shape[2 + axis],), (n,), channels, backend)
        y = x if out_shape is None else _on_other_axes(x, axis, out_shape, offset, engine in PAIRS)
        y = _along(y, weight, k, axis, n, offset=offset, channels_last=channels_last, engine=engine)
        total = y if total is None else total + y
    assert total is not None  # there is at least one axis
    return total


def _on_other_axes(
    x: torch.Tensor, axis: int, out_shape: Sequence[int], offset: float, by_products: bool
) -> torch.Tensor:
    """``x`` resampled to ``out_shape`` on all axes of space but one, by products of real matrices or by transforms."""
    if by_products:
        for j, n in enumerate(out_shape):
            # sizes that are symbols must not be compared: a graph would serve one outcome only
            if j != axis and (torch.compiler.is_compiling() or n != x.shape[2 + j]):
                x = resampled(x, n, 2 + j, offset)
        return x
    from opforge.core.modes import resample  # it imports the engines too

    wanted = [x.shape[2 + j] if j == axis else n for j, n in enumerate(out_shape)]
    return resample(x, wanted, points="cells" if offset else "periodic")


def _along(
    x: torch.Tensor,
    weight: torch.Tensor,
    modes: int,
    axis: int,
    n: int,
    *,
    offset: float,
    channels_last: bool,
    engine: ModuleType,
) -> torch.Tensor:
    """The convolution along one axis, without a copy of the field: what lies after it in memory counts as channels."""
    channels = x.shape[1]
    lying = x.movedim(1, -1) if channels_last else x
    channel_axis, axis = (lying.ndim - 1, axis + 1) if channels_last else (1, axis + 2)
    before, after = lying.shape[:axis], lying.shape[axis + 1 :]
    field = lying.reshape(math.prod(before), lying.shape[axis], math.prod(after)).movedim(-1, 1)
    rows = engine.analyse(field, (modes,), offset, True)
    # channels are one of the other axes: bring them to the end for mixing, and back
    lead = rows.shape[:-2]
    place = len(lead) + channel_axis - (channel_axis > axis)
    rows = rows.reshape(*lead, *before, *after).movedim(place, -1)
    others = rows.shape[len(lead) : -1]
    rows = mix(rows.reshape(*lead, -1, channels), weight, "dense")
    rows = rows.reshape(*lead, *others, weight.shape[2]).movedim(-1, place)
    rows = rows.reshape(*lead, math.prod(rows.shape[len(lead) : len(lead) + len(before)]), -1)
    field = engine.synthesise(rows, (modes,), (n,), offset, True).movedim(1, -1)
    before = [weight.shape[2] if j == channel_axis else size for j, size in enumerate(before)]
    after = [weight.shape[2] if j + axis + 1 == channel_axis else size for j, size in enumerate(after)]
    y = field.reshape(*before, n, *after)
    return y.movedim(-1, 1) if channels_last else y
