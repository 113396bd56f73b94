"""A symmetric V-cycle on couplings, scaled so that every diagonal is 1: nothing but neighbours is read at a pass.

With S = D^(−1/2) of a level, S A S = I − K, where K has the neighbours alone, and eigenvalues lie within 0 and 2. Two
damped sweeps of Jacobi are û = (α + β K) r̂. The scaling goes into the weights of the transfers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from opforge.pdes._arrays import along
from opforge.precond._coarsening import Couplings, Shares, axes_of_levels, inverse, strided
from opforge.solvers.stencil import take_neighbours

# Unknowns that are solved by a dense inverse: coarser levels cost more than that.
DENSE = 150

# Eigenvalues of the coarsest matrix, scaled to a diagonal of 1, that count as 0 beside the largest.
_LEAST = 1e-10

Joining = Callable[[Couplings, int], tuple[Shares, Couplings]]
Damping = Callable[[int], tuple[Tensor | float, Tensor | float]]


@dataclass
class Stage:
    """A transfer along one axis: lower = own_lower e_I + lower e_{I−1}, upper = own_upper e_I + upper e_{I+1}."""

    axis: int
    n: int
    wrapped: bool
    own_lower: Tensor
    lower: Tensor
    own_upper: Tensor
    upper: Tensor

    def prolong(self, e: Tensor) -> Tensor:
        """From pairs to cells."""
        axis, half = self.axis, self.n // 2
        low = self.own_lower * e
        pairs = low.shape[axis]
        e_up, own_up, share_up = (along(x, axis, None, half) for x in (e, self.own_upper, self.upper))
        up = own_up * e_up
        along(low, axis, 1, None).addcmul_(along(self.lower, axis, 1, None), along(e, axis, None, -1))
        above = along(e, axis, 1, half + 1)  # of the pairs that have one above them
        k = above.shape[axis]
        along(up, axis, None, k).addcmul_(along(share_up, axis, None, k), above)
        if self.wrapped:
            along(low, axis, None, 1).addcmul_(along(self.lower, axis, None, 1), along(e, axis, -1, None))
            if half == pairs:
                along(up, axis, -1, None).addcmul_(along(share_up, axis, -1, None), along(e, axis, None, 1))
        shape = list(low.shape)
        shape[axis] = self.n
        u = low.new_empty(shape)
        strided(u, axis, 0).copy_(low)
        strided(u, axis, 1).copy_(up)
        return u

    def restrict(self, r: Tensor) -> Tensor:
        """The adjoint of `prolong`."""
        axis, half = self.axis, self.n // 2
        low, up = strided(r, axis, 0), strided(r, axis, 1)
        e = self.own_lower * low
        pairs = e.shape[axis]
        own_up, share_up = (along(x, axis, None, half) for x in (self.own_upper, self.upper))
        along(e, axis, None, half).addcmul_(own_up, up)
        along(e, axis, None, -1).addcmul_(along(self.lower, axis, 1, None), along(low, axis, 1, None))
        above = along(e, axis, 1, half + 1)
        k = above.shape[axis]
        above.addcmul_(along(share_up, axis, None, k), along(up, axis, None, k))
        if self.wrapped:
            along(e, axis, -1, None).addcmul_(along(self.lower, axis, None, 1), along(low, axis, None, 1))
            if half == pairs:
                along(e, axis, None, 1).addcmul_(along(share_up, axis, -1, None), along(up, axis, -1, None))
        return e


@dataclass
class CycleLevel:
    """K of a level, the weights α and β of its smoother, and the transfers to the next."""

    faces: list[Tensor]
    wrapped: tuple[bool, ...]
    alpha: Tensor | float
    beta: Tensor | float
    stages: list[Stage]

    def add_neighbours(self, found: Tensor, u: Tensor) -> Tensor:
        """found += K u."""
        for axis, k in zip(range(-len(self.faces), 0), self.faces, strict=True):
            _add_neighbours(found, u, k, axis, self.wrapped[axis])
        return found

    def residual(self, r: Tensor, u: Tensor) -> Tensor:
        return self.add_neighbours(r - u, u)

    def smooth(self, r: Tensor) -> Tensor:
        """(α + β K) r."""
        return self.add_neighbours((self.alpha / self.beta) * r, r) * self.beta


def _add_neighbours(found: Tensor, u: Tensor, k: Tensor, axis: int, wrapped: bool) -> None:
    inner = along(k, axis, 1, -1)
    along(found, axis, 1, None).addcmul_(inner, along(u, axis, None, -1))
    along(found, axis, None, -1).addcmul_(inner, along(u, axis, 1, None))
    if wrapped:
        ends = along(k, axis, None, 1)
        along(found, axis, None, 1).addcmul_(ends, along(u, axis, -1, None))
        along(found, axis, -1, None).addcmul_(ends, along(u, axis, None, 1))


def _tracked(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(x.requires_grad for x in tensors)


class Cycle:
    """The V-cycle.

    Args:
        A: couplings of the finest level.
        fluid: 1 in cells that coarser levels know, None where they know all.
        joining: gives the shares and the couplings of the pairs along an axis.
        damping: gives α and β of a level by its number.
        axes: along which every level is joined, as `axes_of_levels` gives them, of A unless given.
    """

    def __init__(self, A: Couplings, fluid: Tensor | None, joining: Joining, damping: Damping, axes: Any = None):
        self.levels: list[CycleLevel] = []
        diagonal = A.diagonal()
        self.scale = root = _root(inverse(diagonal))
        for joint in axes_of_levels(A, DENSE) if axes is None else axes:
            coarse, joined = A, []
            if fluid is not None:
                coarse = Couplings(A.faces, A.extra * fluid, A.wrapped)
            for axis in joint:
                n = coarse.space[axis]
                shares, coarse = joining(coarse, axis)
                joined.append((axis, n, shares))
            coarse_diagonal = coarse.diagonal()
            coarse_root = _root(inverse(coarse_diagonal))
            above = _root(diagonal) if fluid is None else _root(diagonal) * fluid
            stages = _scaled_stages(joined, A.wrapped, above, coarse_root)
            alpha, beta = damping(len(self.levels))
            self.levels.append(CycleLevel(_scaled_faces(A, root), A.wrapped, alpha, beta, stages))
            A, diagonal, root, fluid = coarse, coarse_diagonal, coarse_root, None
        self.inverse = _dense_inverse(A)

    def __call__(self, r: Tensor) -> Tensor:
        """M r of fields (batch, *space)."""
        return self.scale * self._cycle(0, self.scale * r)

    def _cycle(self, number: int, r: Tensor) -> Tensor:
        if number == len(self.levels):
            return (self.inverse @ r.reshape(r.shape[0], -1, 1)).reshape(r.shape)
        level = self.levels[number]
        u = level.smooth(r)
        e = level.residual(r, u)
        for stage in level.stages:
            e = stage.restrict(e)
        e = self._cycle(number + 1, e)
        for stage in reversed(level.stages):
            e = stage.prolong(e)
        u = u + e
        return u + level.smooth(level.residual(r, u))


def _scaled_faces(A: Couplings, root: Tensor) -> list[Tensor]:
    """The conductances of S A S; those of boundaries mean nothing."""
    faces = []
    for axis, k in zip(range(-A.ndim, 0), A.faces, strict=True):
        first, last = along(root, axis, None, 1), along(root, axis, -1, None)
        below, above = torch.cat([last, root], axis), torch.cat([root, first], axis)
        faces.append(k * below * above)
    return faces


def _scaled_stages(
    joined: list[tuple[int, int, Shares]], wrapped: tuple[bool, ...], fine: Tensor, coarse: Tensor
) -> list[Stage]:
    """The first stage multiplies by D^(1/2) of its cells, the last one by D^(−1/2) of the coarse ones."""
    stages = []
    for number, (axis, n, shares) in enumerate(joined):
        lower, upper = shares.lower, shares.upper
        own_lower, own_upper = 1 - lower, 1 - upper
        if number == 0:
            low, up = strided(fine, axis, 0), strided(fine, axis, 1)
            if n % 2:
                up = torch.cat([up, torch.zeros_like(along(low, axis, -1, None))], axis)
            own_lower, lower, own_upper, upper = own_lower * low, lower * low, own_upper * up, upper * up
        if number == len(joined) - 1:
            own_lower, own_upper = own_lower * coarse, own_upper * coarse
            lower, upper = lower * torch.roll(coarse, 1, axis), upper * torch.roll(coarse, -1, axis)
        stages.append(Stage(axis, n, wrapped[axis], own_lower, lower, own_upper, upper))
    return stages


def _dense_inverse(A: Couplings) -> Tensor:
    """The pseudo-inverse of the scaled coarsest matrix, (..., cells, cells); constants that A takes to 0 stay 0.

    In single precision rounding would make a small eigenvalue of what is 0: the diagonal is summed in double, and one
    is taken of the two numbers that stand for a face of a periodic axis.
    """
    precision = A.extra.dtype
    faces = [k.double() for k in A.faces]
    for axis in (axis - A.ndim for axis, around in enumerate(A.wrapped) if around):
        faces[axis] = torch.cat([along(faces[axis], axis, None, -1), along(faces[axis], axis, None, 1)], axis)
    A = Couplings(faces, A.extra.double(), A.wrapped)
    diagonal = A.diagonal()
    root = _root(inverse(diagonal))
    cells, batch = math.prod(A.space), diagonal.shape[: -A.ndim]
    unit = torch.eye(cells, dtype=diagonal.dtype, device=diagonal.device)
    unit = root * unit.reshape(cells, *(1,) * len(batch), *A.space).expand(-1, *batch, *A.space)
    matrix = diagonal * unit
    for axis, k in zip(range(-A.ndim, 0), A.faces, strict=True):
        take_neighbours(matrix, unit, k, axis, A.wrapped[axis])
    matrix = (root * matrix).reshape(cells, *batch, cells).movedim(0, -1)
    matrix = (matrix + matrix.mT) / 2
    with torch.no_grad():
        values, vectors = torch.linalg.eigh(matrix)
        least = _LEAST * values[..., -1:]
        found = torch.where(values > least, 1 / torch.where(values > least, values, 1.0), 0.0)
        found = (vectors * found[..., None, :]) @ vectors.mT
    if _tracked(matrix):  # the value as it is, the derivative −B dA B
        first_order = found @ matrix @ found
        found = found - first_order + first_order.detach()
    return found.to(precision)


def _root(x: Tensor) -> Tensor:
    """√x of numbers >= 0, with the derivative 0 at 0."""
    return torch.where(x > 0, torch.where(x > 0, x, 1.0).sqrt(), 0.0)
