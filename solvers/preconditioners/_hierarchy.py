"""Levels of multigrid on cell centres: coarser stencils, transfers, the dense end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from opforge.pdes._arrays import along
from opforge.solvers.stencil import Stencil, take_neighbours

# Axes whose mean coupling is this much weaker than the strongest are not joined: Jacobi's sweeps do nothing along them.
_WEAK = 0.3


@dataclass
class Level:
    """A stencil and what leads to the next one.

    Args:
        faces: conductances of the n + 1 faces along every axis.
        extra: what the diagonal has besides.
        fluid: 1 in cells that coarser levels know, 0 in the others; None where they know all.
        wrapped: which axes are periodic.
    """

    faces: list[torch.Tensor]
    extra: torch.Tensor
    fluid: torch.Tensor | None
    wrapped: tuple[bool, ...]

    def __post_init__(self) -> None:
        self.ndim = len(self.faces)
        self.sums = [along(k, axis, 1, None) + along(k, axis, None, -1) for axis, k in self.each_axis()]
        self.diagonal = self.extra + sum(self.sums)
        self.inverse_diagonal = _inverse(self.diagonal)
        self.space = tuple(self.diagonal.shape[-self.ndim :])
        self.cells = math.prod(self.space)
        means = [float(along(k, axis, 1, -1).mean()) if n > 1 else 0.0 for (axis, k), n in self._axes_and_sizes()]
        self.joined = [
            axis
            for axis, mean, n in zip(range(-self.ndim, 0), means, self.space, strict=True)
            if n > 1 and mean >= _WEAK * max(means)
        ]
        self.pairs = {
            axis: _pairs(self.faces[axis], axis, self.space[axis], self.wrapped[axis]) for axis in self.joined
        }
        self.weights = {axis: _weights(pair, axis, self.space[axis]) for axis, pair in self.pairs.items()}

    def each_axis(self) -> list[tuple[int, torch.Tensor]]:
        return list(zip(range(-self.ndim, 0), self.faces, strict=True))

    def _axes_and_sizes(self) -> list[tuple[tuple[int, torch.Tensor], int]]:
        return list(zip(self.each_axis(), self.space, strict=True))

    def to(self, dtype: torch.dtype) -> None:
        """Change the precision, and forget what only coarser levels needed."""
        self.pairs = {}
        self.faces, self.sums = ([k.to(dtype) for k in values] for values in (self.faces, self.sums))
        self.diagonal, self.inverse_diagonal = self.diagonal.to(dtype), self.inverse_diagonal.to(dtype)
        self.fluid = None if self.fluid is None else self.fluid.to(dtype)
        self.weights = {axis: tuple(w.to(dtype) for w in values) for axis, values in self.weights.items()}

    def apply(self, u: torch.Tensor) -> torch.Tensor:
        """A u."""
        found = self.diagonal * u
        for axis, k in self.each_axis():
            take_neighbours(found, u, k, axis, self.wrapped[axis])
        return found

    def prolong(self, e: torch.Tensor) -> torch.Tensor:
        """P e: constants in joined cells, then means with the neighbours across their faces, along every axis."""
        for axis in self.joined:
            e = along(e.repeat_interleave(2, dim=axis), axis, 0, self.space[axis])
        for axis in self.joined:
            own, upper, lower = self.weights[axis]
            mixed = own * e
            along(mixed, axis, None, -1).addcmul_(along(upper, axis, None, -1), along(e, axis, 1, None))
            along(mixed, axis, 1, None).addcmul_(along(lower, axis, 1, None), along(e, axis, None, -1))
            if self.wrapped[axis]:
                along(mixed, axis, -1, None).addcmul_(along(upper, axis, -1, None), along(e, axis, None, 1))
                along(mixed, axis, None, 1).addcmul_(along(lower, axis, None, 1), along(e, axis, -1, None))
            e = mixed
        return e if self.fluid is None else e * self.fluid

    def restrict(self, r: torch.Tensor) -> torch.Tensor:
        """Pᵀ r."""
        r = r if self.fluid is None else r * self.fluid
        for axis in reversed(self.joined):
            own, upper, lower = self.weights[axis]
            mixed = own * r
            along(mixed, axis, 1, None).addcmul_(along(upper, axis, None, -1), along(r, axis, None, -1))
            along(mixed, axis, None, -1).addcmul_(along(lower, axis, 1, None), along(r, axis, 1, None))
            if self.wrapped[axis]:
                along(mixed, axis, None, 1).addcmul_(along(upper, axis, -1, None), along(r, axis, -1, None))
                along(mixed, axis, -1, None).addcmul_(along(lower, axis, None, 1), along(r, axis, None, 1))
            r = mixed
        return _summed(r, self.joined)

    def inverse(self) -> torch.Tensor:
        """The pseudo-inverse of the matrix, (..., cells, cells): constants that A takes to 0 stay 0."""
        unit = torch.eye(self.cells, dtype=self.diagonal.dtype, device=self.diagonal.device)
        batch = self.diagonal.shape[: -self.ndim]
        unit = unit.reshape(self.cells, *(1,) * len(batch), *self.space).expand(-1, *batch, *self.space)
        matrix = self.apply(unit).reshape(self.cells, *batch, self.cells).movedim(0, -1).double()
        values, vectors = torch.linalg.eigh((matrix + matrix.mT) / 2)
        # the stencils of float32 leave rounding of their own in what is 0
        least = (1e-5 if self.diagonal.dtype == torch.float32 else 1e-11) * values[..., -1:]
        inverse = torch.where(values > least, 1 / torch.where(values > least, values, 1.0), 0.0)
        return (vectors * inverse[..., None, :]) @ vectors.mT


def finest(A: Stencil) -> Level:
    return Level(list(A.faces), A.extra, A.fluid, A.wrapped)


def coarsen(level: Level) -> Level:
    """The next level: pairs of cells joined along the axes of strong couplings, the last of an odd number alone."""
    faces = []
    for axis, k in level.each_axis():
        joined = level.pairs[axis].between if axis in level.joined else k
        faces.append(_summed(joined, [other for other in level.joined if other != axis]))
    extra = level.extra if level.fluid is None else level.extra * level.fluid
    fluid = None if level.fluid is None else (_summed(level.fluid, level.joined) > 0).to(level.fluid.dtype)
    return Level(faces, _summed(extra, level.joined), fluid, level.wrapped)


@dataclass
class _Pairs:
    """What joined cells are to their neighbours along an axis.

    Args:
        between: conductances from centre to centre across every face of joined cells.
        lower: resistance from the face to the centre below it, on the part inside the cells.
        upper: the same above it.
    """

    between: torch.Tensor
    lower: torch.Tensor
    upper: torch.Tensor


def _pairs(k: torch.Tensor, axis: int, n: int, wrapped: bool) -> _Pairs:
    """Resistances in series between centres of joined cells: that of a face, and half of those inside on either side.

    Where the inside is closed, half a cell of fluid beside an obstacle, its resistance is as that of the face.
    """
    across, inside = k[_strided(axis, 0)], k[_strided(axis, 1)]
    own = torch.where(inside > 0, _inverse(inside), torch.nan)
    nothing = torch.zeros_like(along(own, axis, None, 1))
    if n % 2:  # the last cell, alone, has two faces and nothing inside
        across = torch.cat([across, along(k, axis, -1, None)], axis)
        own = torch.cat([along(own, axis, None, -1), nothing], axis)
    resistance = _inverse(across)
    first, last = (along(own, axis, None, 1), along(own, axis, -1, None)) if wrapped else (nothing, nothing)
    below, above = torch.cat([last, own], axis), torch.cat([own, first], axis)
    lower, upper = (torch.where(torch.isnan(part), resistance, part) / 2 for part in (below, above))
    return _Pairs(torch.where(across > 0, _inverse(resistance + lower + upper), 0.0), lower, upper)


def _weights(pairs: _Pairs, axis: int, n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """How much a cell takes of its own pair, of the pair above and of that below: exact where nothing flows sideways.

    A cell lies on the line between two centres, at which the values are known; the flux along it is constant.
    """
    from_above = pairs.lower * pairs.between  # of the cells below the faces
    from_below = pairs.upper * pairs.between
    shape = list(from_above.shape)
    shape[axis] = n
    upper, lower = from_above.new_zeros(shape), from_above.new_zeros(shape)
    upper[_strided(axis, 1)] = along(from_above, axis, 1, 1 + n // 2)
    lower[_strided(axis, 0)] = along(from_below, axis, None, -1)
    return 1 - upper - lower, upper, lower


def _strided(axis: int, start: int) -> tuple:
    return (..., slice(start, None, 2), *(slice(None),) * (-axis - 1))


def _summed(x: torch.Tensor, axes: Sequence[int]) -> torch.Tensor:
    """Sums of pairs along axes."""
    for axis in axes:
        first, second = x[_strided(axis, 0)], x[_strided(axis, 1)]
        if first.shape[axis] == second.shape[axis]:
            x = first + second
        else:
            x = torch.cat([along(first, axis, None, -1) + second, along(first, axis, -1, None)], axis)
    return x


def _inverse(x: torch.Tensor) -> torch.Tensor:
    """1/x where x > 0, else 0."""
    return torch.where(x > 0, 1 / torch.where(x > 0, x, 1.0), 0.0)
