"""The Fourier neural operator in one, two and three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import nn

from opforge.core.grid import Grid, Points
from opforge.errors import InputError
from opforge.layers import FourierBlock, append_coordinates, pointwise


class FNO(nn.Module):
    """Fourier neural operator: lift, a stack of Fourier blocks, project.

    v₀ = P(a, x),  v_{j+1} = σ(SpectralConv(v_j) + v_j W_j),  u = Q v_depth, with P and Q linear at each point. The
    same weights serve every grid that carries the modes.

    Args:
        in_channels: channels of the input field.
        out_channels: channels of the output field.
        modes: highest kept \\|k\\| per axis of space; its length is the number of axes, 1 to 3.
        width: channels inside.
        depth: number of Fourier blocks.
        padding: for fields that are not periodic: fraction of each axis by which the field is continued with zeros
            inside the network; 0 for periodic ones. To export such a model with any grid, give ``torch.export``
            ``prefer_deferred_runtime_asserts_over_guards=True``.
        points: where grid points lie, see `opforge.core.Grid`.

    Raises:
        InputError: sizes below 1; on a call, another number of channels or axes, or a grid too coarse for the modes.

    Example:
        >>> model = FNO(1, 1, (8, 8), width=16)
        >>> model(torch.randn(2, 1, 32, 48)).shape
        torch.Size([2, 1, 32, 48])

    Source: Fourier Neural Operator for Parametric Partial Differential Equations. Departures: modes are kept
    symmetrically in sign; the layers' scale at the start keeps the variance of smooth fields; the last block keeps
    its activation and Q is linear, where the paper has an activation inside Q: on Darcy flow the errors are the same
    and steps are faster.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        modes: Sequence[int],
        width: int = 32,
        depth: int = 4,
        *,
        padding: float = 0.0,
        points: Points = "cells",
    ):
        super().__init__()
        if isinstance(modes, int):
            raise InputError(f"modes must hold one number per axis of space, such as ({modes}, {modes}), got {modes}")
        modes = tuple(int(k) for k in modes)
        for name, value in (("width", width), ("depth", depth), ("out_channels", out_channels)):
            if value < 1:
                raise InputError(f"{name} must be at least 1, got {value}")
        Grid((2,), points=points)  # refuses unknown kinds of points
        if not 0 <= padding <= 1:
            raise InputError(f"padding must be a fraction between 0 and 1, got {padding}")
        self.in_channels, self.out_channels, self.ndim = in_channels, out_channels, len(modes)
        self.config: dict[str, Any] = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "modes": list(modes),
            "width": width,
            "depth": depth,
            "padding": padding,
            "points": points,
        }
        self.padding, self.points = padding, points
        self.lift = nn.Linear(in_channels + len(modes), width)
        self.blocks = nn.Sequential(*(FourierBlock(width, modes, F.gelu if i else None) for i in range(depth)))
        self.project = nn.Linear(width, out_channels)

    @classmethod
    def for_data(cls, dataset: Any, *, modes: int | Sequence[int] | None = None, **options: Any) -> Self:
        """The operator with the channels, axes and points of ``dataset``.

        Args:
            dataset: has ``in_channels``, ``out_channels`` and ``grid``.
            modes: highest kept \\|k\\|, one number for every axis or one per axis; 12, or what a coarser grid carries,
                unless given.
            **options: the constructor's other arguments.
        """
        grid = dataset.grid
        most = tuple((n - 1) // 2 for n in grid.shape)
        if modes is None:
            modes = tuple(min(12, limit) for limit in most)
        kept = (modes,) * grid.ndim if isinstance(modes, int) else tuple(modes)
        if len(kept) != grid.ndim:
            raise InputError(f"modes needs one value per axis of space, got {kept} for {grid.ndim}-D data")
        if any(k > limit for k, limit in zip(kept, most, strict=True)):
            raise InputError(f"modes must be at most {most} for data on {grid.shape}, got {kept}; lower modes")
        return cls(dataset.in_channels, dataset.out_channels, kept, **{"points": grid.points} | options)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, in_channels, *space) to (batch, out_channels, *space) on any grid."""
        if x.ndim != self.ndim + 2 or x.shape[1] != self.in_channels:
            raise InputError(
                f"x must be (batch, in_channels={self.in_channels}, {self.ndim} axes of space), got {tuple(x.shape)}"
            )
        space = x.shape[2:]
        few = self._padded(append_coordinates(x.movedim(1, -1), self.points, constant=True))
        # The first block is linear too: both are applied as one, to few channels, of which one holds the bias.
        lift = torch.cat([self.lift.weight.T, self.lift.bias.unsqueeze(0)])
        v = self.blocks[0](few, lift)
        for block in list(self.blocks)[1:]:
            v = block(v)
        if self.padding:
            v = v[(slice(None), *(slice(n) for n in space))]
        return pointwise(self.project, v, F.gelu).movedim(-1, 1)

    def _padded(self, few: torch.Tensor) -> torch.Tensor:
        """The fields (batch, *space, channels), the one of ones among them, with zeros where the domain is padded."""
        if self.padding:
            extra = [round(self.padding * n) for n in reversed(few.shape[1:-1])]
            few = F.pad(few, (0, 0, *(width for n in extra for width in (0, n))))
        return few
