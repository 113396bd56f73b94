"""A V-cycle and products of a stencil on the CPU by compiled passes: the same numbers up to rounding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from opforge.precond import _compiled_cycle as passes
from opforge.precond._cycle import Cycle, CycleLevel, Stage
from opforge.precond._threads import Threads
from opforge.solvers.stencil import Stencil


class FastProduct:
    """A u of a stencil without a batch.

    Args:
        A: on the CPU.
        threads: that share the rows.
    """

    def __init__(self, A: Stencil, threads: Threads):
        self.space, self._threads = A.space, threads
        self._diagonal = _three(A.diagonal)
        self._faces, self._wrapped = _faces(A.faces, A.wrapped, self._diagonal.dtype)

    def __call__(self, u: np.ndarray, out: np.ndarray) -> None:
        """out = A u, (*space)."""
        shape = self._diagonal.shape
        self._threads.share(
            passes.product, shape[0] * shape[1], u.size,
            out.reshape(shape), u.reshape(shape), self._diagonal, *self._faces, self._wrapped,
        )  # fmt: skip


class FastCycle:
    """The V-cycle of one matrix.

    Args:
        cycle: on the CPU, without a batch.
        space: of the finest grid.
        threads: that share the passes.
    """

    def __init__(self, cycle: Cycle, space: tuple[int, ...], threads: Threads):
        self._threads = threads
        self._scale = cycle.scale.contiguous().numpy().reshape(-1)
        self._inverse = cycle.inverse.contiguous().numpy()
        self._levels: list[_Level] = []
        for level in cycle.levels:
            self._levels.append(_Level(level, space))
            space = self._levels[-1].coarser
        self._r = np.empty(len(self._scale), self._scale.dtype)

    def __call__(self, r: np.ndarray, out: np.ndarray) -> None:
        """out = M r of flat arrays, of any precision and range."""
        largest = float(np.abs(r[:: max(1, len(r) // 4096)]).max()) or float(np.abs(r).max())
        if largest == 0:
            out[:] = 0
            return
        # single precision has a smaller range than r; a power of 2 leaves its digits as they are
        factor = 2.0 ** math.frexp(largest)[1] if math.isfinite(largest) else 1.0
        size = len(self._scale)
        self._threads.share(passes.scaled, size, size, self._r, r, self._scale, 1 / factor)
        z = self._cycle(0, self._r)
        self._threads.share(passes.scaled, size, size, out, z.reshape(-1), self._scale, factor)

    def _cycle(self, number: int, r: np.ndarray) -> np.ndarray:
        if number == len(self._levels):
            return self._inverse @ r.reshape(-1)
        level = self._levels[number]
        r, u, t = r.reshape(level.space), level.u, level.t
        self._combine(level, u, r, r, 0.0, level.alpha, level.beta)
        self._combine(level, t, r, u, 1.0, -1.0, 1.0)
        e = t
        for transfer in level.transfers:
            e = transfer.restrict(e, self._threads)
        e = self._cycle(number + 1, e)
        for place in reversed(range(len(level.transfers))):
            target = u if place == 0 else level.transfers[place - 1].found
            e = level.transfers[place].prolong(e, target, place == 0, self._threads)
        self._combine(level, t, r, u, 1.0, -1.0, 1.0)
        self._combine(level, u, u, t, 1.0, level.alpha, level.beta, add=True)
        return u

    def _combine(
        self, level: _Level, out: Any, x: Any, z: Any, a: float, b: float, c: float, *, add: bool = False
    ) -> None:
        numbers = (level.u.dtype.type(number) for number in (a, b, c))
        rows = level.space[0] * level.space[1]
        self._threads.share(passes.combine, rows, out.size, out, x, z, *level.faces, level.wrapped, *numbers, add)


class _Level:
    """Arrays of a level: K, α and β, transfers, and what the passes write."""

    def __init__(self, level: CycleLevel, space: tuple[int, ...]):
        self.space = (1,) * (3 - len(space)) + space
        dtype = level.faces[0].numpy().dtype
        self.faces, self.wrapped = _faces(level.faces, level.wrapped, dtype)
        self.alpha, self.beta = float(level.alpha), float(level.beta)
        self.u, self.t = np.empty(self.space, dtype), np.empty(self.space, dtype)
        self.transfers = [_Transfer.of(stage) for stage in level.stages]
        joined = {len(space) + stage.axis for stage in level.stages}
        self.coarser = tuple((n + 1) // 2 if axis in joined else n for axis, n in enumerate(space))


@dataclass
class _Transfer:
    """A stage as lines: (rows, pairs) along the last axis, (rows, pairs, cells beside) along another."""

    n: int
    wrapped: bool
    weights: tuple[np.ndarray, ...]
    found: np.ndarray

    @classmethod
    def of(cls, stage: Stage) -> _Transfer:
        shape = tuple(stage.own_lower.shape)
        at = len(shape) + stage.axis
        lines = (math.prod(shape[:at]), shape[at], math.prod(shape[at + 1 :]))
        lines = lines if stage.axis != -1 else lines[:2]
        tensors = stage.own_lower, stage.lower, stage.own_upper, stage.upper
        weights = tuple(w.contiguous().numpy().reshape(lines) for w in tensors)
        return cls(stage.n, stage.wrapped, weights, np.empty(lines, weights[0].dtype))

    def _cells(self, x: np.ndarray) -> np.ndarray:
        shape = self.found.shape
        return x.reshape(shape[0], self.n, *shape[2:])

    @property
    def _count(self) -> int:
        return math.prod(self.found.shape[: max(1, self.found.ndim - 1)])

    def restrict(self, r: np.ndarray, threads: Threads) -> np.ndarray:
        work = passes.restrict_last if self.found.ndim == 2 else passes.restrict_rows
        threads.share(work, self._count, r.size, self.found, self._cells(r), *self.weights, self.wrapped)
        return self.found

    def prolong(self, e: np.ndarray, target: np.ndarray, add: bool, threads: Threads) -> np.ndarray:
        work = passes.prolong_last if self.found.ndim == 2 else passes.prolong_rows
        cells = self._cells(target)
        arguments = cells, e.reshape(self.found.shape), *self.weights, self.wrapped, add
        threads.share(work, self._count, target.size, *arguments)
        return target


def _three(x: Tensor) -> np.ndarray:
    """As an array of three axes."""
    return x.detach().contiguous().numpy().reshape((1,) * (3 - x.ndim) + tuple(x.shape))


def _faces(
    faces: list[Tensor], wrapped: tuple[bool, ...], dtype: Any
) -> tuple[tuple[np.ndarray, ...], tuple[bool, ...]]:
    missing = 3 - len(faces)
    nothing = [np.zeros((2, 1, 1), dtype)] * missing
    return (*nothing, *(_three(k) for k in faces)), (False,) * missing + tuple(wrapped)
