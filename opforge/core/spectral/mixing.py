"""Mixing of channels mode by mode, for each kind of weight."""

from __future__ import annotations

import math

import torch

from opforge.core.spectral import pairs
from opforge.core.spectral.weights import CPWeight, TuckerWeight, Weight


def mix(rows: torch.Tensor, weight: Weight, kind: str) -> torch.Tensor:
    """Y[k] = W[k] X[k] for rows X (*modes, 2, batch, in); the arguments have been checked.

    Factorised weights are contracted factor by factor, or multiplied out first where that takes fewer operations.
    """
    modes, (_, batch, channels) = rows.shape[:-3], rows.shape[-3:]
    x = rows.reshape(math.prod(modes), 2, batch, channels)
    if isinstance(weight, CPWeight | TuckerWeight):
        if factors_are_cheaper(weight, batch):
            y = _by_factors(x, weight)
        else:
            y = pairs.product(x, weight.to_dense().flatten(0, len(modes) - 1))
    elif kind == "dense":
        y = pairs.product(x, weight.flatten(0, len(modes) - 1))  # pyright: ignore
    elif kind == "separable":
        y = pairs.scale(x, weight.flatten(0, len(modes) - 1))  # pyright: ignore
    else:
        y = _by_blocks(x, weight.flatten(0, len(modes) - 1))  # pyright: ignore
    return y.reshape(*modes, 2, batch, y.shape[-1])


def _by_blocks(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """w (m, blocks, i, o, 2)."""
    m, blocks, i, o, _ = w.shape
    batch = x.shape[2]
    x = x.reshape(m, 2, batch, blocks, i).movedim(-2, 1).reshape(m * blocks, 2, batch, i)
    y = pairs.product(x, w.reshape(m * blocks, i, o, 2))
    return y.reshape(m, blocks, 2, batch, o).movedim(1, -2).reshape(m, 2, batch, blocks * o)


def _by_factors(x: torch.Tensor, weight: CPWeight | TuckerWeight) -> torch.Tensor:
    d = len(weight.modes)
    x = pairs.shared_product(x, weight.inputs)
    if isinstance(weight, CPWeight):
        x = pairs.scale(x, weight.mode_factors().flatten(0, d - 1))
    else:
        x = pairs.product(x, weight.reduced().flatten(0, d - 1))
    return pairs.shared_product(x, weight.outputs.transpose(0, 1))


def factors_are_cheaper(weight: CPWeight | TuckerWeight, batch: int) -> bool:
    """Whether contracting with the factors one by one takes fewer operations than making the dense weight first."""
    n_in, rank_in = weight.inputs.shape[:2]
    n_out, rank_out = weight.outputs.shape[:2]
    inner = rank_in if isinstance(weight, CPWeight) else rank_in * rank_out
    by_factors = batch * (n_in * rank_in + inner + rank_out * n_out)
    expansion = rank_in * n_out * (n_in if isinstance(weight, CPWeight) else rank_out + n_in)
    return by_factors <= expansion + batch * n_in * n_out
