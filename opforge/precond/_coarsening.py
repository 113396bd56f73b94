"""Coarser couplings: pairs of cells joined along one axis after the other, with the energy of what is interpolated.

A function u of the cells has the energy Σ k (difference across a face)² + Σ extra u². Of cells joined in pairs along an
axis, the lower one of pair I is (1 − l) U_I + l U_{I−1}, the upper one (1 − m) U_I + m U_{I+1}. The energy of that
couples differences of U with each other; each product of two is replaced by half the sum of their squares, which is
the same where U is linear. What is left is again a sum of squares of differences between neighbours, with conductances
that are not negative whatever l and m are: the coarse matrix is symmetric and positive semidefinite by construction.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from opforge.pdes._arrays import along

# Axes whose mean coupling is this much weaker than the strongest are not joined: Jacobi's sweeps do nothing along them.
_WEAK = 0.3


@dataclass(frozen=True)
class Couplings:
    """A symmetric matrix of cells and their neighbours.

    Args:
        faces: conductances of the n + 1 faces along every axis, (*space) or (batch, *space).
        extra: what the diagonal has besides, >= 0.
        wrapped: which axes are periodic.
    """

    faces: list[Tensor]
    extra: Tensor
    wrapped: tuple[bool, ...]

    @property
    def ndim(self) -> int:
        return len(self.faces)

    @property
    def space(self) -> tuple[int, ...]:
        return tuple(self.extra.shape[-self.ndim :])

    def sums(self, axis: int) -> Tensor:
        """The conductances of the two faces of every cell along an axis."""
        return along(self.faces[axis], axis, 1, None) + along(self.faces[axis], axis, None, -1)

    def diagonal(self) -> Tensor:
        return self.extra + sum(self.sums(axis) for axis in range(-self.ndim, 0))


def axes_of_levels(A: Couplings, dense: int) -> list[list[int]]:
    """The axes along which each level is joined, those of strong couplings, down to so few cells.

    From the finest level's mean conductances alone, and what joining makes of them where they are constant, so that
    matrices of a batch and each alone have the same levels.
    """
    space, means = list(A.space), []
    for axis, n in zip(range(-A.ndim, 0), space, strict=True):
        means.append(float(along(A.faces[axis].detach(), axis, 1, -1).mean()) if n > 1 else 0.0)
    levels = []
    while math.prod(space) > dense:
        largest = max(mean for mean, n in zip(means, space, strict=True) if n > 1)
        chosen = [i for i, n in enumerate(space) if n > 1 and means[i] >= _WEAK * largest]
        for i in chosen:
            means[i], space[i] = means[i] / 4, (space[i] + 1) // 2
        levels.append([i - A.ndim for i in chosen])
    return levels


@dataclass(frozen=True)
class Lines:
    """What joins pairs along an axis, line by line: faces (N + 1) between N pairs, and what pairs have inside.

    Args:
        axis: the axis.
        wrapped: whether it is periodic; the last face is the first one again then.
        across: conductances of the faces between pairs.
        inside: of those inside of pairs, 0 in a last cell that is alone.
    """

    axis: int
    wrapped: bool
    across: Tensor
    inside: Tensor

    def below(self, pairs: Tensor) -> Tensor:
        """What the pairs below the faces have, 0 where there is none."""
        end = along(pairs, self.axis, -1, None)
        return torch.cat([end if self.wrapped else torch.zeros_like(end), pairs], self.axis)

    def above(self, pairs: Tensor) -> Tensor:
        """What the pairs above the faces have, 0 where there is none."""
        end = along(pairs, self.axis, None, 1)
        return torch.cat([pairs, end if self.wrapped else torch.zeros_like(end)], self.axis)

    def at_lower(self, faces: Tensor) -> Tensor:
        """What the lower faces of the pairs have."""
        return along(faces, self.axis, None, -1)

    def at_upper(self, faces: Tensor) -> Tensor:
        return along(faces, self.axis, 1, None)


@dataclass(frozen=True)
class Shares:
    """Interpolation from pairs: lower cells take ``lower`` of the pair below, upper cells ``upper`` of that above."""

    lower: Tensor
    upper: Tensor


# Of a level's couplings and its lines along an axis: shares at faces, (from above, from below), and a factor of the
# coarse conductances.
Rule = Callable[[Couplings, Lines], tuple[Tensor, Tensor, Tensor | float]]


def lines(A: Couplings, axis: int) -> Lines:
    """The faces between pairs along an axis, and those inside of them."""
    k, n = A.faces[axis], A.space[axis]
    across, inside = strided(k, axis, 0), strided(k, axis, 1)
    if n % 2:  # the last cell, alone, has two faces and nothing inside
        across = torch.cat([across, along(k, axis, -1, None)], axis)
        inside = torch.cat([along(inside, axis, None, -1), torch.zeros_like(along(k, axis, -1, None))], axis)
    return Lines(axis, A.wrapped[axis], across, inside)


def resistances(A: Couplings, on: Lines) -> tuple[Tensor, Tensor, float]:
    """Shares that are exact where nothing flows sideways: the flux between centres of pairs is constant.

    Between two centres there are in series half of what the lower pair has inside, the face, half of the upper pair.
    Where the inside is closed, half a cell of fluid beside an obstacle, its resistance is as that of the face.
    """
    inside = torch.where(on.inside > 0, inverse(on.inside), torch.nan)
    if A.space[on.axis] % 2:
        inside = torch.cat(
            [along(inside, on.axis, None, -1), torch.zeros_like(along(inside, on.axis, -1, None))], on.axis
        )
    face = inverse(on.across)
    lower, upper = (torch.where(torch.isnan(part), face, part) / 2 for part in (on.below(inside), on.above(inside)))
    between = inverse(face + lower + upper) * (on.across > 0)
    return lower * between, upper * between, 1.0


def join(A: Couplings, axis: int, rule: Rule) -> tuple[Shares, Couplings]:
    """Join pairs along an axis: how cells are interpolated from them, and the couplings of the pairs."""
    on = lines(A, axis)
    from_above, from_below, factor = rule(A, on)
    shares = Shares(on.at_lower(from_below), on.at_upper(from_above))
    both = shares.lower + shares.upper
    k = on.across * (1 - from_above - from_below) ** 2
    k = k + on.below(on.inside * shares.upper * both) + on.above(on.inside * shares.lower * both)
    faces, tilted = [], [torch.zeros_like(both), torch.zeros_like(both)]
    for other in range(-A.ndim, 0):
        faces.append(_beside(A, on, other, shares, tilted) if other != axis else k)
    k = k + (on.below(tilted[1]) + on.above(tilted[0])) * (on.across > 0)
    faces[axis] = k * factor
    extra = [_every_second(A.extra, axis, start) for start in (0, 1)]
    return shares, Couplings(faces, _shared(on, extra, shares), A.wrapped)


def _beside(A: Couplings, on: Lines, other: int, shares: Shares, tilted: list[Tensor]) -> Tensor:
    """Conductances of pairs along another axis. Where shares differ from line to line, what flows between the lines
    depends on differences along them; ``tilted`` takes that up, for lower and upper cells."""
    k = [_every_second(A.faces[other], on.axis, start) for start in (0, 1)]
    means = []
    for cell, share in enumerate((shares.lower, shares.upper)):
        if A.wrapped[other]:
            ends = along(share, other, -1, None), along(share, other, None, 1)
        else:
            ends = along(share, other, None, 1), along(share, other, -1, None)
        around = torch.cat([ends[0], share, ends[1]], other)
        first, second = along(around, other, None, -1), along(around, other, 1, None)
        # a share that is 0 may be one across the wall of an obstacle: nothing must leak into it
        means.append((first + second) / 2 * ((first > 0) & (second > 0)))
        flow = k[cell] * (second - first) ** 2 / 2
        tilted[cell] = tilted[cell] + along(flow, other, None, -1) + along(flow, other, 1, None)
    return _shared(on, k, Shares(*means))


def _shared(on: Lines, values: list[Tensor], shares: Shares) -> Tensor:
    """What lower and upper cells have, given to pairs in the shares that the cells take from them."""
    lower, upper = values
    own = lower * (1 - shares.lower) + upper * (1 - shares.upper)
    return own + on.at_upper(on.above(lower * shares.lower)) + on.at_lower(on.below(upper * shares.upper))


def _every_second(x: Tensor, axis: int, start: int) -> Tensor:
    """Lower (0) or upper (1) cells of pairs, 0 where there is none beside the last of an odd number."""
    found = strided(x, axis, start)
    if start and x.shape[axis] % 2:
        found = torch.cat([found, torch.zeros_like(along(x, axis, -1, None))], axis)
    return found


def strided(x: Tensor, axis: int, start: int) -> Tensor:
    return x[(..., slice(start, None, 2), *(slice(None),) * (-axis - 1))]


def inverse(x: Tensor) -> Tensor:
    """1/x where x > 0, else 0."""
    return torch.where(x > 0, 1 / torch.where(x > 0, x, 1.0), 0.0)
