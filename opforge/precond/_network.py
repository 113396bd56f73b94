"""The small network of learned multigrid: what it sees of the couplings around a face, and what it says of it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from opforge.pdes._arrays import along
from opforge.precond._coarsening import Couplings, Lines, resistances, strided

# What is seen of a face, from below to above: see `around`. Seen from the other side it is in the order of FLIPPED.
FEATURES = 9
FLIPPED = (0, 2, 1, 4, 3, 6, 5, 8, 7)

# Levels from this one on have the same damping.
_DAMPINGS = 3

# Two sweeps of Jacobi whose errors are a Chebyshev polynomial: these numbers give the weights 0.6 and 1.4.
_CENTRE, _SPREAD = 0.19, 0.27


class MultigridNet(nn.Module):
    """Interpolation, coarse conductances and damping of a V-cycle, from couplings.

    Starts as the classical cycle: shares by resistances, conductances by energies, sweeps with 0.6 and 1.4.

    Args:
        hidden: width of the hidden layer.
        ndim: dimensions of the problems that it is for.

    Example:
        >>> sum(p.numel() for p in MultigridNet(hidden=8, ndim=2).parameters())
        102
    """

    def __init__(self, hidden: int = 8, ndim: int = 2):
        super().__init__()
        self.hidden, self.ndim = hidden, ndim
        self.first = nn.Linear(FEATURES, hidden)
        self.second = nn.Linear(hidden, 2, bias=False)
        nn.init.zeros_(self.second.weight)
        self.dampings = nn.Parameter(torch.zeros(_DAMPINGS, 2))

    def forward(self, A: Couplings, on: Lines) -> tuple[Tensor, Tensor, Tensor]:
        """The rule of `opforge.precond._coarsening.join`."""
        from_above, from_below, _ = resistances(A, on)
        with torch.no_grad():
            seen = around(A, on)
        weights, bias = self.first.weight.to(seen.dtype), self.first.bias.to(seen.dtype)
        last = self.second.weight.to(seen.dtype)
        below = torch.relu(seen @ weights.T + bias) @ last.T
        above = torch.relu(seen @ weights[:, list(FLIPPED)].T + bias) @ last.T
        factor = positive(below[..., 0] + above[..., 0])
        return _tilted(from_above, below[..., 1]), _tilted(from_below, above[..., 1]), factor

    def damping(self, number: int) -> tuple[Tensor, Tensor]:
        """α and β of two sweeps (1 − ω₁ λ)(1 − ω₂ λ) = 1 − (α + β)λ + β λ², of eigenvalues λ within 0 and 2.

        1/ω are the zeros c ± d/√2 of a Chebyshev polynomial. For c > 1 and 0 < d < c it is less than 1 in size for all
        0 < λ < 2c: the cycle is positive definite whatever the weights of the network are.
        """
        centre, spread = self.dampings[min(number, _DAMPINGS - 1)]
        c = 1.02 + 0.17 * torch.exp(centre.clamp(-6.0, 3.0))
        d = c * (0.01 + 0.98 * torch.sigmoid(spread + _SPREAD)) / math.sqrt(2)
        first, second = 1 / (c - d), 1 / (c + d)
        return first + second - first * second, first * second


def positive(x: Tensor) -> Tensor:
    """1 + x where x > 0, 1/(1 − x) elsewhere: like exp, without its cost and range."""
    return (1 + x.clamp(min=0.0)) / (1 - x.clamp(max=0.0))


def _tilted(share: Tensor, by: Tensor) -> Tensor:
    """A share between 0 and 1 with another odds ratio."""
    e = positive(by)
    return share * e / (1 - share + share * e)


def around(A: Couplings, on: Lines) -> Tensor:
    """The conductances x around faces between pairs, as (x − mean)/(x + mean), (..., *faces, FEATURES).

    The face; inside of the pairs below and above; the faces below and above these; across the line, of the cells beside
    the face, below and above; of the cells beyond them. The mean is that of the first three and of half of those across
    the line beside the face.
    """
    axis, across = on.axis, on.across
    sideways = sum((A.sums(other) for other in range(-A.ndim, 0) if other != axis), torch.zeros_like(A.extra))
    low, up = strided(sideways, axis, 0), strided(sideways, axis, 1)
    if A.space[axis] % 2:
        up = torch.cat([up, torch.zeros_like(along(low, axis, -1, None))], axis)
    parts = [across, on.below(on.inside), on.above(on.inside)]
    parts += [on.below(along(across, axis, None, -1)), on.above(along(across, axis, 1, None))]
    parts += [on.below(up), on.above(low), on.below(low), on.above(up)]
    mean = (parts[0] + parts[1] + parts[2] + (parts[5] + parts[6]) / 2) / 4
    mean = torch.where(mean > 0, mean, 1.0)
    x = torch.stack(parts, -1)
    return (x - mean[..., None]) / (x + mean[..., None])
