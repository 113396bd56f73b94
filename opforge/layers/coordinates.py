"""Positions as further channels."""

from __future__ import annotations

import torch

from opforge.core.grid import LAYOUT, Grid, Points


def append_coordinates(x: torch.Tensor, points: Points, *, constant: bool = False) -> torch.Tensor:
    """Append to a field the position of each grid point in units of the box.

    Args:
        x: (batch, *space, channels), channels last.
        points: where grid points lie, see `opforge.core.Grid`.
        constant: whether a channel of ones comes last.

    Returns:
        (batch, *space, channels + d), or one more: the position along each axis, from 0 to 1, comes after the channels.

    Example:
        >>> append_coordinates(torch.zeros(1, 2, 1), "cells").tolist()
        [[[0.0, 0.25], [0.0, 0.75]]]
    """
    space = tuple(x.shape[1:-1])
    if torch.compiler.is_compiling():  # sizes may be symbols, which are no sizes of numpy arrays
        offset, fewer = LAYOUT[points]
        mesh = [
            ((torch.arange(n, dtype=torch.float64) + offset) * (1.0 / (n - fewer))).to(x.device, x.dtype) for n in space
        ]
    else:
        mesh = [torch.as_tensor(c, dtype=x.dtype, device=x.device) for c in Grid(space, points=points).coordinates()]
    positions = torch.meshgrid(*mesh, indexing="ij")
    position = torch.stack([*positions, torch.ones_like(positions[0])] if constant else positions, -1)
    return torch.cat([x, position.expand(x.shape[0], *position.shape)], -1)
