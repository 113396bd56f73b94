"""Levels' couplings on the CPU by compiled passes, the same as those of `join` with a `MultigridNet` up to rounding."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from opforge.precond import _compiled_setup as passes
from opforge.precond._coarsening import Couplings, Shares
from opforge.precond._network import MultigridNet
from opforge.precond._threads import Threads


def fast_join(A: Couplings, axis: int, net: MultigridNet, threads: Threads) -> tuple[Shares, Couplings]:
    """`join` of one matrix of float32 on the CPU.

    Args:
        A: without a batch.
        axis: along which pairs are joined.
        net: the rule.
        threads: that share the passes.
    """
    ndim, at = A.ndim, A.ndim + axis
    order = [at] + [i for i in range(ndim) if i != at]
    lead = (slice(None), None) if ndim == 2 else (slice(None),)

    def turned(x: Tensor) -> np.ndarray:
        return x.permute(order).contiguous().numpy()[lead]

    def back(x: np.ndarray) -> Tensor:
        x = x[:, 0] if ndim == 2 else x
        return torch.from_numpy(x).permute([order.index(i) for i in range(ndim)]).contiguous()

    n = A.space[at]
    pairs, wrapped = (n + 1) // 2, A.wrapped[at]
    k, others = turned(A.faces[at]), [turned(A.faces[i]) for i in order[1:]]
    extra = turned(A.extra)
    p, q = extra.shape[1:]
    beside = others if ndim == 3 else [np.zeros((n, 1, q), np.float32), *others]
    from_above, from_below, factor = (np.empty((pairs + 1, p, q), np.float32) for _ in range(3))
    weights = [w.detach().float().numpy() for w in (net.first.weight, net.first.bias, net.second.weight)]
    cells = extra.size
    threads.share(passes.shares, pairs + 1, cells, k, *beside, wrapped, *weights, from_above, from_below, factor)
    tilted = np.zeros((2, pairs, p, q), np.float32)
    found = []
    for number, i in enumerate(order[1:]):
        last = number == ndim - 2
        parts = np.zeros((3, pairs, *others[number].shape[1:]), np.float32)
        arguments = others[number], from_above, from_below, last, A.wrapped[i], parts, tilted, n
        threads.share(passes.beside, pairs, cells, *arguments)
        own = parts[0]
        own[:-1] += parts[1, 1:]
        own[1:] += parts[2, :-1]
        if wrapped:
            own[-1] += parts[1, 0]
            own[0] += parts[2, -1]
        found.append(own)
    coarse, coarse_extra = np.zeros((pairs + 1, p, q), np.float32), np.empty((pairs, p, q), np.float32)
    coarse[:-1] += tilted[0]
    coarse[1:] += tilted[1]
    if wrapped:
        coarse[-1] += tilted[0, 0]
        coarse[0] += tilted[1, -1]
    arguments = k, from_above, from_below, factor, wrapped, extra, coarse, coarse_extra
    threads.share(passes.joined, pairs + 1, cells, *arguments)
    faces: list[Tensor] = [torch.empty(0)] * ndim
    faces[at] = back(coarse)
    for i, own in zip(order[1:], found, strict=True):
        faces[i] = back(own)
    return Shares(back(from_below[:-1]), back(from_above[1:])), Couplings(faces, back(coarse_extra), A.wrapped)
