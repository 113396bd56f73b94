"""Small Fourier matrices and twiddle factors of a transform of composite length, as real tensors.

Complex numbers are pairs of reals. Where the pair's axis stands is chosen so that no product needs a copy: a matrix
takes it right before the axis that it transforms and leaves it right after the frequencies that it makes. Angles are
reduced exactly before the sine and cosine, in float64, and entries are rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch

from opforge.core.choice.tracing import tracing
from opforge.core.kept import made_to_last

Builder = Callable[..., torch.Tensor]


def _table(build: Builder) -> Builder:
    """Keep what ``build`` gives, in float64 on the CPU; a graph that is being traced makes its own instead."""

    @lru_cache(maxsize=512)
    def kept(*sizes: int | tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        with made_to_last():
            return build(*sizes, device=torch.device("cpu")).to(device=device, dtype=dtype)

    def table(*sizes: int | tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        if tracing():
            return build(*sizes, device=device).to(dtype)
        return kept(*sizes, dtype=dtype, device=device)

    table.__doc__ = build.__doc__
    return table


@_table
def first_real(n: int, used: int, *, device: torch.device) -> torch.Tensor:
    """(2·(n//2 + 1), used): the first ``used`` of n real samples, the others zero, to frequencies 0 … n//2 in pairs."""
    angle = _turns(_count(n // 2 + 1, device)[:, None] * _count(used, device), n)
    return torch.stack([angle.cos(), -angle.sin()], 1).reshape(-1, used)


@_table
def last_real(n: int, used: int, total: int, *, device: torch.device) -> torch.Tensor:
    """(used, 2·(n//2 + 1)): the inverse for the first ``used`` samples, divided by ``total``."""
    frequency = _count(n // 2 + 1, device)
    angle = _turns(_count(used, device)[:, None] * frequency, n)
    # Frequencies n//2 + 1 … n − 1 are the conjugates of others; 0 and n/2 have no partner.
    weight = (2 - (2 * frequency % n == 0).to(torch.float64)) / total
    return torch.stack([weight * angle.cos(), -weight * angle.sin()], -1).reshape(used, -1)


@_table
def rows(n: int, *, device: torch.device) -> torch.Tensor:
    """(n·2, 2·n): pairs before n samples to pairs after n frequencies, times exp(−2πi·jf/n)."""
    block = _block(-_turns(_count(n, device)[:, None] * _count(n, device), n))  # (new part, old part, f, j)
    return block.permute(2, 0, 1, 3).reshape(2 * n, 2 * n)


@_table
def columns(n: int, kept: tuple[int, int], *, device: torch.device) -> torch.Tensor:
    """(2·n, 2·kept), to be multiplied from the right: pairs before n samples to pairs before the kept frequencies.

    ``kept`` counts the frequencies from 0 upwards and those from −1 downwards; (n, 0) keeps all.
    """
    all_of_them = _count(n, device)
    frequency = torch.cat([all_of_them[: kept[0]], all_of_them[n - kept[1] :]])
    block = _block(-_turns(all_of_them[:, None] * frequency, n))  # (new part, old part, j, f)
    return block.permute(1, 2, 0, 3).reshape(2 * n, 2 * sum(kept))


@_table
def twiddles(n: int, frequencies: int, after: int, *, device: torch.device) -> torch.Tensor:
    """Tables a and b (2, frequencies, 2, after): a·z + b·flip(z) is z·exp(−2πi·f·j/(n·after)), pairs in the middle."""
    angle = _turns(_count(frequencies, device)[:, None] * _count(after, device), n * after)
    cosine, sine = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cosine, cosine], 1), torch.stack([sine, -sine], 1)])


@_table
def mask(split: tuple[int, ...], kept: tuple[int, int], highest: int, *, device: torch.device) -> torch.Tensor:
    """(rows, 1, kept): 1 at the frequencies up to ``highest`` of those that are computed, 0 at the others."""
    length = math.prod(split)
    frequency = places(split, device)[: split[0] // 2 + 1]
    if len(split) == 1:
        frequency = frequency[:, None]
    last = frequency.shape[-1]
    frequency = torch.cat([frequency[..., : kept[0]], frequency[..., last - kept[1] :]], -1)
    return (torch.minimum(frequency, length - frequency) <= highest).to(torch.float64).reshape(-1, 1, sum(kept))


def places(split: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Which frequency f₁ + N₁·(f₂ + N₂·…) stands at each place (f₁, f₂, …)."""
    result = torch.zeros((), dtype=torch.int64, device=device)
    step = 1
    for n in split:
        result = result[..., None] + step * _count(n, device)
        step *= n
    return result


def _count(n: int, device: torch.device) -> torch.Tensor:
    return torch.arange(n, dtype=torch.int64, device=device)


def _turns(steps: torch.Tensor, period: int) -> torch.Tensor:
    """The angle 2π·steps/period, reduced to one turn while it is still an integer."""
    return (steps % period).to(torch.float64) * (2 * math.pi / period)


def _block(angle: torch.Tensor) -> torch.Tensor:
    """(2, 2, …): new part by old part of a multiplication by exp(i·angle)."""
    cosine, sine = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cosine, -sine]), torch.stack([sine, cosine])])
