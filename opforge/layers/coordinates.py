"""Positions as further channels."""

from __future__ import annotations

import torch

from opforge.core.grid import Grid, Points


def append_coordinates(x: torch.Tensor, points: Points) -> torch.Tensor:
    """Append to a field the position of each grid point in units of the box.

    Args:
        x: (batch, *space, channels), channels last.
        points: where grid points lie, see `opforge.core.Grid`.

    Returns:
        (batch, *space, channels + d): the position along each axis, from 0 to 1, comes after the channels.

    Example:
        >>> append_coordinates(torch.zeros(1, 2, 1), "cells").tolist()
        [[[0.0, 0.25], [0.0, 0.75]]]
    """
    space = tuple(x.shape[1:-1])
    mesh = [torch.as_tensor(c, dtype=x.dtype, device=x.device) for c in Grid(space, points=points).coordinates()]
    position = torch.stack(torch.meshgrid(*mesh, indexing="ij"), -1)
    return torch.cat([x, position.expand(x.shape[0], *position.shape)], -1)
