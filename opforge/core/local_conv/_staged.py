"""Factorised kernels filter by filter, one axis after the other: the ``staged`` back end.

A one-way filter is a depthwise convolution along one axis. It runs in channels-last memory with that axis moved to
the front, where oneDNN is fast for every number of taps in both directions; the extension of the axis by its boundary
points makes the copy that the move needs. From the last axis to the first, the moves bring the axes back in order.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from opforge.core.local_conv._extension import Halo, extend
from opforge.core.local_conv._geometry import Geometry
from opforge.core.local_conv.kernels import FactorisedKernels, SeparableKernels


def convolve(
    x: torch.Tensor,
    kernels: FactorisedKernels | SeparableKernels,
    bias: torch.Tensor | None,
    geometry: Geometry,
) -> torch.Tensor:
    """See `opforge.core.conv_nd`; the arguments have been checked."""
    x = x.movedim(1, -1)  # (batch, *space, channels) throughout
    if isinstance(kernels, SeparableKernels):
        y = _filter(x @ kernels.incoming, kernels.filters, geometry) @ kernels.outgoing.T
    else:
        n_out, n_in = kernels.channels
        x = x[..., None, :, None].expand(*x.shape[:-1], kernels.rank, n_in, n_out)
        filters = tuple(f.permute(2, 1, 0, 3).flatten(0, 2) for f in kernels.filters)
        y = _filter(x, filters, geometry)
        y = y.reshape(*y.shape[:-1], -1, n_out).sum(-2)
    y = y if bias is None else y + bias
    return y.movedim(-1, 1)


def _filter(x: torch.Tensor, filters: tuple[torch.Tensor, ...], geometry: Geometry) -> torch.Tensor:
    """Every channel along all axes: (batch, *space, *channels) to (batch, *outputs, channels)."""
    d = len(filters)
    for axis in reversed(range(d)):
        halo = Halo(x.shape[axis + 1], geometry.left[axis], geometry.right[axis], geometry.padding[axis])
        order = (0, axis + 1, *(a for a in range(1, x.ndim) if a != axis + 1))
        memory = extend(x, [halo], [axis + 1], order).permute(order)  # (batch, axis, *other axes, *channels)
        others, channels = memory.shape[2 : d + 1], filters[axis].shape[0]
        image = memory.reshape(memory.shape[0], halo.total, -1, channels).movedim(-1, 1)
        y = functional.conv2d(
            image,
            filters[axis][:, None, :, None],
            None,
            (geometry.stride[axis], 1),
            0,
            (geometry.dilation[axis], 1),
            channels,
        )
        y = y.movedim(1, -1).reshape(memory.shape[0], -1, *others, channels)
        x = y.movedim(1, axis + 1)
    return x
