"""Products of fields with a matrix at each point, a cache full of samples at a time, derivatives included.

Fields are channels-last, (samples, …, channels), and contiguous. A nonlinearity before the product is computed where
it is needed, in the backward pass again: it never exists for more samples than fit the cache, and main memory sees one
passage of what goes in and of what comes out.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from opforge.core.activation import Activation, pulled_back

_CHUNK = 2**21  # bytes of a field at a time on CPUs: about the second-level caches of a few cores
_PIECES = 16  # of a sum over points, at most: MKL computes aᵀ g of tall matrices half as fast as a batch of pieces

Visit = Callable[[torch.Tensor, slice], object]


def forward(
    x: torch.Tensor,
    matrix: torch.Tensor,
    before: Activation | None,
    visit: Visit | None = None,
    finish: Visit | None = None,
) -> torch.Tensor:
    """a ``matrix`` for a = before(x): (samples, …, in) and (in, out) to (samples, …, out).

    While they are in the cache ``visit`` is called with a's samples and where they are among all, and ``finish`` with
    those of the result, to add to them.
    """
    y = x.new_empty(*x.shape[:-1], matrix.shape[1])
    for part in parts(x, y):
        a = x[part] if before is None else before(x[part])
        torch.mm(a.flatten(0, -2), matrix, out=y[part].view(-1, matrix.shape[1]))
        if visit is not None:
            visit(a, part)
        if finish is not None:
            finish(y[part], part)
    return y


def backward(
    x: torch.Tensor,
    matrix: torch.Tensor,
    before: Activation | None,
    grad: torch.Tensor,
    needs: tuple[bool, bool],
    visit: Visit | None = None,
    finish: Visit | None = None,
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """The gradients of `forward` with respect to ``x`` and ``matrix``, those that are needed.

    ``visit`` is called with the samples of the result's gradient and where they are among all, and ``finish`` with
    those of a's gradient, to add to them.
    """
    grad = grad.contiguous()
    gx = torch.empty_like(x) if needs[0] else None
    sums: torch.Tensor | None = None
    for part in parts(x, grad):
        if visit is not None:
            visit(grad[part], part)
        if needs[1]:
            a = x[part] if before is None else before(x[part])
            sums = _summed(a.flatten(0, -2), grad[part].flatten(0, -2), sums)
            del a
        if gx is not None:
            ga = _times(grad[part], matrix.T, gx[part])
            if finish is not None:
                finish(ga, part)
            pulled = pulled_back(before, x[part], ga)
            if pulled is not ga:
                ga.copy_(pulled)
    return gx, None if sums is None else sums.sum(0)


def parts(*fields: torch.Tensor) -> list[slice]:
    """Which samples of these fields are taken at a time."""
    samples = fields[0].shape[0]
    if fields[0].device.type == "cpu":
        samples = max(1, _CHUNK * samples // max(1, *(x.nbytes for x in fields)))
    return [slice(start, start + samples) for start in range(0, max(1, fields[0].shape[0]), max(1, samples))]


def _summed(a: torch.Tensor, g: torch.Tensor, sums: torch.Tensor | None) -> torch.Tensor:
    """Add aᵀ g, in pieces (pieces, in, out) that are still to be added up, to ``sums``."""
    points = a.shape[0]
    pieces = min(points & -points, _PIECES) if sums is None else sums.shape[0]
    if pieces == 0 or points % pieces:  # the last chunk has fewer samples
        a, g = a.T[None], g[None]
        if sums is not None:
            sums[:1].baddbmm_(a, g)
            return sums
        return torch.bmm(a, g)
    a, g = a.view(pieces, -1, a.shape[1]).mT, g.view(pieces, -1, g.shape[1])
    return torch.bmm(a, g) if sums is None else sums.baddbmm_(a, g)


def _times(x: torch.Tensor, matrix: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """x ``matrix`` at each point."""
    if matrix.shape[0] == 1:  # BLAS is slow at outer products
        return torch.mul(x, matrix, out=out)
    torch.mm(x.flatten(0, -2), matrix, out=out.view(-1, matrix.shape[1]))
    return out
