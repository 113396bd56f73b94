"""Dense kernels through torch's own convolutions: the ``direct`` back end."""

from __future__ import annotations

import itertools
import math

import torch
from torch.nn import functional

from opforge.core.local_conv._extension import Halo, extend
from opforge.core.local_conv._geometry import Geometry

_CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
# oneDNN's gradient for kernels has no fast path beyond this many taps on the last axis: from one tap to the next it
# takes 5 times as long in channels-first memory and 300 times in channels-last.
_MOST_TAPS = 14
# Below, oneDNN's gradient for the input takes up to 5 times as long in channels-first as in channels-last memory.
_FEW_CHANNELS = 16
# torch hands a single sample with short kernels to code 10 times slower than oneDNN when it has at most this many
# numbers, the last axis not counted.
_SMALL_VOLUME = 20480


def convolve(x: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor | None, geometry: Geometry) -> torch.Tensor:
    """See `opforge.core.conv_nd`; the arguments have been checked."""
    d = x.ndim - 2
    on_cpu = x.device.type == "cpu"
    pieces = _pieces(geometry.taps[-1], _MOST_TAPS if on_cpu else geometry.taps[-1])
    explicit = [
        bool(a or b) and (kind != "zeros" or a != b or (axis == d - 1 and len(pieces) > 1))
        for axis, (kind, a, b) in enumerate(zip(geometry.padding, geometry.left, geometry.right, strict=True))
    ]
    by_onednn = on_cpu and x.dtype == torch.float32
    backward = torch.is_grad_enabled() and (x.requires_grad or kernels.requires_grad)
    if by_onednn and d > 1 and x.shape[1] == 1 and x.requires_grad and backward:
        # its gradient for a single channel takes 10 times as long as for two
        x, kernels = (functional.pad(t, (0, 0) * d + (0, 1)) for t in (x, kernels))
    channels_last = by_onednn and d > 1 and backward and (any(explicit) or min(kernels.shape[:2]) < _FEW_CHANNELS)
    channels_last = channels_last or (x.movedim(1, -1).is_contiguous() and not x.is_contiguous())
    if any(explicit):
        axes = [axis for axis in range(d) if explicit[axis]]
        halos = [Halo(geometry.shape[a], geometry.left[a], geometry.right[a], geometry.padding[a]) for a in axes]
        order = (0, *range(2, d + 2), 1) if channels_last else tuple(range(d + 2))
        x = extend(x, halos, [a + 2 for a in axes], order)
    elif channels_last:
        x = x.movedim(1, -1).contiguous().movedim(-1, 1)  # nothing to do where it lies so
    given = [0 if there else a for there, a in zip(explicit, geometry.left, strict=True)]
    volume = math.prod(x.shape[1:-1])
    alone = by_onednn and d == 3 and x.shape[0] == 1 and volume <= _SMALL_VOLUME and min(kernels.shape[-2:]) <= 3
    if alone:  # convolved twice it is still much faster
        x = x.expand(2, *x.shape[1:])
    y = _sum_of_pieces(x, kernels, bias, geometry, given, pieces)
    return y[:1] if alone else y


def _sum_of_pieces(
    x: torch.Tensor,
    kernels: torch.Tensor,
    bias: torch.Tensor | None,
    geometry: Geometry,
    padding: list[int],
    pieces: list[tuple[int, int]],
) -> torch.Tensor:
    """The convolution with zeros as ``padding`` says, the kernels taken in pieces along their last axis."""
    conv = _CONVOLUTIONS[len(padding)]
    if len(pieces) == 1:
        return conv(x, kernels, bias, geometry.stride, padding, geometry.dilation)
    step, dilation = geometry.stride[-1], geometry.dilation[-1]
    total = None
    for start, count in pieces:
        read = x.narrow(-1, dilation * start, step * (geometry.out_shape[-1] - 1) + dilation * (count - 1) + 1)
        y = conv(read, kernels.narrow(-1, start, count), bias, geometry.stride, padding, geometry.dilation)
        total, bias = y if total is None else total + y, None
    assert total is not None  # there is at least one piece
    return total


def _pieces(taps: int, most: int) -> list[tuple[int, int]]:
    """(start, count) of nearly equal parts of at most ``most`` taps."""
    count = math.ceil(taps / most)
    ends = [taps * i // count for i in range(count + 1)]
    return [(a, b - a) for a, b in itertools.pairwise(ends)]
