"""Which points and frames of a dataset are used: every second one, every fifth one."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opforge.core import Grid
from opforge.datasets.files.header import Header
from opforge.errors import InputError


@dataclass(frozen=True)
class Thinning:
    """What is left of a dataset's points and frames.

    Args:
        grid: where the points that are left are.
        space: slices of the axes of space.
        frames: numbers of the frames that are left, increasing.
    """

    grid: Grid
    space: tuple[slice, ...]
    frames: tuple[int, ...]

    @classmethod
    def none(cls, header: Header) -> Thinning:
        """Everything is left."""
        return cls(header.grid, (slice(None),) * header.grid.ndim, tuple(range(len(header.times))))

    @property
    def whole(self) -> bool:
        """Whether all points are left."""
        return all(part in (slice(None), slice(0, None, 1)) for part in self.space)

    def every(self, space: Any, time: Any) -> Thinning:
        """Leave every so-manieth point and frame of these.

        The first and the last node stay, and the first frame. Of cells, the middle ones of groups of ``space`` are
        taken; for an even number, those just below the middle, and the grid's origin moves by half a spacing so that
        its points stay where the values are.

        Args:
            space: one number for all axes or one for each.
            time: a number.

        Raises:
            InputError: no whole numbers of at least 1; numbers that do not divide the grid's spacings; fewer than two
                points or frames that would be left.

        Example:
            >>> header = Header(("u",), ("u",), Grid((9,), points="nodes"), 1, times=(0.0, 0.5, 1.0), evolving=("u",))
            >>> Thinning.none(header).every(4, 2)
            Thinning(grid=Grid(shape=(3,), lengths=(1.0,), points='nodes', origin=(0.0,)), space=(slice(0, None, 4),),
                frames=(0, 2))
        """
        grid = self.grid
        steps = _steps("space", space if isinstance(space, Sequence) else [space] * grid.ndim)
        if len(steps) != grid.ndim:
            raise InputError(f"space must be one number or {grid.ndim} of them, got {space!r}")
        (frame_step,) = _steps("time", [time])
        frames = self.frames[::frame_step]
        if self.frames and len(frames) < 2:
            raise InputError(f"time must leave at least 2 of the {len(self.frames)} frames, got {time!r}")
        shape, origin, slices = [], [], []
        for axis, (n, step, start, spacing) in enumerate(
            zip(grid.shape, steps, grid.origin, grid.spacing, strict=True)
        ):
            spacings = n - 1 if grid.points == "nodes" else n
            if spacings % step or spacings // step < 2:
                raise InputError(
                    f"space must divide the {spacings} spacings of axis {grid.axis_names[axis]!r} and leave at least "
                    f"2, got {step}"
                )
            first = (step - 1) // 2 if grid.points == "cells" else 0
            shape.append(spacings // step + (grid.points == "nodes"))
            origin.append(start + ((first + 0.5) - step / 2) * spacing if grid.points == "cells" else start)
            old = self.space[axis]
            slices.append(slice((old.start or 0) + first * (old.step or 1), None, step * (old.step or 1)))
        return Thinning(Grid(tuple(shape), grid.lengths, grid.points, tuple(origin)), tuple(slices), frames)


def _steps(name: str, values: Sequence[Any]) -> list[int]:
    try:
        steps = [operator.index(value) for value in values]
    except TypeError as error:
        raise InputError(f"{name} must be a whole number, got {list(values)!r}") from error
    if min(steps, default=1) < 1:
        raise InputError(f"{name} must be at least 1, got {min(steps)}")
    return steps
