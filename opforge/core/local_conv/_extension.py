"""Points outside the grid, filled according to the boundary treatment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from opforge.core.local_conv._adjoint import linear


@dataclass(frozen=True)
class Halo:
    """What is added along one axis: ``left`` and ``right`` points as ``padding`` says, then ``tail`` zeros."""

    size: int
    left: int
    right: int
    padding: str
    tail: int = 0

    @property
    def total(self) -> int:
        return self.left + self.size + self.right + self.tail

    def copies(self) -> list[tuple[slice, slice, bool]]:
        """(to, from, reversed) within the extended axis; each reads only what is there after those before it."""
        left, n, end = self.left, self.size, self.left + self.size
        found = []
        if self.padding == "reflect":
            if left:
                found.append((slice(0, left), slice(left + 1, 2 * left + 1), True))
            if self.right:
                found.append((slice(end, end + self.right), slice(end - 1 - self.right, end - 1), True))
        if self.padding == "periodic":
            # A kernel longer than the grid goes round it several times, one period a copy. (Written for sizes that
            # may be symbols in a traced graph.)
            while left > 0:
                count = left if left <= n else n
                found.append((slice(left - count, left), slice(left - count + n, left + n), False))
                left = left - count
            right = self.right
            while right > 0:
                count = right if right <= n else n
                found.append((slice(end, end + count), slice(end - n, end - n + count), False))
                end, right = end + count, right - count
        return found

    def zeros(self) -> list[slice]:
        """Where the extended axis is zero."""
        end = self.left + self.size
        if self.padding == "zeros":
            return [s for s in (slice(0, self.left), slice(end, self.total)) if s.start < s.stop]
        return [slice(self.total - self.tail, self.total)] if self.tail else []


def extend(x: torch.Tensor, halos: Sequence[Halo], axes: Sequence[int], order: Sequence[int]) -> torch.Tensor:
    """``x`` with halos along ``axes``, in new memory where the axes lie in the given ``order``, slowest first."""
    shape = list(x.shape)
    for axis, halo in zip(axes, halos, strict=True):
        shape[axis] = halo.total

    def there(x: torch.Tensor) -> torch.Tensor:
        memory = x.new_empty([shape[a] for a in order])
        out = memory.permute(_inverse(order))
        inside = out
        for axis, halo in zip(axes, halos, strict=True):
            inside = inside.narrow(axis, halo.left, halo.size)
        inside.copy_(x)
        for axis, halo in zip(axes, halos, strict=True):
            for to, source, mirrored in halo.copies():
                values = _part(out, axis, source)
                _part(out, axis, to).copy_(values.flip(axis) if mirrored else values)
            for where in halo.zeros():
                _part(out, axis, where).zero_()
        return out

    def back(g: torch.Tensor) -> torch.Tensor:
        g = g.clone()
        for axis, halo in zip(axes, halos, strict=True):
            for to, source, mirrored in reversed(halo.copies()):
                values = _part(g, axis, to)
                _part(g, axis, source).add_(values.flip(axis) if mirrored else values)
            g = g.narrow(axis, halo.left, halo.size)
        return g

    return linear(x, there, back)


def _part(x: torch.Tensor, axis: int, where: slice) -> torch.Tensor:
    return x.narrow(axis, where.start, where.stop - where.start)


def _inverse(order: Sequence[int]) -> list[int]:
    return [list(order).index(axis) for axis in range(len(order))]
