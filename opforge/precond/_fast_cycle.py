"""A V-cycle on the CPU by compiled passes, the same numbers as `Cycle` up to rounding."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from opforge.precond import _compiled_cycle as passes
from opforge.precond._cycle import Cycle, CycleLevel, Stage

# Cells of a pass that threads share: smaller ones are done before another thread has woken up.
_SHARED = 40_000


@dataclass
class _Transfer:
    """A stage as arrays of lines, and the array that it restricts to."""

    last: bool
    n: int
    shape: tuple[int, ...]
    weights: tuple[np.ndarray, ...]
    wrapped: bool
    found: np.ndarray

    def lines(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(*self.shape[:-2], self.n, self.shape[-1]) if not self.last else x.reshape(-1, self.n)


class _Level:
    """Arrays of a level: K, α and β, transfers, and what the passes write."""

    def __init__(self, level: CycleLevel, number: int, space: tuple[int, ...], dtype: Any):
        lead = (1,) * (3 - len(space))
        faces = [_one(k, number, len(space)) for k in level.faces]
        self.space = lead + space
        kept = [k.reshape(lead + k.shape) for k in faces]
        nothing = np.zeros((1, 1, 1), dtype)
        self.faces = tuple([nothing] * (3 - len(space)) + kept)
        self.alpha, self.beta = float(level.alpha), float(level.beta)
        self.u, self.t = np.empty(self.space, dtype), np.empty(self.space, dtype)
        self.rows = self.space[0] * self.space[1]
        self.transfers = []
        for stage in level.stages:
            self.transfers.append(_transfer(stage, number, len(space), dtype))


def _one(x: torch.Tensor, number: int, ndim: int) -> np.ndarray:
    x = x.detach()
    return np.ascontiguousarray((x if x.ndim == ndim else x[number]).numpy())


def _transfer(stage: Stage, number: int, ndim: int, dtype: Any) -> _Transfer:
    weights = [_one(w, number, ndim) for w in (stage.own_lower, stage.lower, stage.own_upper, stage.upper)]
    shape = weights[0].shape
    found = np.empty(shape, dtype)
    if stage.axis == -1:
        flat = (int(np.prod(shape[:-1])), shape[-1])
    else:
        at = ndim + stage.axis
        flat = (int(np.prod(shape[:at])), shape[at], int(np.prod(shape[at + 1 :])))
    return _Transfer(
        stage.axis == -1, stage.n, flat, tuple(w.reshape(flat) for w in weights), stage.wrapped, found.reshape(flat)
    )


class FastCycle:
    """The cycle of one matrix of a batch.

    Args:
        cycle: on the CPU.
        number: of the matrix.
        space: of the finest grid.
        threads: that share a pass.
    """

    def __init__(self, cycle: Cycle, number: int, space: tuple[int, ...], threads: int):
        ndim = len(space)
        self.scale = _one(cycle.scale, number, ndim).reshape(-1)
        dtype = self.scale.dtype
        self._inverse = cycle.inverse.detach().numpy()
        self._inverse = np.ascontiguousarray(self._inverse if self._inverse.ndim == 2 else self._inverse[number])
        self.levels: list[_Level] = []
        for level in cycle.levels:
            self.levels.append(_Level(level, number, space, dtype))
            space = tuple(_coarser(n, -ndim + i, level.stages) for i, n in enumerate(space))
        self._r = np.empty(len(self.scale), dtype)
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def __call__(self, r: np.ndarray, out: np.ndarray, factor: float = 1.0) -> None:
        """out = M r factor of flat arrays, in any precision."""
        size = len(self.scale)
        self._share(passes.scaled, size, size, self._r, r, self.scale, 1.0)
        z = self._cycle(0, self._r)
        self._share(passes.scaled, size, size, out, z, self.scale, factor)

    def _share(self, work: Callable, count: int, cells: int, *arguments: Any) -> None:
        if self._pool is None or cells < _SHARED or count < self._threads:
            work(*arguments, 0, count)
            return
        ends = [count * i // self._threads for i in range(self._threads + 1)]
        others = [
            self._pool.submit(work, *arguments, start, stop)
            for start, stop in zip(ends[1:-1], ends[2:], strict=True)
        ]
        work(*arguments, ends[0], ends[1])
        for other in others:
            other.result()

    def _combine(self, level: _Level, out: Any, x: Any, z: Any, a: float, b: float, c: float, add: bool) -> None:
        number = level.u.dtype.type
        self._share(
            passes.combine, level.rows, level.u.size, out, x, z, *level.faces, number(a), number(b), number(c), add
        )

    def _cycle(self, number: int, r: np.ndarray) -> np.ndarray:
        if number == len(self.levels):
            return self._inverse @ r.reshape(-1)
        level = self.levels[number]
        r = r.reshape(level.space)
        u, t = level.u, level.t
        self._combine(level, u, r, r, 0.0, level.alpha, level.beta, False)
        self._combine(level, t, r, u, 1.0, -1.0, 1.0, False)
        e = t
        for transfer in level.transfers:
            work = passes.restrict_last if transfer.last else passes.restrict_rows
            lines = transfer.lines(e)
            count = transfer.shape[0] * (1 if transfer.last else transfer.shape[1])
            self._share(work, count, e.size, transfer.found, lines, *transfer.weights, transfer.wrapped)
            e = transfer.found
        e = self._cycle(number + 1, e)
        for place in reversed(range(len(level.transfers))):
            transfer = level.transfers[place]
            work = passes.prolong_last if transfer.last else passes.prolong_rows
            target = u if place == 0 else level.transfers[place - 1].found
            lines = transfer.lines(target)
            count = transfer.shape[0] * (1 if transfer.last else transfer.shape[1])
            self._share(
                work, count, target.size, lines, e.reshape(transfer.shape), *transfer.weights, transfer.wrapped, place == 0
            )
            e = target
        self._combine(level, t, r, u, 1.0, -1.0, 1.0, False)
        self._combine(level, u, u, t, 1.0, level.alpha, level.beta, True)
        return u.reshape(-1)


def _coarser(n: int, axis: int, stages: list[Stage]) -> int:
    return (n + 1) // 2 if any(stage.axis == axis for stage in stages) else n
