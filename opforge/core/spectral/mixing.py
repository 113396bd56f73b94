"""Mixing of channels mode by mode, for each kind of weight."""

from __future__ import annotations

import math
from typing import Any, cast

import torch

from opforge.core.spectral import complexes, pairs
from opforge.core.spectral.weights import CPWeight, TuckerWeight, Weight


def mix(rows: torch.Tensor, weight: Weight, kind: str) -> torch.Tensor:
    """Y[k] = W[k] X[k]; the arguments have been checked.

    The rows X are complex (*modes, batch, in), or pairs of reals (*modes, 2, batch, in) as the ``gemm`` back end has
    them; the result is of the same form. Factorised weights are contracted factor by factor, or multiplied out first
    where that takes fewer operations.
    """
    others = 2 if rows.is_complex() else 3
    modes = rows.shape[:-others]
    x = rows.reshape(math.prod(modes), *rows.shape[-others:])
    algebra = complexes if rows.is_complex() else pairs
    if isinstance(weight, CPWeight | TuckerWeight):
        if factors_are_cheaper(weight, rows.shape[-2]):
            y = _by_factors(algebra, x, weight)
        else:
            y = algebra.product(x, weight.to_dense().flatten(0, len(modes) - 1))
    else:
        w = cast(torch.Tensor, weight).flatten(0, len(modes) - 1)
        if kind == "dense":
            y = algebra.product(x, w)
        elif kind == "separable":
            y = algebra.scale(x, w)
        else:
            y = _by_blocks(algebra, x, w)
    return y.reshape(*modes, *rows.shape[-others:-1], y.shape[-1])


def _by_blocks(algebra: Any, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """w (m, blocks, i, o, 2)."""
    m, blocks, i = w.shape[:3]
    x = x.unflatten(-1, (blocks, i)).movedim(-2, 1).flatten(0, 1)
    y = algebra.product(x, w.flatten(0, 1))
    return y.unflatten(0, (m, blocks)).movedim(1, -2).flatten(-2)


def _by_factors(algebra: Any, x: torch.Tensor, weight: CPWeight | TuckerWeight) -> torch.Tensor:
    d = len(weight.modes)
    x = algebra.shared_product(x, weight.inputs)
    if isinstance(weight, CPWeight):
        x = algebra.scale(x, weight.mode_factors().flatten(0, d - 1))
    else:
        x = algebra.product(x, weight.reduced().flatten(0, d - 1))
    return algebra.shared_product(x, weight.outputs.transpose(0, 1))


def factors_are_cheaper(weight: CPWeight | TuckerWeight, batch: int) -> bool:
    """Whether contracting with the factors one by one takes fewer operations than making the dense weight first."""
    n_in, rank_in = weight.inputs.shape[:2]
    n_out, rank_out = weight.outputs.shape[:2]
    inner = rank_in if isinstance(weight, CPWeight) else rank_in * rank_out
    by_factors = batch * (n_in * rank_in + inner + rank_out * n_out)
    expansion = rank_in * n_out * (n_in if isinstance(weight, CPWeight) else rank_out + n_in)
    return by_factors <= expansion + batch * n_in * n_out
