"""Ritz vectors: approximate eigenvectors of an operator from Lanczos' process, and right-hand sides made of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from opforge.errors import InputError

# Coefficients of Ritz vectors of low frequency are as many times larger: those are what an iteration has left in the
# end.
_LOW = 9.0


def ritz_vectors(A: Callable[[Tensor], Tensor], start: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Ritz values and vectors of A in the Krylov space of a start: Lanczos, every vector made orthogonal to all before.

    A V ≈ V diag(θ), with equality in the Krylov space: VᵀA V = diag(θ), VᵀV = 1. Where the space ends early, A maps it
    to itself and the process goes on with what rounding left, orthogonal to all before.

    Args:
        A: symmetric, a function of fields (batch, *space); every field of the batch may have its own operator.
        start: (batch, *space), not 0.
        count: vectors, at most as many as there are unknowns.

    Returns:
        θ (batch, count), increasing, and V (batch, count, *space).

    Raises:
        InputError: ``count`` out of range, a start that is 0 or not finite.

    Example:
        >>> from opforge.core import Grid
        >>> from opforge.solvers import Stencil
        >>> values, vectors = ritz_vectors(Stencil(Grid((8, 8))), torch.ones(1, 8, 8, dtype=torch.float64), 10)
        >>> tuple(vectors.shape), round(float(values[0, 0]), 2)
        ((1, 10, 8, 8), 19.49)

    Source:
        Golub and Van Loan, "Matrix Computations", section 10.1; for training sets Kaneda et al., "A deep conjugate
        direction method for iteratively solving linear systems", section 4.
    """
    batch, space = start.shape[0], start.shape[1:]
    q = start.reshape(batch, -1)
    n = q.shape[1]
    if not 1 <= count <= n:
        raise InputError(f"count must be from 1 to the number of unknowns, {n}, got {count}")
    size = torch.linalg.vector_norm(q, dim=1, keepdim=True)
    if not bool((torch.isfinite(size) & (size > 0)).all()):
        raise InputError("start must be finite and not 0 in every field of the batch")
    q, basis = q / size, q.new_zeros(batch, count, n)
    diagonal, beside = q.new_zeros(batch, count), q.new_zeros(batch, count)
    for j in range(count):
        basis[:, j] = q
        w = A(q.reshape(start.shape)).reshape(batch, n)
        diagonal[:, j] = (w * q).sum(1)
        for _ in range(2):  # once leaves as much as rounding grows in one product
            known = basis[:, : j + 1]
            w = w - ((known @ w[..., None]).mT @ known)[:, 0]
        norm = torch.linalg.vector_norm(w, dim=1)
        beside[:, j] = norm
        q = w / norm.clamp_min(torch.finfo(w.dtype).tiny)[:, None]
    off = torch.diag_embed(beside[:, :-1], 1)
    values, rotation = torch.linalg.eigh((torch.diag_embed(diagonal) + off + off.mT).double())
    vectors = rotation.mT.to(basis.dtype) @ basis
    return values.to(basis.dtype), vectors.reshape(batch, count, *space)


def ritz_combinations(vectors: Tensor, generator: torch.Generator) -> Tensor:
    """Right-hand sides Σ_j c_j v_j of norm 1, c_j normal, nine times as large below a random place in the spectrum.

    Args:
        vectors: Ritz vectors (batch, count, *space), of increasing Ritz values.
        generator: of the coefficients.

    Returns:
        (batch, *space).

    Example:
        >>> b = ritz_combinations(torch.eye(4).reshape(1, 4, 4), torch.Generator().manual_seed(0))
        >>> tuple(b.shape), round(float(b.norm()), 3)
        ((1, 4), 1.0)

    Source:
        Kaneda et al., as `ritz_vectors`, where that place is the middle of the spectrum.
    """
    batch, count = vectors.shape[:2]
    c = torch.randn(batch, count, generator=generator)
    place = torch.randint(1, count + 1, (batch, 1), generator=generator)
    c = torch.where(torch.arange(count) < place, _LOW * c, c)
    c = (c / torch.linalg.vector_norm(c, dim=1, keepdim=True)).to(vectors)
    return (c[:, None] @ vectors.flatten(2)).reshape(batch, *vectors.shape[2:])
